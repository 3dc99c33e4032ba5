//! Processes that live for a millisecond, for execsnoop; and `ps` once a second, beside them.

use std::collections::HashSet;
use std::io;
use std::process::{self, Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lab_kit::Ctx;
use lab_kit::proc::{Stat, processes};

/// From one child to the next: a hundred a second.
const PACE: Duration = Duration::from_millis(10);

/// A child that may live on.
enum Started {
    /// Another program.
    Program(Child),
    /// A copy of this one, which starts no program.
    Copy(libc::pid_t),
}

/// Starts the children, one at a time unless they are to live longer, and looks for them in /proc.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (count, lifetime, poll) =
        (ctx.int("children"), ctx.duration("lifetime"), ctx.duration("poll"));
    let copies = ctx.text("start") == "fork";
    let (over, told) = channel::<()>();
    let (own, seen, polls) = scope(|scope| -> anyhow::Result<_> {
        let poller = scope.spawn(move || watch(poll, &told));
        let own = start_all(count, lifetime, copies);
        drop(over);
        let (seen, polls) = poller.join().expect("the poller does not panic");
        Ok((own?, seen, polls))
    })?;
    let of_ours = seen.intersection(&own).count();
    ctx.metric("children", own.len() as f64, "count");
    ctx.metric("parent", f64::from(process::id()), "");
    ctx.metric("polls", polls as f64, "count");
    ctx.proportion("seen_by_polling", of_ours as u64, own.len() as u64);
    Ok(())
}

/// The processes that were started and have ended.
fn start_all(count: u64, lifetime: Duration, copies: bool) -> anyhow::Result<HashSet<u32>> {
    let (begun, mut own, mut living) = (Instant::now(), HashSet::new(), Vec::new());
    for turn in 0..count {
        let due = PACE * turn as u32;
        sleep(due.saturating_sub(begun.elapsed()));
        let (pid, child) = start(lifetime, copies)?;
        own.insert(pid);
        if lifetime.is_zero() { child.end()? } else { living.push(child) }
    }
    living.into_iter().try_for_each(Started::end)?;
    ensure!(own.len() as u64 == count, "the kernel gave a process id twice within the trial");
    Ok(own)
}

fn start(lifetime: Duration, copies: bool) -> anyhow::Result<(u32, Started)> {
    if copies {
        let pid = copy(lifetime)?;
        return Ok((pid.unsigned_abs(), Started::Copy(pid)));
    }
    let mut command = if lifetime.is_zero() {
        Command::new("true")
    } else {
        let mut sleeper = Command::new("sleep");
        sleeper.arg(lifetime.as_secs_f64().to_string());
        sleeper
    };
    let child = command.spawn().with_context(|| format!("start {command:?}"))?;
    Ok((child.id(), Started::Program(child)))
}

/// A child that stays this program, sleeps and ends.
fn copy(lifetime: Duration) -> io::Result<libc::pid_t> {
    let time = libc::timespec {
        tv_sec: lifetime.as_secs() as libc::time_t,
        tv_nsec: lifetime.subsec_nanos().into(),
    };
    // SAFETY: other threads are running: until it ends, the child makes system calls only.
    unsafe {
        match libc::fork() {
            0 => {
                libc::nanosleep(&raw const time, std::ptr::null_mut());
                libc::_exit(0)
            }
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(pid),
        }
    }
}

impl Started {
    /// Waits until it has ended; it is an error if it did not succeed.
    fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Program(mut child) => {
                let status = child.wait()?;
                ensure!(status.success(), "a child ended with {status}");
            }
            Self::Copy(pid) => {
                let mut status = 0;
                // SAFETY: the status lives until the call returns.
                let ended = unsafe { libc::waitpid(pid, &raw mut status, 0) };
                ensure!(ended == pid && status == 0, "a copy of this program ended with {status}");
            }
        }
        Ok(())
    }
}

/// Looks once each period, first after half of one, until the sender is gone: the children of this
/// process that it saw, and how often it looked.
fn watch(period: Duration, over: &Receiver<()>) -> (HashSet<u32>, u64) {
    let (mut seen, mut polls, mut next) = (HashSet::new(), 0, period / 2);
    while over.recv_timeout(next) == Err(RecvTimeoutError::Timeout) {
        seen.extend(children());
        polls += 1;
        next = period;
    }
    (seen, polls)
}

/// The child processes as ps finds them: by reading every process's state. One that has ended is
/// missing.
fn children() -> Vec<u32> {
    let ours = |pid: &u32| Stat::of(*pid).is_ok_and(|stat| stat.parent == process::id());
    processes().filter(ours).collect()
}
