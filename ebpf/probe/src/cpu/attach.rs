//! Opens perf events on a process that runs already, thread by thread.

use std::collections::HashSet;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::changes::{Change, What};
use super::events::{Events, Scope};
use crate::target::{Target, now_ns};

/// How often threads born during attaching are looked for. Children of threads that have events
/// inherit these.
const ATTACH_ROUNDS: usize = 16;

/// Attaches `events` to every thread of process `pid`, and returns its present state.
pub(crate) fn attach(pid: u32, events: &mut Events) -> Result<(Target, Vec<Change>)> {
    let mut target = Target::running(pid)?;
    allow_many_files();
    let names = observe_threads(pid, events)?;
    let time_ns = now_ns();
    target.begin();
    events.enable().context("start sampling")?;
    // Read after the events have started, since these report all later changes.
    let mappings = lab_proc::executable_mappings(pid)
        .with_context(|| format!("read the memory map of process {pid}"))?;
    let maps = mappings.into_iter().map(|mapping| What::Map { pid, mapping });
    let state = names.into_iter().chain(maps).map(|what| Change { time_ns, what });
    Ok((target, state.collect()))
}

/// An event on each CPU for each thread soon exceeds the usual 1,024 open files. If the limit
/// cannot be raised, opening the events fails with an error.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Opens events on the threads of process `pid`, and on those born meanwhile, and returns their
/// names.
fn observe_threads(pid: u32, events: &mut Events) -> Result<Vec<What>> {
    let (mut seen, mut names) = (HashSet::new(), Vec::new());
    for _ in 0..ATTACH_ROUNDS {
        let mut threads =
            lab_proc::threads(pid).with_context(|| format!("list the threads of process {pid}"))?;
        threads.retain(|(tid, _)| seen.insert(*tid));
        if threads.is_empty() {
            break;
        }
        for (tid, name) in threads {
            observe_thread(tid, pid, events)?;
            names.push(What::Name { tid, name });
        }
    }
    Ok(names)
}

/// Opens events on a thread. One that has ended meanwhile is no error.
fn observe_thread(tid: u32, pid: u32, events: &mut Events) -> Result<()> {
    match events.observe(tid, Scope::ThisProcess) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM)) => {
            bail!("not allowed to observe process {pid}: be its owner, or root")
        }
        other => {
            other.with_context(|| format!("open perf events on thread {tid} of process {pid}"))
        }
    }
}
