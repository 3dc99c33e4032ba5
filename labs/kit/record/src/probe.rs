//! eBPF probes: their list, and the record that each writes, `<name>.json`.
//!
//! Beside it are the files that it names: `<histogram>.hlog` (values within 1/32 of the truth: a
//! bucket is recorded at its middle) and `<stacks>.folded`.

use serde::{Deserialize, Serialize};

use crate::hlog::SAMPLES_BEYOND;
use crate::schema::Schema;
use crate::table::Table;

/// A probe that can be asked for by name.
#[derive(Debug)]
pub struct ProbeSpec {
    /// Its name, as bcc's users know it.
    pub name: &'static str,
    /// What it shows, in a line.
    pub shows: &'static str,
    /// What it does not show although a user might expect it, in a line.
    pub unseen: &'static str,
    /// Whether it writes folded stacks.
    pub stacks: bool,
    /// Whether it is hooked into the program of one process or command, which the user must name.
    pub needs_target: bool,
    /// Its settings.
    pub settings: &'static [SettingSpec],
}

/// A setting of a probe, as in `--set by=thread`.
#[derive(Debug)]
pub struct SettingSpec {
    /// Its name: `by`.
    pub name: &'static str,
    /// The values that it may have, the default first. If empty, any word may be its value, and the
    /// setting is required.
    pub values: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
}

/// Every probe.
pub const PROBES: &[ProbeSpec] = &[
    ProbeSpec::new(
        "biolatency",
        "block devices: requests waiting for them, and in them",
        "requests to devices that make none (zram, device mapper): only those below",
    ),
    ProbeSpec::new(
        "biosnoop",
        "requests to block devices, one by one",
        "requests to devices that make none (zram, device mapper): only those below",
    ),
    ProbeSpec::new(
        "cachestat",
        "how often the page cache has what is read",
        "reads past the page cache (O_DIRECT), or of pages that are mapped already",
    ),
    ProbeSpec::new(
        "cpudist",
        "how long threads run at a stretch",
        "interrupts within a stretch, and a hypervisor that takes the CPU meanwhile",
    ),
    ProbeSpec::new(
        "execsnoop",
        "programs as they are started, with their arguments",
        "an exec that failed, and processes that only fork",
    ),
    ProbeSpec {
        settings: &[SettingSpec {
            name: "from_ms",
            values: &["10", "0", "1", "100", "1000"],
            help: "the shortest slow call, in ms",
        }],
        ..ProbeSpec::new(
            "ext4slower",
            "slow reads, writes, opens and syncs of files on ext4",
            "reads and writes of mapped files, and calls by io_submit",
        )
    },
    ProbeSpec::new(
        "fsyncsnoop",
        "calls that wait until files are on their device",
        "writes that wait by io_submit or io_uring, and waits for mapped files",
    ),
    ProbeSpec {
        settings: &[
            SettingSpec { name: "path", values: &[], help: "the program or library" },
            SettingSpec { name: "function", values: &[], help: "its name, or its symbol" },
        ],
        ..ProbeSpec::new(
            "funclatency",
            "how long a function of a program takes",
            "calls that the compiler has inlined",
        )
    },
    ProbeSpec::new(
        "offcputime",
        "how long threads are blocked, by their stacks",
        "waits that began before it did",
    )
    .with_stacks(),
    ProbeSpec::new(
        "offwaketime",
        "where threads are blocked, and who wakes them",
        "waits that began before it did",
    )
    .with_stacks(),
    ProbeSpec::new(
        "opensnoop",
        "files as they are opened, and the results",
        "files opened by handle (open_by_handle_at), and those that exec opens",
    ),
    ProbeSpec::new(
        "pagefaults",
        "page faults of user space, by where they happen",
        "pages fetched without a fault: O_DIRECT, mlock, MAP_POPULATE",
    )
    .with_stacks(),
    ProbeSpec {
        settings: &[SettingSpec {
            name: "hz",
            values: &["49", "99", "499", "999"],
            help: "samples per CPU and second",
        }],
        ..ProbeSpec::new(
            "profile",
            "stacks of running threads, counted in the kernel",
            "code that runs with interrupts off: the code after it is charged",
        )
        .with_stacks()
    },
    ProbeSpec {
        needs_target: true,
        ..ProbeSpec::new(
            "requests",
            "a lab's requests: running, waiting for a CPU, blocked",
            "what other threads do for a request",
        )
    },
    ProbeSpec {
        settings: &[SettingSpec {
            name: "by",
            values: &["all", "thread"],
            help: "also a histogram for each thread name",
        }],
        ..ProbeSpec::new(
            "runqlat",
            "how long threads that could run wait for a CPU",
            "the time that a hypervisor gives to others while a thread runs",
        )
    },
    ProbeSpec::new(
        "syscount",
        "system calls: how often, their errors, how long",
        "calls that never enter the kernel (vDSO), and what io_uring is asked for",
    ),
    ProbeSpec::new(
        "tcpconnect",
        "attempts to connect by TCP, and their results",
        "attempts that failed before a SYN was sent",
    ),
    ProbeSpec::new(
        "tcplife",
        "TCP connections as they end, with their lifetimes and bytes",
        "connections that are older than it, or outlive it",
    ),
    ProbeSpec::new(
        "tcpretrans",
        "TCP segments that are sent again",
        "what a network card sends again by itself",
    ),
    ProbeSpec::new(
        "wakeuptime",
        "who wakes threads, by how long they slept",
        "waits that began before it did",
    )
    .with_stacks(),
];

