//! The directory of a comparison: written once, and recognisable when incomplete.
//!
//! ```text
//! target/perf-lab/comparisons/<utc-time>-<short-id>/
//!   comparison-plan.json   commits, seed, scenarios and looks; the runs below are prepared when it is there
//!   environment.json       of commands: the machine; a lab's is in its runs
//!   a/<lab>/  b/<lab>/   of labs: the runs of the base and of the new side, as `lab` writes them: each can be
//!                        shown, drawn and replayed trial by trial (names of equal length on purpose);
//!                        links, where runs that were there already are compared
//!   flame/<lab>-<variant>/diff.html   what moved, from profiled trials apart
//!   trials.jsonl         a line for each finished trial, in the order in which they ran
//!   comparison.json      the verdict, every pair difference, seed and order; written last, so a
//!                        directory without it belongs to a comparison that did not end
//!   comparison.md junit.xml   the same, rendered
//!   report.html report.md     the same as a page, with shift curves and the frames that moved
//! ```
//!
//! `--resume` continues an interrupted comparison: complete pairs stay as they are, and incomplete
//! ones are measured again, so that no pair spans the interruption. The directory is locked while
//! it is written.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use lab_record::{read_json, write_json};
use lab_verdict::comparison::{Comparison, Kind};
use lab_verdict::order::Side;
use lab_verdict::render;
use lab_verdict::trial::TrialRecord;

use super::plan::{ComparisonPlan, Work};
use crate::exit::usage;
use crate::run_dir::{is_occupied, live_name};
use crate::workspace::shorten;

const PLAN: &str = "comparison-plan.json";

/// A comparison directory that is being written.
pub(super) struct Directory {
    pub(super) path: PathBuf,
    /// Held while the directory is written.
    _lock: File,
}

/// `trials.jsonl`, being written.
pub(super) struct Record {
    file: File,
    /// The number of trials in it.
    pub(super) trials: u64,
}

impl Record {
    /// Adds a finished trial, in one write, so that no reader sees half a line.
    pub(super) fn keep(&mut self, trial: &TrialRecord) -> anyhow::Result<()> {
        let line = format!("{}\n", serde_json::to_string(trial)?);
        self.file.write_all(line.as_bytes()).context("write to trials.jsonl")?;
        self.trials += 1;
        Ok(())
    }
}

impl Directory {
    /// Refuses a directory that holds anything: comparisons must not mix.
    pub(super) fn check_free(out: &Path) -> anyhow::Result<()> {
        let shown = out.display();
        if is_occupied(out) {
            return Err(usage(format!(
                "--out {shown}: the directory is not empty; a comparison that was interrupted goes \
                 on with --resume {shown}"
            )));
        }
        Ok(())
    }

    /// Makes the directory: `out`, or a new one among the `runs`.
    pub(super) fn create(runs: &Path, out: Option<&Path>) -> anyhow::Result<Self> {
        out.map(Self::check_free).transpose()?;
        let path = match out {
            Some(out) => std::path::absolute(out).with_context(|| out.display().to_string())?,
            None => runs.join("comparisons").join(live_name(SystemTime::now())),
        };
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Self::open(path)
    }

    /// Opens the directory of an interrupted comparison.
    ///
    /// # Errors
    /// There is no such comparison, it has ended, or another process is writing it.
    pub(super) fn reopen(path: &Path) -> anyhow::Result<(Self, ComparisonPlan<Work>)> {
        let refused = |why: &str| Err(usage(format!("--resume {}: {why}", path.display())));
        if !path.is_dir() {
            return refused("there is no such directory");
        }
        if path.join("comparison.json").is_file() {
            return refused("this comparison is finished; its verdict is in comparison.json");
        }
        if !path.join(PLAN).is_file() {
            return refused("there is no comparison here: no comparison-plan.json");
        }
        let plan: ComparisonPlan<Work> = read_json(&path.join(PLAN))?;
        if plan.kind == Kind::Aa {
            return refused("it is one of a calibration; --aa makes a new one");
        }
        plan.work.check().with_context(|| path.join(PLAN).display().to_string())?;
        let path = std::path::absolute(path).with_context(|| path.display().to_string())?;
        Ok((Self::open(path)?, plan))
    }

    fn open(path: PathBuf) -> anyhow::Result<Self> {
        let lock = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        ensure!(lock.try_lock().is_ok(), "{}: another runner writes here", path.display());
        Ok(Self { path, _lock: lock })
    }

    /// Writes the plan: after the runs are prepared, and before the first trial.
    pub(super) fn write_plan<W: Clone + Into<Work>>(
        &self,
        plan: &ComparisonPlan<W>,
    ) -> anyhow::Result<()> {
        write_json(&self.path.join(PLAN), &plan.clone().with_work(Into::into))
    }

    /// The directory of a side's run of a lab.
    pub(super) fn run(&self, side: Side, lab: &str) -> PathBuf {
        let side = match side {
            Side::Base => "a",
            Side::New => "b",
        };
        self.path.join(side).join(lab)
    }

    /// The directory of a trial.
    pub(super) fn trial(&self, side: Side, lab: &str, id: &str) -> PathBuf {
        self.run(side, lab).join("trials").join(id)
    }

    /// Begins `trials.jsonl`. A resumed comparison writes its kept trials again.
    pub(super) fn record(&self) -> anyhow::Result<Record> {
        Ok(Record { file: lab_files::begin(&self.path.join("trials.jsonl"))?, trials: 0 })
    }

    /// Writes the results, `comparison.json` last.
    pub(super) fn conclude(&self, comparison: &Comparison, require: bool) -> anyhow::Result<()> {
        let write = |name: &str, text: &str| lab_files::write(&self.path.join(name), text);
        write("comparison.md", &render::markdown(comparison))?;
        write("junit.xml", &render::junit(comparison, require))?;
        write("comparison.json", &comparison.to_json())
    }

    /// Makes the page of a finished comparison. A failure here leaves the verdict intact.
    pub(super) fn write_page(&self) {
        match lab_report::write_comparison(&self.path) {
            Ok(page) => eprintln!("{}", shorten(&page).display()),
            Err(error) => eprintln!("note: no page of this comparison: {error:#}"),
        }
    }
}
