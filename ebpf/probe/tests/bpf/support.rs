//! Runs the probes and the programs to observe, and reads what the probes write.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, thread};

use lab_proc::{CpuTicks, cpus, tick};
use lab_record::probe::{ProbeHistogram, ProbeRecord};
use lab_record::read_json;
use lab_record::table::{Cell, Table};
use lab_skip::{Need, skip};
use tempfile::TempDir;

/// The observer.
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_lab-probe");

/// The probe cannot run here.
pub(crate) const EXIT_REFUSED: i32 = 3;

/// A directory of its own for one test, where probes can run.
pub(crate) struct Bench {
    dir: TempDir,
}

impl Bench {
    /// None, and a line that says so, where BPF programs cannot be loaded.
    pub(crate) fn new() -> Option<Self> {
        static REFUSED: OnceLock<Option<String>> = OnceLock::new();
        let refused = REFUSED.get_or_init(|| {
            let output = Self::unchecked().probe("cpudist").args(["--", "true"]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            (output.status.code() == Some(EXIT_REFUSED)).then_some(said)
        });
        if let Some(said) = refused {
            skip(Need::Ebpf, said);
        }
        refused.is_none().then(Self::unchecked)
    }

    /// A directory, without asking what the kernel allows.
    pub(crate) fn unchecked() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `lab-probe NAME`, writing to the directory; what to observe is left to add.
    pub(crate) fn probe(&self, name: &str) -> Command {
        let mut probe = Command::new(PROBE);
        probe.arg(name).arg("--out").arg(self.path());
        probe
    }

    /// Observes a run of `observed`, which must end well; what it printed, and what the probe
    /// wrote.
    pub(crate) fn observe(
        &self,
        name: &str,
        flags: &[&str],
        program: &[&str],
    ) -> (String, ProbeRecord) {
        let output =
            self.probe(name).args(flags).arg("--").arg(observed()).args(program).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        (String::from_utf8(output.stdout).unwrap(), self.record(name))
    }

    /// As above, repeated until nothing is unfinished: the kernels of some virtual machines now and
    /// then report a switch from an idle CPU to no tracer, which the probe counts. `None`, and a
    /// skipped test, after ten runs.
    pub(crate) fn observe_all(
        &self,
        name: &str,
        flags: &[&str],
        program: &[&str],
    ) -> Option<(String, ProbeRecord)> {
        let mut runs = (0..10).map(|_| self.observe(name, flags, program));
        let whole = runs.find(|(_, record)| record.losses.unfinished == 0);
        if whole.is_none() {
            skip(Need::Quiet, format!("this kernel does not report every event to {name}"));
        }
        whole
    }

    /// What the last run of a probe wrote.
    pub(crate) fn record(&self, name: &str) -> ProbeRecord {
        read_json(&self.path().join(name).with_extension("json")).unwrap()
    }

    /// The folded lines of one kind: frames, and microseconds.
    pub(crate) fn folded(&self, kind: &str) -> Vec<(Vec<String>, u64)> {
        let text = fs::read_to_string(self.path().join(kind).with_extension("folded")).unwrap();
        let parse = |line: &str| {
            let (stack, us) = line.rsplit_once(' ').unwrap();
            (stack.split(';').map(str::to_owned).collect(), us.parse().unwrap())
        };
        text.lines().map(parse).collect()
    }
}

/// The program to observe. A plain `cargo test` builds it; one with targets does not,
/// not even with `--examples`, and leaves an old one in place.
pub(crate) fn observed() -> PathBuf {
    let path = Path::new(PROBE).with_file_name("examples").join("observed");
    assert!(path.exists(), "no {}: cargo build -p lab-probe --examples", path.display());
    path
}

/// Starts `observed`, which prints nowhere.
pub(crate) fn start(program: &[&str]) -> std::process::Child {
    Command::new(observed()).args(program).stdout(Stdio::null()).spawn().unwrap()
}

/// The histogram over all threads of this name.
pub(crate) fn histogram<'a>(record: &'a ProbeRecord, name: &str) -> &'a ProbeHistogram {
    let mut all = record.histograms.iter().filter(|h| h.name == name && h.thread.is_none());
    all.next().unwrap_or_else(|| panic!("no histogram {name} in {record:?}"))
}

/// The rows whose cell in this column satisfies `is_it`.
pub(crate) fn rows<'a>(
    record: &'a ProbeRecord,
    column: &str,
    is_it: impl Fn(&Cell) -> bool,
) -> Vec<&'a Vec<Cell>> {
    let table = &record.tables[0];
    let at = position(table, column);
    table.rows.iter().filter(|row| is_it(&row[at])).collect()
}

/// A cell of a row.
pub(crate) fn cell<'a>(record: &ProbeRecord, row: &'a [Cell], column: &str) -> &'a Cell {
    &row[position(&record.tables[0], column)]
}

fn position(table: &Table, column: &str) -> usize {
    table.columns.iter().position(|c| c.name == column).unwrap()
}

/// Whether a cell holds these words.
pub(crate) fn is(words: &str) -> impl Fn(&Cell) -> bool {
    move |cell| matches!(cell, Cell::Text(text) if text == words)
}

/// Fails unless `measured` is within 2 % of `known`.
pub(crate) fn assert_close(measured: u64, known: u64, what: &str) {
    assert_between(measured, [known, known], what);
}

/// Fails unless `measured` is between these, and 2 % on either side.
pub(crate) fn assert_between(measured: u64, [least, most]: [u64; 2], what: &str) {
    let is_close = measured as f64 >= 0.98 * least as f64 && measured as f64 <= 1.02 * most as f64;
    assert!(is_close, "{what}: {measured} for {least} to {most}");
}

/// What a kernel may leave out of the CPU time of threads since this was made, of all CPUs:
/// interrupts, and what the hypervisor stole (`update_rq_clock_task`). A probe's clock counts both.
pub(crate) struct LeftOut {
    before: CpuTicks,
}

impl LeftOut {
    pub(crate) fn since_now() -> Self {
        Self { before: cpus().unwrap() }
    }

    pub(crate) fn ns(&self) -> u64 {
        let CpuTicks { irq, softirq, steal, .. } = cpus().unwrap() - self.before;
        (irq + softirq + steal) * tick().as_nanos() as u64
    }
}

/// Ids of what a process holds in the kernel, by a line of its descriptors' info.
pub(crate) fn held(pid: u32, line: &str) -> Vec<u32> {
    let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
    let texts = infos.filter_map(|info| fs::read_to_string(info.path()).ok());
    let id = |text: String| text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
    texts.filter_map(id).collect()
}

/// Asks again and again for a minute.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a program printed, for the message of a failure.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr))
}
