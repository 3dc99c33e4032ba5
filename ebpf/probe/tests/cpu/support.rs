//! Runs the sampler and the workload, and reads what the sampler writes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, thread};

use lab_skip::{Need, skip};
use serde_json::Value;
use tempfile::TempDir;

/// The sampler.
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_lab-probe");

/// The kernel refuses perf events here.
const EXIT_REFUSED: i32 = 3;

/// A directory of its own for one test, where samples can be taken.
pub(crate) struct Bench {
    dir: TempDir,
}

impl Bench {
    /// None, and a line that says so, where the kernel refuses perf events.
    pub(crate) fn new() -> Option<Self> {
        static REFUSED: OnceLock<bool> = OnceLock::new();
        let refused = *REFUSED.get_or_init(|| {
            let status = Self::unchecked().probe(99).args(["--", "true"]).output().unwrap().status;
            status.code() == Some(EXIT_REFUSED)
        });
        if refused {
            skip(Need::Perf, "the kernel refuses perf events here");
        }
        (!refused).then(Self::unchecked)
    }

    /// A directory, without asking what the kernel allows.
    pub(crate) fn unchecked() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `lab-probe cpu` at this rate, writing to the directory; what to observe is left to add.
    pub(crate) fn probe(&self, hz: u32) -> Command {
        let mut probe = Command::new(PROBE);
        probe.args(["cpu", "--hz", &hz.to_string(), "--out"]).arg(self.path().join("cpu.folded"));
        probe
    }

    /// Samples a run of the workload, which must end well.
    pub(crate) fn sample<S: AsRef<OsStr>>(
        &self,
        hz: u32,
        workload: impl IntoIterator<Item = S>,
    ) -> Profile {
        let output =
            self.probe(hz).arg("--").arg(self::workload()).args(workload).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        self.profile()
    }

    /// What the last run wrote.
    pub(crate) fn profile(&self) -> Profile {
        self.profile_of("cpu")
    }

    /// What the last run of this kind wrote.
    pub(crate) fn profile_of(&self, kind: &str) -> Profile {
        let file = |extension| self.path().join(kind).with_extension(extension);
        let folded = fs::read_to_string(file("folded")).unwrap();
        let quality = fs::read(file("json")).unwrap();
        Profile {
            stacks: folded.lines().map(parse).collect(),
            quality: serde_json::from_slice(&quality).unwrap(),
        }
    }

    /// Whether any run has left a profile.
    pub(crate) fn has_profile(&self) -> bool {
        let files = ["cpu.folded", "cpu.json", "off-cpu.folded", "off-cpu.json"];
        files.iter().any(|name| self.path().join(name).exists())
    }
}

/// Asks again and again for ten seconds.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it never came");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The command that an observer has started.
pub(crate) fn command_of(observer: u32) -> u32 {
    let path = format!("/proc/{observer}/task/{observer}/children");
    wait_for(|| fs::read_to_string(&path).unwrap().split_whitespace().next()?.parse().ok())
}

/// Waits until a program of this name has used this much CPU time; before it runs the command has
/// the observer's name.
pub(crate) fn wait_until_it_ran(pid: u32, program: &str, time: Duration) {
    let runs = || lab_proc::Stat::of(pid).unwrap().name == program;
    wait_for(|| (runs() && ran(pid) >= time).then_some(()));
}

/// The CPU time that a process has used.
pub(crate) fn ran(pid: u32) -> Duration {
    let stat = lab_proc::Stat::of(pid).unwrap();
    lab_proc::tick() * (stat.user + stat.system) as u32
}

/// Waits until an observer has its events and waits for samples.
pub(crate) fn wait_until_it_observes(observer: u32) {
    wait_for(|| {
        let files = fs::read_dir(format!("/proc/{observer}/fd")).unwrap().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        let has_events = links.any(|link| link == Path::new("anon_inode:[perf_event]"));
        (has_events && lab_proc::Stat::of(observer).unwrap().state == 'S').then_some(())
    });
}

/// The program to sample.
pub(crate) fn workload() -> PathBuf {
    example("workload")
}

/// One of the programs to sample. A plain `cargo test` builds them; one with targets does not,
/// not even with `--examples`, and leaves an old one in place.
pub(crate) fn example(name: &str) -> PathBuf {
    let path = Path::new(PROBE).with_file_name("examples").join(name);
    assert!(path.exists(), "no {}: cargo build -p lab-probe --examples", path.display());
    path
}

/// What a program printed, for the message of a failure.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What a run wrote.
pub(crate) struct Profile {
    /// Frames, from the thread's name to the leaf, and their samples or microseconds.
    pub(crate) stacks: Vec<(Vec<String>, u64)>,
    /// The quality file.
    pub(crate) quality: Value,
}

impl Profile {
    /// A figure of the quality file.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        self.quality[name]
            .as_f64()
            .unwrap_or_else(|| panic!("no figure {name} in {}", self.quality))
    }

    /// Samples with a frame that `is_it`.
    pub(crate) fn samples_with(&self, is_it: impl Fn(&str) -> bool) -> u64 {
        let counts =
            self.stacks.iter().filter(|(frames, _)| frames.iter().any(|frame| is_it(frame)));
        counts.map(|(_, count)| count).sum()
    }

    /// All notes, as one text.
    pub(crate) fn notes(&self) -> String {
        self.quality["notes"].to_string()
    }
}

fn parse(line: &str) -> (Vec<String>, u64) {
    let (stack, count) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no count: {line}"));
    (stack.split(';').map(str::to_owned).collect(), count.parse().unwrap())
}
