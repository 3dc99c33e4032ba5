//! Whether a client tries again, and when.
//!
//! Its only clock is the `now` that it is given, so that a simulation uses the same policies as a
//! live client.

use std::time::Duration;

use crate::seed;

/// When a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retries {
    /// The most attempts after the first; 0 for no retries.
    pub at_most: u32,
    /// The pause between a timeout or refusal and the next attempt.
    pub after: Duration,
    /// How the pause changes from attempt to attempt.
    pub backoff: Backoff,
    /// What bounds the retries of all requests together.
    pub budget: Budget,
    /// The time on the trial's clock from which on nothing is retried.
    pub until: Duration,
}

/// How the pause between attempts changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Backoff {
    /// It stays the same.
    #[default]
    Constant,
    /// It doubles with each attempt.
    Doubling,
    /// It doubles, and each request waits a random part of it ("full jitter", Brooker, AWS
    /// Architecture Blog, 4 March 2015), drawn from this seed.
    Jittered(u64),
}

/// What bounds the retries of a client.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Budget {
    /// Nothing.
    #[default]
    Unbounded,
    /// A bucket of tokens, full at first: each success adds part of a token, each retry takes one
    /// token (Brooker, "Fixing retries with token buckets and circuit breakers", 2022).
    Tokens {
        /// Tokens that a success adds.
        per_success: f64,
        /// Tokens that the bucket can hold.
        most: f64,
    },
    /// A circuit breaker: no retries while more than this share of the last 100 attempts has
    /// failed.
    Breaker(f64),
}

impl Retries {
    /// Never retries.
    pub const NONE: Self = Self {
        at_most: 0,
        after: Duration::ZERO,
        backoff: Backoff::Constant,
        budget: Budget::Unbounded,
        until: Duration::MAX,
    };
}

impl Default for Retries {
    fn default() -> Self {
        Self::NONE
    }
}

/// What one client knows about its attempts, by which it decides.
#[derive(Debug, Clone)]
pub struct Retrier {
    retries: Retries,
    tokens: f64,
    /// One bit for each of the last attempts, set if it failed; the newest is the lowest bit.
    failed: u128,
    attempts: u32,
}

/// The number of attempts over which a breaker takes the failure rate.
const RECENT: u32 = 100;

impl Retrier {
    /// A client that has made no attempt yet.
    pub fn new(retries: Retries) -> Self {
        let tokens = match retries.budget {
            Budget::Tokens { most, .. } => most,
            Budget::Unbounded | Budget::Breaker(_) => 0.0,
        };
        Self { retries, tokens, failed: 0, attempts: 0 }
    }

    /// An attempt has succeeded.
    #[inline]
    pub fn succeeded(&mut self) {
        self.note(false);
        if let Budget::Tokens { per_success, most } = self.retries.budget {
            self.tokens = (self.tokens + per_success).min(most);
        }
    }

    /// Attempt `attempt` (1 is the first) of request `number` has failed. Returns the pause before
    /// the next attempt, if there is to be one.
    #[inline]
    pub fn failed(&mut self, number: usize, attempt: u32, now: Duration) -> Option<Duration> {
        self.note(true);
        let again = attempt <= self.retries.at_most && now < self.retries.until;
        (again && self.may_retry()).then(|| self.pause(number, attempt))
    }

    fn may_retry(&mut self) -> bool {
        match self.retries.budget {
            Budget::Unbounded => true,
            Budget::Breaker(most) => self.failure_rate() <= most,
            Budget::Tokens { .. } => {
                let has_one = self.tokens >= 1.0;
                self.tokens -= if has_one { 1.0 } else { 0.0 };
                has_one
            }
        }
    }

    fn pause(&self, number: usize, attempt: u32) -> Duration {
        let Retries { after, backoff, .. } = self.retries;
        let doubled = after.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
        match backoff {
            Backoff::Constant => after,
            Backoff::Doubling => doubled,
            Backoff::Jittered(seed) => {
                doubled.mul_f64(seed::uniform(seed, &[number as u64, u64::from(attempt)]))
            }
        }
    }

    fn note(&mut self, failed: bool) {
        self.failed = (self.failed << 1 | u128::from(failed)) & ((1 << RECENT) - 1);
        self.attempts = (self.attempts + 1).min(RECENT);
    }

    fn failure_rate(&self) -> f64 {
        f64::from(self.failed.count_ones()) / f64::from(self.attempts.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The pauses before the attempts of a request that always fails.
    fn pauses(retries: Retries) -> Vec<Duration> {
        let mut retrier = Retrier::new(retries);
        (1..).map_while(|attempt| retrier.failed(7, attempt, Duration::ZERO)).collect()
    }

    #[test]
    fn pauses_stay_the_same_or_double_or_are_a_random_part_of_that() {
        let retries = Retries { at_most: 3, after: 10 * MS, ..Retries::NONE };
        assert_eq!(pauses(retries), [10 * MS; 3]);
        let doubling = Retries { backoff: Backoff::Doubling, ..retries };
        assert_eq!(pauses(doubling), [10 * MS, 20 * MS, 40 * MS]);
        let jittered = pauses(Retries { backoff: Backoff::Jittered(1), ..retries });
        assert!(jittered.iter().zip([10, 20, 40]).all(|(pause, most)| *pause < most * MS));
        assert!(!jittered.contains(&Duration::ZERO) && jittered.len() == 3, "{jittered:?}");
        // No pause overflows, however long.
        let long = Retries { at_most: 200, after: Duration::MAX / 2, ..doubling };
        assert_eq!(pauses(long).len(), 200);
    }

    #[test]
    fn a_bucket_lends_what_it_holds_and_then_what_successes_add() {
        let budget = Budget::Tokens { per_success: 0.25, most: 2.0 };
        let mut retrier = Retrier::new(Retries { at_most: 9, budget, ..Retries::NONE });
        let fails = |retrier: &mut Retrier| retrier.failed(0, 1, Duration::ZERO).is_some();
        assert_eq!([0; 3].map(|_| fails(&mut retrier)), [true, true, false]);
        (0..3).for_each(|_| retrier.succeeded());
        assert!(!fails(&mut retrier), "three quarters are no token");
        (0..4).for_each(|_| retrier.succeeded());
        assert_eq!([0; 2].map(|_| fails(&mut retrier)), [true, false]);
        (0..100).for_each(|_| retrier.succeeded());
        assert_eq!([0; 3].map(|_| fails(&mut retrier)), [true, true, false], "it holds two");
    }

    #[test]
    fn a_breaker_opens_above_its_share_of_failures_and_closes_below() {
        let budget = Budget::Breaker(0.1);
        let mut retrier = Retrier::new(Retries { at_most: 1, budget, ..Retries::NONE });
        assert!(retrier.failed(0, 1, Duration::ZERO).is_none(), "one of one has failed");
        (0..99).for_each(|_| retrier.succeeded());
        let retried = (0..20).filter(|i| retrier.failed(*i, 1, Duration::ZERO).is_some()).count();
        assert_eq!(retried, 10, "from the eleventh of the last hundred on, none");
        (0..100).for_each(|_| retrier.succeeded());
        assert!(retrier.failed(0, 1, Duration::ZERO).is_some());
    }

    #[test]
    fn nothing_is_sent_again_once_retries_are_switched_off() {
        let retries = Retries { at_most: 1, until: 5 * MS, ..Retries::NONE };
        assert!(Retrier::new(retries).failed(0, 1, 4 * MS).is_some());
        assert!(Retrier::new(retries).failed(0, 1, 5 * MS).is_none());
        assert!(pauses(Retries::NONE).is_empty());
    }
}