impl ProbeSpec {
    const fn new(name: &'static str, shows: &'static str, unseen: &'static str) -> Self {
        Self { name, shows, unseen, stacks: false, needs_target: false, settings: &[] }
    }

    /// Checks that the probe has these settings, and that no required one is missing.
    ///
    /// # Errors
    /// Which setting is unknown or missing.
    pub fn check(&self, set: &[(String, String)]) -> Result<(), String> {
        for (name, value) in set {
            let known = self.settings.iter().find(|known| known.name == name);
            if !known.is_some_and(|known| known.takes(value)) {
                return Err(format!("{} has no setting {name}={value}", self.name));
            }
        }
        let is_set = |setting: &SettingSpec| set.iter().any(|(name, _)| name == setting.name);
        match self.settings.iter().find(|setting| setting.values.is_empty() && !is_set(setting)) {
            Some(missing) => Err(format!("{} needs --set {}=…", self.name, missing.name)),
            None => Ok(()),
        }
    }

    /// Checks that it can observe `target`.
    ///
    /// # Errors
    /// It observes a single program, and `target` names none.
    pub fn check_target(&self, target: &ProbeTarget) -> Result<(), String> {
        match target {
            ProbeTarget::Everyone | ProbeTarget::Comm(_) if self.needs_target => {
                Err(format!("{} needs --pid or a command: it looks into one program", self.name))
            }
            _ => Ok(()),
        }
    }

    const fn with_stacks(self) -> Self {
        Self { stacks: true, ..self }
    }
}

impl SettingSpec {
    /// Whether the setting may have this value.
    pub fn takes(&self, value: &str) -> bool {
        self.values.contains(&value) || (self.values.is_empty() && !value.is_empty())
    }

