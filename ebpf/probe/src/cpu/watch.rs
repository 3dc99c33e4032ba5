//! Observes a target until it ends, time is up or somebody presses Ctrl-C.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::setpriority_process;

use super::events::Events;
use super::records::Intake;
use crate::exit::Exit;
use crate::proc::CpuTime;
use crate::target::{Target, now_ns};

/// How often a quiet target is looked at: its CPU time, the limit, Ctrl-C. Half-full rings wake us earlier.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// As `nice -n -20`.
const HIGHEST_PRIORITY: i32 = -20;

/// What was seen of the target from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    /// How long it was sampled.
    pub(crate) duration: Duration,
    /// When that was over, in nanoseconds on CLOCK_MONOTONIC.
    pub(crate) ended_ns: u64,
    /// The CPU time it took meanwhile.
    pub(crate) cpu: CpuTime,
    /// How it ended, if it was a command.
    pub(crate) exit: Option<Exit>,
}

/// Takes in what the kernel reports until there is no more to come, then collects the exit status.
///
/// When `limit` is over the sampling stops, but a command runs on to its end. Ctrl-C ends a command and leaves a
/// process that is not ours alone; what was sampled is kept.
pub(crate) fn watch(
    target: &mut Target,
    events: &mut Events,
    intake: &mut Intake,
    limit: Option<Duration>,
    interrupted: &AtomicBool,
) -> Result<Observation> {
    hurry();
    let begun = Instant::now();
    let is_over = || limit.is_some_and(|limit| begun.elapsed() >= limit);
    let ended = loop {
        let ended = wait_for_news(target.ended_fd(), events)?;
        intake.drain(events);
        target.note_cpu();
        if ended || is_over() || (interrupted.load(Ordering::Relaxed) && !target.is_ours()) {
            break ended;
        }
        if interrupted.load(Ordering::Relaxed) {
            target.stop();
        }
    };
    let duration = begun.elapsed();
    if !ended {
        events.disable().context("stop sampling")?;
        target.note_cpu();
    }
    let ended_ns = now_ns();
    let status = target.run_to_end(interrupted)?;
    if ended {
        target.note_cpu_of_ended_child();
    }
    // What came between the last look and the stop.
    intake.drain(events);
    Ok(Observation { duration, ended_ns, cpu: target.cpu(), exit: status })
}

/// Goes before others where that is allowed: a ring that is not emptied in time overflows. The target was born before,
/// and has its own turn.
fn hurry() {
    let _ = setpriority_process(None, HIGHEST_PRIORITY);
}

/// Sleeps until a ring is half full, the target has ended or a tick is over; says whether it has ended.
fn wait_for_news(ended: BorrowedFd<'_>, events: &Events) -> Result<bool> {
    let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut fds: Vec<_> = std::iter::once(ended).chain(events.ring_fds()).map(readable).collect();
    match poll(&mut fds, Some(&TICK)) {
        Ok(_) | Err(Errno::INTR) => Ok(!fds[0].revents().is_empty()),
        Err(error) => Err(error).context("wait for samples"),
    }
}
