//! The clock of a live trial.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Real time since a trial began: `CLOCK_MONOTONIC`. A copy of it tells the same time everywhere in
/// the trial. A simulation has no clock: its [`Agenda`](crate::sim::Agenda) tells the time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    pub fn live() -> Self {
        Self(Instant::now())
    }

    /// When the trial began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) fn began_ns(self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
        now.saturating_sub(self.now()).as_nanos() as u64
    }

    /// Time since the trial began.
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// A duration as the kernel takes it.
pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_trial_does_not_depend_on_when_it_is_asked() {
        let clock = Clock::live();
        let ask = || {
            let asked = Instant::now();
            (clock.began_ns(), asked.elapsed().as_nanos() as u64)
        };
        let (first, took) = ask();
        std::thread::sleep(Duration::from_millis(30));
        let (second, took_again) = ask();
        // The two readings may be apart: the thread may lose its CPU between them.
        assert!(second.abs_diff(first) <= took + took_again, "{first} {second}");
    }
}
