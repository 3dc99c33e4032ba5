//! `lab-probe` with its BPF programs, built when a probe is asked for.
//!
//! It is built beside the other, not over it: so a capability that was granted to the file stays until it is built
//! anew, and a profile of the same moment does not find the one in place of the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::build;
use crate::process::{Captured, Ended, Interrupt, capture};
use crate::workspace::Workspace;

/// An observation of a lab that describes itself, which takes a moment.
const TRY_DEADLINE: Duration = Duration::from_secs(20);

/// `lab-probe` cannot run the probe here, and started nothing.
const REFUSED: i32 = 3;

/// Builds it where it is not up to date.
///
/// # Errors
/// The workspace has none, or it does not build.
pub(crate) fn build(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    let package = workspace.package("lab-probe").context("this workspace has no lab-probe")?;
    let target = workspace.target.join("ebpf");
    build::build_apart(workspace, package, &["ebpf"], &target, interrupt)
}

/// Those of `probes` that can observe the lab here, by trying each on it while it describes itself. Each other one is a
/// note that says what is missing.
pub(crate) fn able(
    observer: &Path,
    lab: &Path,
    probes: &[String],
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<String>> {
    let scratch = workspace.runs().join(format!(".observer-{}", process::id()));
    let mut able = Vec::new();
    for probe in probes {
        let mut command = Command::new(observer);
        command.arg(probe).arg("--out").arg(&scratch).arg("--").arg(lab).arg("describe");
        let Captured { ended, stderr, .. } = capture(command, TRY_DEADLINE, interrupt)?;
        let said = stderr.trim().lines().last().unwrap_or("it said nothing").to_owned();
        match ended {
            ended if ended.well() => able.push(probe.clone()),
            Ended::Itself(status) if status.code() == Some(REFUSED) => {
                eprintln!("note: no trials by {probe}: {said}");
            }
            ended => bail!("{probe}: lab-probe {ended}: {said}"),
        }
    }
    fs::remove_dir_all(&scratch).or_else(|error| match error.kind() {
        // Nobody wrote anything.
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error).with_context(|| format!("remove {}", scratch.display())),
    })?;
    Ok(able)
}
