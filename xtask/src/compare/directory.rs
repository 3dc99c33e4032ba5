//! Where a comparison is kept: written once, whole or recognisably not.
//!
//! ```text
//! target/perf-lab/comparisons/<utc-time>-<short-id>/
//!   a/<lab>/  b/<lab>/   the runs of the base and of the new side, as `lab` writes them: each can be
//!                        shown, drawn and replayed trial by trial (names of equal length on purpose);
//!                        links, where runs that were there already are compared
//!   flame/<lab>-<variant>/diff.html   what moved, from profiled trials apart
//!   trials.jsonl         a line for each finished trial, in the order in which they ran
//!   comparison.json      the judgement, every pair difference, seed and order; written last, so a
//!                        directory without it belongs to a comparison that did not end
//!   comparison.md junit.xml   the same, rendered
//!   report.html report.md     the same as a page, with shift curves and the frames that moved
//! ```
//!
//! A comparison is never taken up again: what the machine did in the gap would be in it. What an
//! interrupted one measured can be judged with `--replay DIR/trials.jsonl`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use lab_verdict::comparison::Comparison;
use lab_verdict::order::Side;
use lab_verdict::render;
use lab_verdict::trial::Trial;

use crate::exit::usage;
use crate::run_dir::live_name;
use crate::workspace::Workspace;

/// A comparison directory that is being written.
pub(super) struct Directory {
    pub(super) path: PathBuf,
    trials: File,
}

impl Directory {
    /// Makes the directory: `out`, or a new one beside the runs.
    pub(super) fn create(workspace: &Workspace, out: Option<&Path>) -> anyhow::Result<Self> {
        let path = match out {
            Some(out) if occupied(out) => {
                return Err(usage(format!(
                    "--out {}: the directory is not empty; a comparison is never taken up again",
                    out.display()
                )));
            }
            Some(out) => std::path::absolute(out).with_context(|| out.display().to_string())?,
            None => workspace.runs().join("comparisons").join(live_name(SystemTime::now())),
        };
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        let file = path.join("trials.jsonl");
        let trials = File::create(&file).with_context(|| format!("write {}", file.display()))?;
        Ok(Self { path, trials })
    }

    /// Where a side's run of a lab lies.
    pub(super) fn run(&self, side: Side, lab: &str) -> PathBuf {
        let side = match side {
            Side::Base => "a",
            Side::New => "b",
        };
        self.path.join(side).join(lab)
    }

    /// Keeps a finished trial.
    pub(super) fn keep(&mut self, trial: &Trial) -> anyhow::Result<()> {
        let line = serde_json::to_string(trial)?;
        writeln!(self.trials, "{line}").with_context(|| format!("write to {}", self.path.display()))
    }

    /// Writes the judgement, `comparison.json` last.
    pub(super) fn conclude(&self, comparison: &Comparison, require: bool) -> anyhow::Result<()> {
        let write = |name: &str, text: &str| {
            let path = self.path.join(name);
            let partial = self.path.join(format!("{name}.partial"));
            fs::write(&partial, text)
                .and_then(|()| fs::rename(&partial, &path))
                .with_context(|| format!("write {}", path.display()))
        };
        write("comparison.md", &render::markdown(comparison))?;
        write("junit.xml", &render::junit(comparison, require))?;
        write("comparison.json", &comparison.to_json())
    }

    /// Makes the page of a comparison that is concluded. One that fails costs no verdict.
    pub(super) fn write_page(&self, workspace: &Workspace) {
        match lab_report::write_comparison(&self.path) {
            Ok(page) => eprintln!("{}", workspace.shorten(&page).display()),
            Err(error) => eprintln!("note: no page of this comparison: {error:#}"),
        }
    }
}

fn occupied(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}
