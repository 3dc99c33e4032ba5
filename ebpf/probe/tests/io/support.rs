//! Runs a probe beside a program, and reads what it writes.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use lab_record::probe::{ProbeHistogram, ProbeLosses, ProbeRecord};
use lab_record::table::{Cell, Table};
use lab_skip::{Need, skip};
use tempfile::TempDir;

const PROBE: &str = env!("CARGO_BIN_EXE_lab-probe");

/// The probe cannot run here.
const EXIT_REFUSED: i32 = 3;

/// A directory of its own for one test, on the disk that the project is built on.
pub(crate) struct Bench(TempDir);

/// What a run left.
pub(crate) struct Seen {
    /// Of the probe.
    pub(crate) record: ProbeRecord,
    /// The figures that the program printed.
    pub(crate) printed: Vec<u64>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file of `bytes` bytes, on its device.
    pub(crate) fn file(&self, bytes: usize) -> PathBuf {
        let path = self.path().join("data");
        fs::write(&path, vec![1; bytes]).unwrap();
        File::open(&path).unwrap().sync_all().unwrap();
        path
    }

    /// Runs `counted` beside a probe, which must see all of it. None, and a line, where the probe
    /// is refused.
    pub(crate) fn run(&self, probe: &[&str], counted: &[&str]) -> Option<Seen> {
        self.seen(probe[0], self.try_run(probe, counted))
    }

    /// What a run of this probe has left. None, and a line, where it was refused.
    pub(crate) fn seen(&self, probe: &str, output: Output) -> Option<Seen> {
        if output.status.code() == Some(EXIT_REFUSED) {
            skip(Need::Ebpf, said(&output));
            return None;
        }
        assert!(output.status.success(), "{}", said(&output));
        let record = self.record(probe);
        let ProbeLosses { stacks, unfinished, .. } = record.losses;
        assert_eq!(record.losses.total() - stacks - unfinished, 0, "{}", said(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed = printed.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        Some(Seen { record, printed })
    }

    /// As above, with all stacks: one falls on the place of another by chance, and other addresses
    /// are another chance.
    pub(crate) fn run_with_stacks(&self, probe: &[&str], counted: &[&str]) -> Option<Seen> {
        for _ in 0..10 {
            let seen = self.run(probe, counted)?;
            if seen.record.losses.stacks == 0 {
                return Some(seen);
            }
        }
        panic!("stacks were lost ten times in a row");
    }

    /// As above, also where it fails.
    pub(crate) fn try_run(&self, probe: &[&str], counted: &[&str]) -> Output {
        self.try_under(&["env"], probe, counted).unwrap()
    }

    /// As above, by a command that is given the probe's, such as `unshare`. None where there is no
    /// such command.
    pub(crate) fn try_under(
        &self,
        under: &[&str],
        probe: &[&str],
        counted: &[&str],
    ) -> Option<Output> {
        let (under, args) = under.split_first().unwrap();
        let mut command = Command::new(under);
        command.args(args).arg(PROBE).args(probe).arg("--out").arg(self.path());
        match command.arg("--").arg(self::counted()).args(counted).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            output => Some(output.unwrap()),
        }
    }
}

impl Bench {
    /// Runs `counted` while a probe observes the whole machine for as long as it was told to.
    pub(crate) fn try_alone(&self, probe: &[&str], counted: &[&str]) -> Output {
        let (name, settings) = probe.split_first().unwrap();
        let mut command = Command::new(PROBE);
        command.arg(name).args(settings).arg("--out").arg(self.path());
        let probe = command.stderr(Stdio::piped()).spawn().unwrap();
        let links = || fs::read_dir(format!("/proc/{}/fdinfo", probe.id())).into_iter().flatten();
        let is_link = |info: fs::DirEntry| {
            fs::read_to_string(info.path()).is_ok_and(|text| text.contains("link_id:"))
        };
        // Two seconds: it ends by itself, and then there is nothing to wait for.
        for _ in 0..200 {
            if links().flatten().any(is_link) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let ran = Command::new(self::counted()).args(counted).output().unwrap();
        assert!(ran.status.success(), "{}", said(&ran));
        probe.wait_with_output().unwrap()
    }

    /// What the last run of a probe wrote.
    pub(crate) fn record(&self, name: &str) -> ProbeRecord {
        lab_record::read_json(&self.path().join(name).with_extension("json")).unwrap()
    }
}

impl Seen {
    /// The one table.
    pub(crate) fn table(&self) -> Rows<'_> {
        assert_eq!(self.record.tables.len(), 1);
        Rows(&self.record.tables[0])
    }

    /// The histogram of this name.
    pub(crate) fn histogram(&self, name: &str) -> &ProbeHistogram {
        self.record.histograms.iter().find(|histogram| histogram.name == name).unwrap()
    }
}

/// The rows of a table, whose cells are found by the names of their columns.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a>(&'a Table);

impl<'a> Rows<'a> {
    /// Its rows.
    pub(crate) fn rows(self) -> impl Iterator<Item = Row<'a>> {
        self.0.rows.iter().map(move |cells| Row { table: self.0, cells })
    }
}

/// A row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    table: &'a Table,
    cells: &'a [Cell],
}

impl<'a> Row<'a> {
    fn cell(self, column: &str) -> &'a Cell {
        let at = self.table.columns.iter().position(|it| it.name == column).unwrap();
        &self.cells[at]
    }

    /// A count.
    pub(crate) fn count(self, column: &str) -> u64 {
        match self.cell(column) {
            Cell::Count(count) => *count,
            other => panic!("{column} is no count: {other:?}"),
        }
    }

    /// Words.
    pub(crate) fn text(self, column: &str) -> &'a str {
        match self.cell(column) {
            Cell::Text(text) => text,
            other => panic!("{column} is no text: {other:?}"),
        }
    }

    /// Any figure.
    pub(crate) fn number(self, column: &str) -> f64 {
        match self.cell(column) {
            Cell::Count(count) => *count as f64,
            Cell::Signed(figure) => *figure as f64,
            Cell::Number(figure) => *figure,
            other @ (Cell::Text(_) | Cell::Words(_)) => {
                panic!("{column} is no figure: {other:?}")
            }
        }
    }
}

/// Drops a file that is on its device from the page cache.
pub(crate) fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    // SAFETY: makes no use of memory.
    let done = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(done, 0);
}

/// At most 2 % apart.
pub(crate) fn assert_near(seen: u64, own: u64) {
    let apart = (seen as f64 / own as f64 - 1.0).abs();
    assert!(apart < 0.02, "{seen} by the probe, {own} by the program itself");
}

/// The program. A plain `cargo test` builds it; one with targets does not,
/// not even with `--examples`, and leaves an old one in place.
pub(crate) fn counted() -> PathBuf {
    let path = Path::new(PROBE).with_file_name("examples").join("counted");
    assert!(path.exists(), "no {}: cargo build -p lab-probe --examples", path.display());
    path
}

/// What a program printed, for the message of a failure.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr))
}
