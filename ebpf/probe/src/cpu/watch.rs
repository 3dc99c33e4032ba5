//! Observes a target until it ends, time is up or somebody presses Ctrl-C.

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

/// How often a quiet target is looked at: its CPU time, the limit, Ctrl-C. Half-full rings wake us
/// earlier.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// As `nice -n -20`.
const HIGHEST_PRIORITY: i32 = -20;

/// The target as seen from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    /// How long it was sampled.
    pub(crate) duration: Duration,
    /// When that was over, in nanoseconds on CLOCK_MONOTONIC.
    pub(crate) ended_ns: u64,
    /// The CPU time it took meanwhile, and those of its children that it waited for.
    pub(crate) cpu: CpuTime,
    /// What the events counted.
    pub(crate) counted: Totals,
    /// How it ended, if it was a command.
    pub(crate) exit: Option<Exit>,
}

/// Reads the kernel's records until the target has ended, then collects the exit status.
///
/// It began at `begun`. When `limit` is over the sampling stops, but a command runs on to its end.
/// At Ctrl-C a command is waited for, at the second it is ended; a process that is not ours is left
/// alone. What was sampled is kept.
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
    // What came between the last look and the stop.
    intake.drain(events);
    Ok(Observation { duration, ended_ns, cpu: target.cpu(), counted, exit: status })
}

/// Raises its own priority where that is allowed: a ring that is not emptied in time overflows. The
/// target was started before and keeps its priority.
fn hurry() {
    let _ = setpriority_process(None, HIGHEST_PRIORITY);
}

/// Sleeps until a ring is half full, the target has ended or a tick is over; says whether it has
/// ended.
fn wait_for_news(ended: BorrowedFd<'_>, events: &Events) -> Result<bool> {
    let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut fds: Vec<_> = std::iter::once(ended).chain(events.ring_fds()).map(readable).collect();
    match poll(&mut fds, Some(&TICK)) {
        Ok(_) | Err(Errno::INTR) => Ok(!fds[0].revents().is_empty()),
        Err(error) => Err(error).context("wait for samples"),
    }
}
