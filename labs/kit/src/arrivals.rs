//! When requests are meant to start: arrivals, and the schedules planned from them.

use std::time::Duration;

use rand::Rng;

use crate::seed;

use crate::sim::{Profile, Spacing};

/// How requests arrive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrivals {
    /// Open loop with equal gaps.
    Constant {
        /// Requests a second.
        rate: f64,
    },
    /// Open loop with exponential gaps: many independent users.
    Poisson {
        /// Requests a second, on average.
        rate: f64,
    },
    /// Closed loop: a client's next request starts when its last one has ended. Clients slow down
    /// with their server, which hides what a stall would have done to further users.
    Closed {
        /// How many clients, each with one request at a time.
        clients: u32,
        /// The pause between an answer and the next request.
        think: Duration,
    },
}

/// Intended start times, fixed before the first request is sent, so that nothing that happens
/// later can move them.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Nanoseconds since the trial began, ascending.
    Open(Vec<u64>),
    /// Each start waits for the answer before it.
    Closed {
        /// How many clients, each with one request at a time.
        clients: u32,
        /// No request starts after this.
        until: Duration,
        /// The pause between an answer and the next request.
        think: Duration,
        /// A bound on the number of requests.
        at_most: usize,
    },
}

/// A closed loop's bound on requests: nothing on loopback answers faster.
const CLOSED_PER_SECOND: f64 = 100_000.0;

impl Arrivals {
    /// Plans the starts of all requests in the first `span` of a trial.
    pub fn plan(self, span: Duration, rng: &mut impl Rng) -> Schedule {
        match self {
            Self::Constant { rate } => Schedule::Open(starts(span, || 1e9 / rate)),
            Self::Poisson { rate } => Schedule::Open(starts(span, || {
                seed::unit_exponential(seed::unit(rng.next_u64())) * 1e9 / rate
            })),
            Self::Closed { clients, think } => {
                let at_most = (span.as_secs_f64() * CLOSED_PER_SECOND).ceil() as usize;
                Schedule::Closed { clients, until: span, think, at_most }
            }
        }
    }
}

impl Schedule {
    /// Plans the starts of all requests in the first `span` of a trial whose rate changes over
    /// time: steps, ramps and bursts, in real time as in simulated time.
    ///
    /// # Errors
    /// The profile ends before the span does.
    pub fn follow(
        profile: &Profile,
        span: Duration,
        spacing: Spacing,
        rng: impl Rng,
    ) -> anyhow::Result<Self> {
        Ok(Self::Open(profile.starts(span, spacing, rng)?.collect()))
    }

    /// The most requests that the schedule can start.
    pub fn capacity(&self) -> usize {
        match self {
            Self::Open(starts) => starts.len(),
            Self::Closed { at_most, .. } => *at_most,
        }
    }

    /// The mean time between two starts; none for a closed loop, where it is not known.
    pub fn mean_gap(&self) -> Option<Duration> {
        match self {
            Self::Open(starts) => Some(mean_gap(starts)),
            Self::Closed { .. } => None,
        }
    }
}

/// The mean time between two starts; `Duration::MAX` where there are fewer than two.
pub(crate) fn mean_gap(starts: &[u64]) -> Duration {
    match (starts.first(), starts.last()) {
        (Some(first), Some(last)) if starts.len() > 1 => {
            Duration::from_nanos((last - first) / (starts.len() as u64 - 1))
        }
        _ => Duration::MAX,
    }
}

/// Sums gaps in nanoseconds until they pass `span`. Sums of `f64` gaps stay exact to a nanosecond
/// for a hundred days, where adding rounded gaps would drift by half of one each.
fn starts(span: Duration, mut gap_ns: impl FnMut() -> f64) -> Vec<u64> {
    let end = span.as_nanos() as f64;
    let mut starts = Vec::new();
    let mut at = gap_ns();
    while at < end {
        starts.push(at as u64);
        at += gap_ns();
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(arrivals: Arrivals, seconds: u64) -> Vec<u64> {
        match arrivals.plan(Duration::from_secs(seconds), &mut seed::rng(1, &[])) {
            Schedule::Open(starts) => starts,
            Schedule::Closed { .. } => panic!("open arrivals"),
        }
    }

    #[test]
    fn constant_arrivals_do_not_drift() {
        let starts = open(Arrivals::Constant { rate: 3.0 }, 1_000);
        assert_eq!(starts.len(), 2_999);
        assert_eq!(starts[2_998], 999_666_666_666);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let starts = open(Arrivals::Poisson { rate: 1_000.0 }, 100);
        let count = starts.len() as f64;
        assert!((count - 100_000.0).abs() < 4.0 * 100_000_f64.sqrt(), "{count}");
        let gaps: Vec<f64> = starts.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{}", variance.sqrt() / mean);
    }

    #[test]
    fn a_schedule_follows_the_steps_of_a_profile() {
        let second = Duration::from_secs(1);
        let profile = Profile::new().bursts(2, (10.0, second), (100.0, second)).unwrap();
        let rng = seed::rng(1, &[]);
        let Schedule::Open(starts) =
            Schedule::follow(&profile, 4 * second, Spacing::Even, rng).unwrap()
        else {
            panic!("open arrivals")
        };
        let counts =
            [0, 1, 2, 3].map(|s| starts.iter().filter(|ns| **ns / 1_000_000_000 == s).count());
        let near = counts.iter().zip([10, 100, 10, 100]).all(|(count, of)| count.abs_diff(of) <= 1);
        assert!(near, "{counts:?}");
    }

    #[test]
    fn the_same_seed_plans_the_same_schedule() {
        let arrivals = Arrivals::Poisson { rate: 50.0 };
        let plan = |seed| arrivals.plan(Duration::from_secs(2), &mut seed::rng(seed, &[]));
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }
}
