//! How long the root waits before it hedges, and how often it may hedge.

use std::time::Duration;

use lab_kit::{Series, Timeline};

/// Leaf responses before their percentile is first used, and between two updates of it.
const LOOK_EVERY: u64 = 1_000;

/// The time to wait for a first copy: fixed, or a live percentile of first copies' response times.
#[derive(Debug, Clone)]
pub(crate) enum HedgeDelay {
    /// Always this long.
    Fixed(Duration),
    /// The given quantile of all first copies' response times so far, updated every thousand.
    Live {
        /// Between 0 and 1.
        quantile: f64,
        /// All response times so far.
        seen: Box<Series>,
        /// The number of response times.
        count: u64,
        /// The value of the last update; `None` before the first.
        delay: Option<Duration>,
    },
}

impl HedgeDelay {
    /// Always this long.
    pub(crate) fn fixed(delay: Duration) -> Self {
        Self::Fixed(delay)
    }

    /// A live quantile of first copies' response times.
    pub(crate) fn live(quantile: f64) -> Self {
        let forever = Duration::from_secs(3_600);
        let timeline = Timeline { warmup: Duration::ZERO, measure: forever, interval: forever };
        Self::Live { quantile, seen: Box::new(Series::new(timeline)), count: 0, delay: None }
    }

    /// The current delay; `None` while there are too few response times.
    pub(crate) fn get(&self) -> Option<Duration> {
        match self {
            Self::Fixed(delay) => Some(*delay),
            Self::Live { delay, .. } => *delay,
        }
    }

    /// Records the response time of a first copy, even if a hedge has overtaken it: leaving these
    /// out would shorten the delay, which adds hedges, which would shorten it again.
    pub(crate) fn observe(&mut self, took: Duration) {
        let Self::Live { quantile, seen, count, delay } = self else { return };
        seen.record(Duration::ZERO, took);
        *count += 1;
        if *count % LOOK_EVERY == 0 {
            *delay = Some(Duration::from_nanos(seen.total().value_at_quantile(*quantile)));
        }
    }
}

/// A token bucket: each part of a request earns a share of a token, each hedge costs one.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    share: f64,
    tokens: f64,
}

/// Hedges that may be sent in a burst, for any share.
const BURST: f64 = 100.0;

impl Budget {
    /// Allows hedges for up to `share` of all parts: 0.1 is a tenth. 1 is no bound, since a part is
    /// hedged at most once.
    pub(crate) fn new(share: f64) -> Self {
        let share = if share >= 1.0 { f64::INFINITY } else { share };
        Self { share, tokens: 0.0 }
    }

    /// Earns the share for `parts` parts that were sent.
    pub(crate) fn earn(&mut self, parts: usize) {
        let burst = BURST.max(self.share * parts as f64);
        self.tokens = (self.tokens + self.share * parts as f64).min(burst);
    }

    /// Takes a token if there is one.
    pub(crate) fn spend(&mut self) -> bool {
        // Sums of shares such as 0.1 are slightly below whole numbers.
        let affordable = self.tokens + 1e-9 >= 1.0;
        if affordable {
            self.tokens -= 1.0;
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_delay_waits_for_evidence_and_then_follows_it() {
        let mut delay = HedgeDelay::live(0.95);
        for ms in 1..=999 {
            delay.observe(Duration::from_millis(ms));
        }
        assert_eq!(delay.get(), None);
        delay.observe(Duration::from_millis(1_000));
        let ms = delay.get().unwrap().as_secs_f64() * 1e3;
        assert!((ms - 950.0).abs() <= 1.0, "{ms}");
    }

    #[test]
    fn a_budget_is_spent_once_and_saved_only_up_to_a_burst() {
        let mut budget = Budget::new(0.1);
        assert!(!budget.spend());
        budget.earn(10);
        assert!(budget.spend() && !budget.spend());
        for _ in 0..1_000 {
            budget.earn(100);
        }
        let spent = (0..10_000).filter(|_| budget.spend()).count();
        assert_eq!(spent, 100);
    }
}
