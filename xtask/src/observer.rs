//! Builds `lab-probe` when a probe is asked for, and finds which probes it can run here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use lab_files::Scratch;
use lab_record::probe::ProbeSpec;
use lab_text::program;

use crate::build;
use crate::doctor::may_load_bpf;
use crate::process::{Captured, Ended, Interrupt, capture};
use crate::workspace::{Workspace, shorten};

/// For observing a lab that describes itself, which takes a moment.
const TRY_DEADLINE: Duration = Duration::from_secs(20);

/// The exit code of a `lab-probe` that cannot run the probe here, and started nothing.
const REFUSED: i32 = 3;

/// Builds `lab-probe` if it is not up to date.
///
/// # Errors
/// The workspace does not have it, or it does not build.
pub(crate) fn build(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    let package = workspace.package("lab-probe").context("this workspace has no lab-probe")?;
    build::build(workspace, package, interrupt)
}

/// The observer, and the probes that cannot run here.
#[derive(Debug)]
pub(crate) struct Choice {
    /// `lab-probe`; `None` if no probe can run.
    pub(crate) program: Option<PathBuf>,
    /// Probes that cannot run here, and why.
    pub(crate) without: BTreeMap<String, String>,
}

/// Refuses, before anything is built for it, a probe that this user may not run.
///
/// # Errors
/// The reason, and what grants it.
pub(crate) fn check_rights(workspace: &Workspace, probe: &ProbeSpec) -> anyhow::Result<()> {
    ensure!(
        may_run(workspace),
        "{} ({}) cannot run: this user may not load BPF programs; it takes root, or once:\n  \
         cargo build --release -p lab-probe\n  \
         sudo setcap cap_bpf,cap_perfmon+ep {target}/release/lab-probe",
        probe.name,
        probe.shows,
        target = shorten(&workspace.target).display()
    );
    Ok(())
}

/// Whether this user may load BPF programs, or a built program may have been granted a capability,
/// which it keeps until it is rebuilt.
fn may_run(workspace: &Workspace) -> bool {
    may_load_bpf() || is_built(workspace)
}

/// Finds which of `probes` can observe `lab`, by trying each while the lab describes itself, before
/// trials are planned. Builds nothing if this user has no rights.
///
/// # Errors
/// `lab-probe` does not build, or fails other than by a refusal.
pub(crate) fn choose(
    probes: &[String],
    lab: &Path,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Choice> {
    if !may_run(workspace) {
        let why = format!(
            "this user may not load BPF programs: `{} probe {}` says what grants it",
            program::name(),
            probes.first().map_or("", String::as_str)
        );
        let without = probes.iter().map(|probe| (probe.clone(), why.clone())).collect();
        return Ok(Choice { program: None, without });
    }
    let program = build(workspace, interrupt)?;
    let scratch = Scratch::new(&workspace.runs(), "observer")?;
    let mut without = BTreeMap::new();
    for probe in probes {
        if let Some(why) = refusal(&program, probe, lab, scratch.path(), interrupt)? {
            without.insert(probe.clone(), why);
        }
    }
    Ok(Choice { program: Some(program), without })
}

/// A line for each reason, with the probes that cannot run for it.
pub(crate) fn notes(without: &BTreeMap<String, String>) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (probe, why) in without {
        by_reason.entry(why).or_default().push(probe);
    }
    let note =
        |(why, probes): (&str, Vec<&str>)| format!("no trials by {}: {why}", probes.join(", "));
    by_reason.into_iter().map(note).collect()
}

fn is_built(workspace: &Workspace) -> bool {
    let package = workspace.package("lab-probe");
    package.is_some_and(|package| package.release_binary(&workspace.target).is_some())
}

/// Why `probe` cannot run here; `None` if it can.
fn refusal(
    program: &Path,
    probe: &str,
    lab: &Path,
    scratch: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<String>> {
    let mut command = Command::new(program);
    command.arg(probe).arg("--out").arg(scratch).arg("--").arg(lab).arg("describe");
    let Captured { ended, stderr, .. } = capture(command, TRY_DEADLINE, interrupt)?;
    let said = stderr.trim().lines().last().unwrap_or("it said nothing");
    match ended {
        ended if ended.well() => Ok(None),
        Ended::Itself(status) if status.code() == Some(REFUSED) => Ok(Some(said.to_owned())),
        ended => bail!("{probe}: lab-probe {ended}: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_with_the_same_missing_need_share_a_line() {
        let without =
            [("opensnoop", "no rights"), ("biosnoop", "no rights"), ("tcplife", "no BTF")];
        let without = without.map(|(probe, why)| (probe.to_owned(), why.to_owned())).into();
        let expected =
            ["no trials by tcplife: no BTF", "no trials by biosnoop, opensnoop: no rights"];
        assert_eq!(notes(&without), expected);
    }
}
