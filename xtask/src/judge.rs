//! Judging and summarising a run, complete or interrupted.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lab_record::{Claims, read_json};

use crate::process::{Captured, Interrupt, capture};

/// Long, since a lab judges from files, some of them large.
const DEADLINE: Duration = Duration::from_secs(120);

/// Lets the lab judge its claims from the run in `dir`.
pub(crate) fn judge(lab: &Path, dir: &Path, interrupt: &Interrupt) -> anyhow::Result<Claims> {
    let mut command = Command::new(lab);
    command.arg("judge").arg(dir);
    let Captured { ended, stderr, .. } = capture(command, DEADLINE, interrupt)?;
    ensure!(
        ended.well(),
        "{} judge {} {ended}\n{}",
        lab.display(),
        dir.display(),
        stderr.trim_end()
    );
    claims_of(dir)?.with_context(|| format!("the lab left no claims.json in {}", dir.display()))
}

/// The judged claims of a run, if it was judged.
pub(crate) fn claims_of(dir: &Path) -> anyhow::Result<Option<Claims>> {
    let file = dir.join("claims.json");
    if !file.is_file() {
        return Ok(None);
    }
    Ok(Some(read_json(&file)?))
}