    /// The values that it may have, as a help text shows them: `49|99|499|999`, or `PATH`.
    pub fn choices(&self) -> String {
        if self.values.is_empty() { self.name.to_uppercase() } else { self.values.join("|") }
    }
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// Its name.
    #[serde(deserialize_with = "crate::name::name")]
    pub probe: String,
    /// What it observed.
    pub target: ProbeTarget,
    /// How long, in seconds.
    pub duration_s: f64,
    /// Distributions over the whole time.
    #[serde(default)]
    pub histograms: Vec<ProbeHistogram>,
    /// The same for each interval, if the user asked for intervals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<ProbeInterval>,
    /// Rows of counts, sums and words.
    #[serde(default)]
    pub tables: Vec<Table>,
    /// Folded stacks that it wrote.
    #[serde(default)]
    pub folded: Vec<ProbeStacks>,
    /// What it knows to have missed.
    pub losses: ProbeLosses,
    /// What it cost the machine.
    pub cost: ProbeCost,
    /// What a reader must know, in whole sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// How the command ended, if it observed one.
    pub exit: Option<ProbeExit>,
}

/// What a probe observes; never itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeTarget {
    /// Every process of the machine.
    Everyone,
    /// All threads of one process.
    Pid(u32),
    /// Threads of this name, cut to fifteen bytes as the kernel cuts it.
    Comm(String),
    /// This command and its child processes, from its start on.
    Command(Vec<String>),
}

/// A distribution in log-linear buckets. A bucket's width is at most 1/16 of the values in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeHistogram {
    /// What was measured.
    pub name: String,
    /// The name of the threads whose values these are; absent for the values of all threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// `ns`, `bytes`.
    pub unit: String,
    /// Values counted.
    pub count: u64,
    /// Their exact sum.
    pub sum: u64,
    /// Lowest value, highest value and count of each bucket that is not empty, in order.
    pub buckets: Vec<(u64, u64, u64)>,
}

/// The histograms of a part of the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeInterval {
    /// Its start in seconds since the probe began.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// The values of the interval.
    pub histograms: Vec<ProbeHistogram>,
}

/// A file of folded stacks: what its numbers mean, and how many stacks are incomplete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeStacks {
    /// What a line's number measures: `off-cpu`, `wakeup`, `offwake`.
    #[serde(deserialize_with = "crate::name::kind")]
    pub kind: String,
    /// The file, beside the record.
    #[serde(deserialize_with = "crate::name::file")]
    pub file: String,
    /// The unit of a line's number.
    pub unit: String,
    /// The sum of all lines.
    pub total: u64,
    /// The share of `total`, 0 to 1, whose user stacks do not reach the function in which their
    /// thread began.
    pub rootless: f64,
}

/// What a probe knows to have missed, as the kernel counted it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeLosses {
    /// Observations for which a map had no room.
    pub map_full: u64,
    /// Events for which the ring buffer had no room.
    pub ring_full: u64,
    /// Stacks for which the stack map had no room, and recognised stacks that proved to be others
    /// when they were walked again.
    pub stacks: u64,
    /// Runs that the kernel left out because the program was already running on that CPU.
    pub skipped_runs: u64,
    /// Waits and requests whose end the kernel reported to no tracer, and whose length is unknown.
    /// On a nested virtual machine (Linux 6.18, 25 November 2026) the kernel at times reported
    /// every switch from an idle CPU and at times none: tracefs itself showed a thread leave one
    /// CPU 401 times and come to it 202 times; on the other CPU 402 and 401.
    #[serde(default, alias = "untold")]
    pub unfinished: u64,
}

impl ProbeLosses {
    /// The sum of all losses.
    pub fn total(&self) -> u64 {
        self.map_full + self.ring_full + self.stacks + self.skipped_runs + self.unfinished
    }
}

/// What a probe cost the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCost {
    /// Observations that its figures are made of.
    pub events: u64,
    /// How often its programs ran; `None` if the kernel does not count that for this user, who then
    /// lacks CAP_SYS_ADMIN. After 50,000 runs it is counted in a tenth of the time and scaled up.
    pub runs: Option<u64>,
    /// How long they ran, in nanoseconds, added up over all CPUs; `None` as for `runs`.
    pub run_ns: Option<u64>,
}

