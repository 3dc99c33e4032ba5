//! Observes a target until it ends, time is up or Ctrl-C is pressed.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::setpriority_process;

use super::events::{Events, Totals};
use super::records::Intake;
use crate::exit::Exit;
use crate::interrupts::Interrupts;
use crate::proc::CpuTime;
use crate::target::{Target, now_ns};

/// How often a quiet target's CPU time, the limit and Ctrl-C are checked. Half-full rings wake the
/// observer earlier.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// As `nice -n -20`.
const HIGHEST_PRIORITY: i32 = -20;

/// The target as seen from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    /// How long it was sampled.
    pub(crate) duration: Duration,
    /// When sampling ended, in nanoseconds on CLOCK_MONOTONIC.
    pub(crate) ended_ns: u64,
    /// The CPU time that it and the children it waited for took meanwhile.
    pub(crate) cpu: CpuTime,
    /// What the events counted.
    pub(crate) counted: Totals,
    /// How it ended, if it was a command.
    pub(crate) exit: Option<Exit>,
}

/// Reads the kernel's records until the target has ended, then collects the exit status.
///
/// Sampling began at `begun`, and stops after `limit`, but a command runs on to its end. A first
/// Ctrl-C waits for a command, a second one ends it; a process that we did not start is left alone.
/// What was sampled is kept.
pub(crate) fn watch(
    target: &mut Target,
    events: &mut Events,
    intake: &mut Intake,
    begun: Instant,
    limit: Option<Duration>,
    interrupts: &Interrupts,
) -> Result<Observation> {
    hurry();
    let is_over = || limit.is_some_and(|limit| begun.elapsed() >= limit);
    let ended = loop {
        let ended = wait_for_news(target.ended_fd(), events)?;
        intake.drain(events);
        target.note_cpu();
        if ended || is_over() || (interrupts.raised() && !target.is_ours()) {
            break ended;
        }
        if interrupts.raised() {
            target.stop(interrupts);
        }
    };
    let duration = begun.elapsed();
    if !ended {
        events.disable().context("stop sampling")?;
        target.note_cpu();
    }
    let ended_ns = now_ns();
    let counted = events.totals().context("read what the events counted")?;
    let status = target.run_to_end(interrupts)?;
    if ended {
        target.note_cpu_of_ended_child();
    }
    // Records that came between the last reading and the stop.
    intake.drain(events);
    Ok(Observation { duration, ended_ns, cpu: target.cpu(), counted, exit: status })
}

/// Raises the observer's priority if allowed: a ring that is not emptied in time overflows. The
/// target was started before and keeps its priority.
fn hurry() {
    let _ = setpriority_process(None, HIGHEST_PRIORITY);
}

/// Sleeps until a ring is half full, the target has ended or a tick is over; returns whether it has
/// ended.
fn wait_for_news(ended: BorrowedFd<'_>, events: &Events) -> Result<bool> {
    let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut fds: Vec<_> = std::iter::once(ended).chain(events.ring_fds()).map(readable).collect();
    match poll(&mut fds, Some(&TICK)) {
        Ok(_) | Err(Errno::INTR) => Ok(!fds[0].revents().is_empty()),
        Err(error) => Err(error).context("wait for samples"),
    }
}
