//! Attaches a probe, waits for its target, time or Ctrl-C to end it, and detaches it.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab_probe_common::target::{FROM_EXEC, OBSERVED};
use lab_record::probe::ProbeTarget;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::cost::Stats;
use super::found::Found;
use super::intervals::Intervals;
use super::load::Loaded;
use super::rows::Rows;
use super::{Options, Probe};
use crate::exit::Exit;
use crate::interrupts::Interrupts;
use crate::proc;
use crate::target::Target;

/// How often events are taken off a ring buffer, and Ctrl-C and the clock are checked.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// The target as seen from outside.
pub(crate) struct Observation {
    /// The observed process, even if a thread was named.
    pub(crate) target: ProbeTarget,
    /// How long it was observed.
    pub(crate) duration: Duration,
    /// How it ended, if it was a command.
    pub(crate) exit: Option<Exit>,
    /// Notes, in whole sentences.
    pub(crate) notes: Vec<String>,
}

/// Observes until the target ends, time is up or Ctrl-C is pressed.
///
/// When time is up a command runs on to its end, unobserved. Ctrl-C ends a command and leaves
/// others alone; what was seen is kept.
pub(crate) fn observe(
    loaded: &mut Loaded,
    probe: &Probe,
    options: &Options,
    stats: &mut Stats,
    intervals: &mut Intervals,
    found: &mut Found,
    interrupts: &Interrupts,
) -> Result<Observation> {
    let mut notes = Vec::new();
    // First: a command must not get the file.
    let mut rows = Rows::to(options.rows)?;
    let (mut running, named) = begin(loaded, &options.target, &mut notes)?;
    let begun = Instant::now();
    loop {
        let ended = sleep(running.as_ref())?;
        (probe.drain)(loaded, found)?;
        rows.write(found);
        loaded.tick();
        stats.tick(loaded)?;
        intervals.tick(loaded, begun.elapsed())?;
        let stop = interrupts.raised();
        if ended || options.duration.is_some_and(|limit| begun.elapsed() >= limit) {
            break;
        }
        match &mut running {
            Some(target) if stop && target.is_ours() => target.stop(interrupts),
            _ if stop => break,
            _ => {}
        }
    }
    run_on_every_cpu();
    loaded.detach();
    let duration = begun.elapsed();
    (probe.drain)(loaded, found)?;
    rows.write(found);
    drop(rows);
    intervals.end(loaded, duration)?;
    let exit = running.as_mut().map(|target| target.run_to_end(interrupts)).transpose()?.flatten();
    Ok(Observation { target: named, duration, exit, notes })
}

/// Attaches the program, and starts the command. Running processes are observed from here on.
fn begin(
    loaded: &mut Loaded,
    target: &ProbeTarget,
    notes: &mut Vec<String>,
) -> Result<(Option<Target>, ProbeTarget)> {
    match target {
        ProbeTarget::Everyone | ProbeTarget::Comm(_) => {
            loaded.attach(target)?;
            Ok((None, target.clone()))
        }
        ProbeTarget::Pid(id) => {
            let pid = proc::process_of(*id)?;
            if pid != *id {
                notes.push(format!("{id} is a thread: its process {pid} was observed"));
            }
            let running = Target::running(pid)?;
            loaded.family()?.insert(pid, OBSERVED, 0)?;
            loaded.attach(&ProbeTarget::Pid(pid))?;
            Ok((Some(running), ProbeTarget::Pid(pid)))
        }
        ProbeTarget::Command(words) => {
            loaded.attach(target)?;
            let command: Vec<OsString> = words.iter().map(OsString::from).collect();
            let mut family = loaded.family()?;
            let observe =
                |pid| family.insert(pid, FROM_EXEC, 0).context("tell the program what to observe");
            Ok((Some(Target::launch(&command, observe)?), target.clone()))
        }
    }
}

/// Runs on each CPU that this process may use, one after another.
///
/// The kernel says that a process has ended a moment before its last thread is switched out. Where
/// this thread runs, that thread has been: its last stretch, which may be long, is in the figures.
fn run_on_every_cpu() {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)) {
        let mut one = CpuSet::new();
        one.set(cpu);
        // One that went offline has nothing to switch out.
        let _ = sched_setaffinity(None, &one);
    }
    let _ = sched_setaffinity(None, &allowed);
}

/// Sleeps a tick, or until the target has ended; returns whether it has.
fn sleep(target: Option<&Target>) -> Result<bool> {
    let ended = target.map(|target| PollFd::from_borrowed_fd(target.ended_fd(), PollFlags::IN));
    let mut fds: Vec<_> = ended.into_iter().collect();
    match poll(&mut fds, Some(&TICK)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error).context("wait for the target"),
    }
}
