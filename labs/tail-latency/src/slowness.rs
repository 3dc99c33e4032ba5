//! The service times of leaves and their other work: all that is random in the lab.
//!
//! Every draw is a function of the seed and its purpose, never of the order of events. So variants
//! of one seed, live or simulated, meet the same slow leaves: only the policy differs.

use std::time::Duration;

use lab_kit::seed;

/// Purposes of draws; each has a stream of its own.
const TYPICAL: u64 = 1;
const SLOW: u64 = 2;
const IS_SHARED: u64 = 3;
const BACKGROUND: u64 = 4;
const PRIMARY: u64 = 5;
pub(crate) const CHORE_GAP: u64 = 6;
pub(crate) const CHORE_TIME: u64 = 7;

/// Cuts off power tails, since a simulation ends.
const LONGEST_MS: f64 = 3_600_000.0;

/// What a draw is for: one copy of one shard's part of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copy {
    /// The trial's seed.
    pub seed: u64,
    /// The request.
    pub id: u64,
    /// The shard.
    pub shard: u32,
    /// The replica.
    pub replica: u8,
}

/// The distribution of a leaf's service time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Service {
    /// Exponential with mean `typical`; `slow` with probability `slow_fraction`. With probability
    /// `correlation` both replicas share the decision to be slow.
    SometimesSlow { typical: Duration, slow: Duration, slow_fraction: f64, correlation: f64 },
    /// A calibrated distribution, in milliseconds; see `distributions`.
    Distribution(fn(Copy) -> f64),
}

impl Service {
    /// The service time of a copy.
    pub(crate) fn time(&self, copy: Copy) -> Duration {
        match *self {
            Self::SometimesSlow { typical, slow, slow_fraction, correlation } => {
                if is_slow(copy, slow_fraction, correlation) {
                    return slow;
                }
                typical.mul_f64(seed::unit_exponential(copy.own(TYPICAL)))
            }
            Self::Distribution(draw) => Duration::from_secs_f64(draw(copy).min(LONGEST_MS) / 1e3),
        }
    }
}

fn is_slow(copy: Copy, slow_fraction: f64, correlation: f64) -> bool {
    let shared = correlation > 0.0 && copy.of_both(IS_SHARED) < correlation;
    let draw = if shared { copy.of_both(SLOW) } else { copy.own(SLOW) };
    draw < slow_fraction
}

impl Copy {
    /// A uniform draw of this copy's own.
    pub(crate) fn own(self, purpose: u64) -> f64 {
        let (shard, replica) = (u64::from(self.shard), u64::from(self.replica));
        seed::uniform(self.seed, &[purpose, self.id, shard, replica])
    }

    /// A draw that both copies of the shard's part share.
    pub(crate) fn of_both(self, purpose: u64) -> f64 {
        seed::uniform(self.seed, &[purpose, self.id, u64::from(self.shard)])
    }

    /// A draw that the whole request shares.
    pub(crate) fn of_request(self, purpose: u64) -> f64 {
        seed::uniform(self.seed, &[purpose, self.id])
    }
}

/// Which replica is asked first.
pub(crate) fn primary(seed: u64, id: u64, shard: u32) -> u8 {
    u8::from(seed::uniform(seed, &[PRIMARY, id, u64::from(shard)]) < 0.5)
}

/// Work that a leaf must do besides answering; nothing starts while it lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Background {
    /// The share of time that it takes.
    pub duty_cycle: f64,
    /// The length of a period; the work comes once in each.
    pub period: Duration,
    /// Whether it comes at the same moment on every leaf, or on each at its own.
    pub synchronized: bool,
}

impl Background {
    /// When the work that is in progress on this leaf at `now` ends; `None` if there is none.
    pub(crate) fn busy_until(&self, seed: u64, leaf: u64, now: Duration) -> Option<Duration> {
        // In whole nanoseconds: a time rounded down could be busy until itself, forever.
        let (now, period) = (now.as_nanos() as u64, self.period.as_nanos() as u64);
        let turn = now / period;
        let whose = if self.synchronized { u64::MAX } else { leaf };
        let draw = seed::uniform(seed, &[BACKGROUND, turn, whose]);
        let takes = (period as f64 * self.duty_cycle) as u64;
        let from = turn * period + ((period - takes) as f64 * draw) as u64;
        let until = from + takes;
        (from..until).contains(&now).then(|| Duration::from_nanos(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn slow_share(correlation: f64, both: bool) -> f64 {
        let service =
            Service::SometimesSlow { typical: MS, slow: 100 * MS, slow_fraction: 0.1, correlation };
        let slow = |id, replica| service.time(Copy { seed: 1, id, shard: 5, replica }) >= 100 * MS;
        let hits = (0..50_000).filter(|id| slow(*id, 0) && (!both || slow(*id, 1))).count();
        hits as f64 / 50_000.0
    }

    #[test]
    fn correlation_moves_how_often_both_are_slow_and_not_how_often_one_is() {
        for (correlation, both) in [(0.0, 0.01), (0.5, 0.055), (1.0, 0.1)] {
            assert!((slow_share(correlation, false) - 0.1).abs() < 0.006, "{correlation}");
            assert!((slow_share(correlation, true) - both).abs() < 0.006, "{correlation}");
        }
    }

    #[test]
    fn background_takes_its_duty_cycle_together_or_apart() {
        for synchronized in [true, false] {
            let background = Background { duty_cycle: 0.02, period: 1_000 * MS, synchronized };
            let busy = |leaf, ms| background.busy_until(1, leaf, MS * ms).is_some();
            let one = (0..100_000).filter(|ms| busy(0, *ms)).count();
            assert!((1_990..=2_010).contains(&one), "{one} of 100,000 ms");
            let again = |ms| background.busy_until(1, 0, background.busy_until(1, 0, MS * ms)?);
            assert!((0..100_000).all(|ms| again(ms).is_none()), "it ends when it says");
            let any = (0..100_000).filter(|ms| (0..20).any(|leaf| busy(leaf, *ms))).count();
            let expected = if synchronized { 2_000.0 } else { 33_239.0 }; // 1 - 0.98^20
            assert!((any as f64 / expected - 1.0).abs() < 0.05, "{any} against {expected}");
        }
    }
}
