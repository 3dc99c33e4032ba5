//! Wakes a task at a moment to the microsecond: tokio's own timers count milliseconds.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::Context as _;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A kernel timer.
#[derive(Debug)]
pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// The kernel has no more timers for this process.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).context("make a timer")?;
        // SAFETY: an `OwnedFd` has the same open descriptor until it is dropped, which `AsyncFd` does.
        let watched = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
        Ok(Self(watched.context("watch a timer")?))
    }

    /// Sleeps for this long, which is more than zero: zero would disarm it.
    ///
    /// # Errors
    /// The timer cannot be set or read.
    pub(crate) async fn sleep(&self, time: Duration) -> anyhow::Result<()> {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        let once = Itimerspec { it_interval: zero, it_value: at };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)
            .context("set a timer")?;
        let mut ready = self.0.readable().await.context("wait for a timer")?;
        rustix::io::read(self.0.get_ref(), &mut [0; 8]).context("read a timer")?;
        ready.clear_ready();
        Ok(())
    }
}
