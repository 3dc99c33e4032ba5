//! Threads that spin, and threads that wait and cannot be interrupted: what a load average counts.

use std::io::{self, pipe};
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::Context as _;
use lab_kit::proc::Stat;
use lab_kit::thread::{cpu_time, named, run};
use lab_kit::{Ctx, spin};
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::gettid;

/// How often a spinner looks whether it is over.
const SHORT: Duration = Duration::from_millis(1);

/// The threads of a trial, seen from outside.
#[derive(Debug)]
pub(crate) struct Tasks(Vec<u32>);

impl Tasks {
    /// How many of them are in a state of `/proc/TID/stat`, such as `R` or `D`.
    pub(crate) fn in_state(&self, state: char) -> usize {
        let is = |id: &&u32| Stat::of(**id).is_ok_and(|stat| stat.state == state);
        self.0.iter().filter(is).count()
    }
}

/// Runs the threads that the knobs ask for, and `body` meanwhile. Returns its result, and the CPU
/// time of all threads that wait.
///
/// # Errors
/// A thread cannot be started, or has nothing to wait for.
pub(crate) fn beside<T>(
    ctx: &Ctx,
    body: impl FnOnce(&Tasks) -> T,
) -> anyhow::Result<(T, Duration)> {
    let [spinners, blocked] = ["spinners", "blocked"].map(|knob| ctx.int(knob) as usize);
    let (spin, vfork) = (ctx.text("spinners-do") == "spin", ctx.text("blocked-in") == "vfork");
    let (end, open) = pipe().context("make a pipe")?;
    let (end, open_fd, over) = (&end, open.as_raw_fd(), &AtomicBool::new(false));
    let (told, ids) = channel();
    let threads = (0..spinners + blocked).map(|number| {
        let (told, spins) = (told.clone(), number < spinners);
        named(if spins { "spins" } else { "waits" }, move || {
            let _ = told.send(gettid().as_raw_nonzero().get().unsigned_abs());
            drop(told);
            if spins && spin {
                while !over.load(Relaxed) {
                    spin::cpu(SHORT);
                }
            } else if vfork && !spins {
                wait_for_a_copy(open_fd, end.as_raw_fd()).context("wait for a copy")?;
            } else {
                drop(io::read_to_string(end)?);
            }
            Ok(if spins { Duration::ZERO } else { cpu_time() })
        })
    });
    let threads = threads.collect();
    drop(told);
    let mut done = None;
    let times = run(threads, || {
        done = Some(body(&Tasks(ids.iter().collect())));
        over.store(true, Relaxed);
        drop(open);
    })?;
    Ok((done.expect("it has run"), times.into_iter().sum()))
}

/// Makes a copy of this process that sleeps until the pipe is closed, and waits as after vfork(2):
/// until the copy has ended, the calling thread sleeps uninterruptibly, and only a signal that kills
/// the process ends its sleep. Unlike vfork, the copy has memory of its own.
///
/// # Errors
/// The kernel's, such as for too many processes.
fn wait_for_a_copy(open: RawFd, end: RawFd) -> io::Result<()> {
    let (flags, none): (libc::c_long, libc::c_long) =
        ((libc::CLONE_VFORK | libc::SIGCHLD).into(), 0);
    let mut byte = 0_u8;
    // SAFETY: other threads are running: until it ends, the copy makes system calls only. It writes
    // to its own copy of the byte.
    let pid = unsafe {
        match libc::syscall(libc::SYS_clone, flags, none, none, none, none) {
            0 => {
                // With its own end of the pipe open, it would wait for itself.
                libc::close(open);
                libc::read(end, (&raw mut byte).cast(), 1);
                libc::_exit(0)
            }
            -1 => return Err(io::Error::last_os_error()),
            pid => pid as i32,
        }
    };
    waitpid(Pid::from_raw(pid), WaitOptions::empty())?;
    Ok(())
}
