//! The machine a run was made on: what a figure means depends on it.

use serde::{Deserialize, Serialize};

use crate::look::Look;
use crate::schema::Schema;

/// `environment.json`. What this machine does not report is `None`, never a guess.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `x86_64`, `aarch64` …
    pub architecture: String,
    /// As `/proc/cpuinfo` names it.
    pub cpu_model: Option<String>,
    /// Logical CPUs that this process may use.
    pub cpus: u64,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// `kvm`, `xen`, `container` … or `none`.
    pub virtualization: Option<String>,
    /// `uname -r`.
    pub kernel: Option<String>,
    /// `CONFIG_HZ`, or what the timers show.
    pub kernel_hz: Option<u64>,
    /// The scaling governor of the first CPU.
    pub governor: Option<String>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub thp: Option<String>,
    /// `tsc`, `kvm-clock` …
    pub clock_source: Option<String>,
    /// The CPU's microcode version.
    pub microcode: Option<String>,
    /// `rustc -V`.
    pub rustc: Option<String>,
    /// Flags that the labs were built with.
    pub rustflags: String,
    /// Cargo profile of the labs.
    pub profile: String,
    /// Cargo features of the lab, as its manifest asks for them by default.
    #[serde(default)]
    pub features: String,
    /// The checkout's commit.
    pub git_revision: Option<String>,
    /// Whether the checkout differs from it.
    pub git_dirty: Option<bool>,
    /// Version of the harness.
    pub harness: String,
    /// The machine's state as the run began.
    pub before: Reading,
    /// And as it ended; `None` in a run that did not end.
    pub after: Option<Reading>,
    /// What the machine did between the two; `None` if it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

/// What the machine was doing at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The 1-minute load average.
    pub load_1m: Option<f64>,
    /// Stolen ticks since boot, all CPUs: the hypervisor ran other machines.
    pub steal_ticks: Option<u64>,
    /// All ticks since boot, all CPUs: steal as a share is a difference of two readings.
    pub total_ticks: Option<u64>,
    /// Share of the last 10 s in which some task waited for a CPU, in percent.
    pub pressure: Pressure,
}

/// `/proc/pressure`: the share of the last 10 s in which some task waited, in percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the resource")]
pub struct Pressure {
    pub cpu_some_avg10: Option<f64>,
    pub memory_some_avg10: Option<f64>,
    pub io_some_avg10: Option<f64>,
}

impl Environment {
    /// Share of all CPU time between the readings that went to other guests.
    pub fn steal_ratio(&self) -> Option<f64> {
        let after = self.after.as_ref()?;
        let steal = after.steal_ticks?.checked_sub(self.before.steal_ticks?)?;
        let total = after.total_ticks?.checked_sub(self.before.total_ticks?)?;
        (total > 0).then(|| steal as f64 / total as f64)
    }
}

impl Schema for Environment {
    const NAME: &'static str = "perf-lab.environment";
}
