//! Chooses the profiler: `lab-probe` where this machine permits it, else pprof.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use lab_files::Scratch;
use lab_record::{Backend, ProfileKind};

use crate::build;
use crate::exit::usage;
use crate::path;
use crate::process::{Captured, Interrupt, capture};
use crate::workspace::Workspace;

/// The program that takes the samples.
const PROBE: &str = "lab-probe";

/// For profiling a program that ends at once.
const TRY_DEADLINE: Duration = Duration::from_secs(20);

/// The profiler that the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profiler {
    /// perf-event where it works here, else pprof
    Auto,
    /// lab-probe, by perf_event_open: kernel frames, and nothing runs in the lab's process
    PerfEvent,
    /// The pprof crate in the lab's process: user frames only
    Pprof,
}

impl From<Backend> for Profiler {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::PerfEvent => Self::PerfEvent,
            Backend::Pprof => Self::Pprof,
            Backend::Allocator => Self::Auto,
        }
    }
}

/// The chosen profiler, and a note for the user.
#[derive(Debug)]
pub(crate) struct Choice {
    /// `None` if none works: then there are no profiles.
    pub(crate) backend: Option<Backend>,
    pub(crate) probe: Option<PathBuf>,
    pub(crate) note: Option<String>,
}

/// Chooses by trying: a refusal must be known before the trials are planned.
///
/// # Errors
/// `perf-event` was asked for and does not work here.
pub(crate) fn choose(
    kind: ProfileKind,
    wanted: Profiler,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Choice> {
    if kind == ProfileKind::Memory {
        return Ok(Choice { backend: Some(Backend::Allocator), probe: None, note: None });
    }
    // pprof's timer does not run while a thread waits.
    let pprof = (kind == ProfileKind::Cpu).then_some(Backend::Pprof);
    let without = |note: Option<String>| Choice { backend: pprof, probe: None, note };
    if wanted == Profiler::Pprof {
        let why = || {
            let kind = kind.name();
            format!("no profiles of {kind}: pprof sees CPU time only, and perf-event {kind} too")
        };
        return Ok(without(pprof.is_none().then(why)));
    }
    match working_probe(kind, workspace, interrupt) {
        Ok(probe) => {
            Ok(Choice { backend: Some(Backend::PerfEvent), probe: Some(probe), note: None })
        }
        Err(error) if interrupt.raised() || wanted == Profiler::PerfEvent => {
            Err(error.context("--profiler perf-event"))
        }
        Err(error) => {
            let instead = match kind {
                ProfileKind::Cpu => "profiles are taken by pprof (user frames only)",
                _ => &format!("no profiles of {}", kind.name()),
            };
            let note = format!("{instead}, since perf-event does not work here: {error:#}");
            Ok(without(Some(note)))
        }
    }
}

/// Builds `lab-probe` and has it sample a program that ends at once.
fn working_probe(
    kind: ProfileKind,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<PathBuf> {
    let probe = build_probe(workspace, interrupt)?;
    let scratch = Scratch::new(&workspace.runs(), "probe")?;
    try_probe(&probe, kind, &scratch.path().join("tried.folded"), interrupt).map(|()| probe)
}

/// Builds `lab-probe` if it is not up to date.
///
/// # Errors
/// The workspace does not have it, or it does not build.
pub(crate) fn build_probe(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    let package = workspace.package(PROBE).context("this workspace has no lab-probe")?;
    build::build(workspace, package, interrupt)
}

/// The installed `lab-probe`, without a workspace: beside this program, else in `PATH`.
///
/// # Errors
/// A usage error if it is not installed.
pub(crate) fn installed_probe() -> anyhow::Result<PathBuf> {
    let beside = env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let beside = beside.map(|folder| folder.join(PROBE)).filter(|program| program.is_file());
    beside.or_else(|| path::programs(&[PROBE]).next()).ok_or_else(|| {
        usage(
            "lab-probe, which takes the samples, is not installed: in a checkout of perf-lab, \
             cargo install --path ebpf/probe",
        )
    })
}

fn try_probe(
    probe: &Path,
    kind: ProfileKind,
    folded: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let mut command = Command::new(probe);
    command.arg(kind.name()).arg("--out").arg(folded).args(["--", "true"]);
    let Captured { ended, stderr, .. } = capture(command, TRY_DEADLINE, interrupt)?;
    if !ended.well() {
        let said: Vec<&str> = stderr.lines().filter(|line| !line.is_empty()).collect();
        // The last two lines: what is refused, and the fix.
        bail!("lab-probe {ended}: {}", said[said.len().saturating_sub(2)..].join("; "));
    }
    if !folded.is_file() {
        bail!("lab-probe left no {}", folded.display());
    }
    Ok(())
}
