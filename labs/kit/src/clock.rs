//! The clock of a trial: real, or simulated and exact.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::task::LocalSet;

/// tokio's paused clock steps in milliseconds. A simulated microsecond is one such step, so that
/// simulated time resolves a microsecond: fine enough for a network, and a year still fits.
const STEPS: u32 = 1_000;

/// Time since a trial began. A copy of it tells the same time everywhere in the trial.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    Live(Instant),
    /// tokio's paused clock, slowed down a thousand times; see [`simulate`].
    Simulated(tokio::time::Instant),
}

impl Clock {
    /// A real clock that begins now.
    pub fn live() -> Self {
        Self::Live(Instant::now())
    }

    /// When the trial began, in nanoseconds of CLOCK_MONOTONIC; `None` in simulated time.
    pub(crate) fn began_ns(self) -> Option<u64> {
        let Self::Live(epoch) = self else { return None };
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
        Some(now.saturating_sub(epoch.elapsed()).as_nanos() as u64)
    }

    /// Time since the trial began. Simulated clocks answer only inside [`simulate`].
    pub fn now(self) -> Duration {
        match self {
            Self::Live(epoch) => epoch.elapsed(),
            Self::Simulated(epoch) => epoch.elapsed() / STEPS,
        }
    }

    /// Waits until the trial is `at` old. In real time tokio rounds up to its next millisecond:
    /// good for a simulated device, useless for pacing (see [`pace`](crate::pace())).
    pub async fn sleep_until(self, at: Duration) {
        match self {
            Self::Live(epoch) => tokio::time::sleep_until((epoch + at).into()).await,
            Self::Simulated(epoch) => tokio::time::sleep_until(epoch + at * STEPS).await,
        }
    }
}

/// Runs `body` in simulated time: it stands still while anything can run, then jumps to the next
/// timer. With seeded choices and `biased` selects, the same program gives the same result.
pub fn simulate<F: Future>(body: impl FnOnce(Clock) -> F) -> anyhow::Result<F::Output> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(LocalSet::new().block_on(&runtime, async {
        let clock = Clock::Simulated(tokio::time::Instant::now());
        body(clock).await
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_began_when_its_clock_was_made_whenever_it_is_asked() {
        let clock = Clock::live();
        let first = clock.began_ns().unwrap();
        std::thread::sleep(Duration::from_millis(30));
        // A thread may lose the CPU between the two readings: far less than it slept.
        assert!(clock.began_ns().unwrap().abs_diff(first) < 15_000_000);
        let simulated = simulate(|clock| async move { clock.began_ns() }).unwrap();
        assert_eq!(simulated, None);
    }

    #[test]
    fn simulated_time_resolves_a_microsecond_and_costs_none() {
        let real = Instant::now();
        let woken = simulate(|clock| async move {
            clock.sleep_until(Duration::from_micros(7)).await;
            let first = clock.now();
            clock.sleep_until(Duration::from_secs(3_600)).await;
            (first, clock.now())
        })
        .unwrap();
        assert_eq!(woken, (Duration::from_micros(7), Duration::from_secs(3_600)));
        assert!(real.elapsed() < Duration::from_secs(60), "an hour passed in less than a minute");
    }
}