/// How an observed command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeExit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl ProbeHistogram {
    /// As [`Self::quantile`]; also `None` if fewer than [`SAMPLES_BEYOND`] values lie beyond it.
    pub fn percentile(&self, quantile: f64) -> Option<u64> {
        let beyond = self.count as f64 * (1.0 - quantile);
        (beyond + 1e-6 >= SAMPLES_BEYOND).then(|| self.quantile(quantile)).flatten()
    }

    /// The value at `quantile` (0 to 1): the middle of its bucket; `None` without any value.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let rank = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        for &(low, high, count) in &self.buckets {
            below += count;
            if below >= rank {
                return Some(low + (high - low) / 2);
            }
        }
        None
    }
}

impl ProbeRecord {
    /// The record of a probe that observed every process for a second and saw nothing: tests add
    /// their evidence to it.
    pub fn empty(probe: &str) -> Self {
        Self {
            probe: probe.into(),
            target: ProbeTarget::Everyone,
            duration_s: 1.0,
            histograms: Vec::new(),
            intervals: Vec::new(),
            tables: Vec::new(),
            folded: Vec::new(),
            losses: ProbeLosses::default(),
            cost: ProbeCost::default(),
            notes: Vec::new(),
            exit: None,
        }
    }
}

impl Schema for ProbeRecord {
    const NAME: &'static str = "perf-lab.probe";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_middle_of_its_bucket() {
        let histogram = ProbeHistogram {
            name: "x".into(),
            thread: None,
            unit: "ns".into(),
            count: 10,
            sum: 0,
            buckets: vec![(1, 1, 9), (32, 33, 1)],
        };
        assert_eq!([0.0, 0.9, 0.91, 1.0].map(|q| histogram.quantile(q).unwrap()), [1, 1, 32, 32]);
        assert_eq!(ProbeHistogram { count: 0, buckets: vec![], ..histogram }.quantile(0.5), None);
    }

    #[test]
    fn a_percentile_has_ten_samples_beyond_it() {
        let of = |count| ProbeHistogram {
            name: "x".into(),
            thread: None,
            unit: "ns".into(),
            count,
            sum: 0,
            buckets: vec![(1, 1, count)],
        };
        assert_eq!([0.5, 0.9].map(|q| of(19).percentile(q)), [None, None]);
        assert_eq!([0.5, 0.9, 0.99].map(|q| of(100).percentile(q)), [Some(1), Some(1), None]);
        assert_eq!(of(1000).percentile(0.99), Some(1));
    }

    #[test]
    fn a_setting_takes_its_listed_values_or_any_required_word() {
        let spec = |name| PROBES.iter().find(|spec| spec.name == name).unwrap();
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert!(spec("profile").check(&[]).is_ok());
        assert!(spec("profile").check(&[set("hz", "99")]).is_ok());
        assert!(spec("profile").check(&[set("hz", "98")]).is_err());
        let path = set("path", "/bin/true");
        assert!(
            spec("funclatency")
                .check(std::slice::from_ref(&path))
                .unwrap_err()
                .contains("function")
        );
        assert!(spec("funclatency").check(&[path, set("function", "main")]).is_ok());
        assert!(spec("funclatency").check(&[set("path", ""), set("function", "f")]).is_err());
    }

    #[test]
    fn a_probe_that_hooks_into_a_program_requires_one() {
        let spec = |name| PROBES.iter().find(|spec| spec.name == name).unwrap();
        assert!(spec("requests").check_target(&ProbeTarget::Everyone).is_err());
        assert!(spec("requests").check_target(&ProbeTarget::Comm("x".into())).is_err());
        assert!(spec("requests").check_target(&ProbeTarget::Pid(1)).is_ok());
        assert!(spec("runqlat").check_target(&ProbeTarget::Everyone).is_ok());
    }

    #[test]
    fn probe_names_are_sorted_and_unique() {
        assert!(PROBES.is_sorted_by(|a, b| a.name < b.name));
    }
}
