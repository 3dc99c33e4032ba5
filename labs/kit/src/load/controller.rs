//! How many may wait so that the 90th percentile of the time in a server stays at a target.
//!
//! After Welsh and Culler, *Adaptive Overload Control for Busy Internet Servers* (USITS 2003): it knows
//! nothing of capacity, watches what requests take, and admits more or fewer. Theirs changes the rate
//! of admission. A queue is the integral of a rate, so a controller of rates overshoots, and one of
//! lengths does not: time in the server is proportional to the length of its queue.

use std::time::Duration;

/// Requests between two decisions.
const SAMPLES: usize = 25;
/// The most that one decision may change the length by, as a factor.
const MOST_CHANGE: f64 = 2.0;
/// Lengths beyond which nothing is decided any more.
const LENGTHS: [f64; 2] = [1.0, 1e6];

/// The controller of one server's queue.
#[derive(Debug)]
pub struct Controller {
    target: Duration,
    length: f64,
    took: Vec<Duration>,
    /// Whether the length has kept anybody out since the last decision.
    has_refused: bool,
}

impl Controller {
    /// Holds the percentile at `target`.
    pub fn new(target: Duration) -> Self {
        let took = Vec::with_capacity(SAMPLES);
        Self { target, length: LENGTHS[0], took, has_refused: false }
    }

    /// Whether one more may wait where `waiting` do.
    pub fn admits(&mut self, waiting: usize) -> bool {
        let admitted = (waiting as f64) < self.length;
        self.has_refused |= !admitted;
        admitted
    }

    /// A request has been served that came so long ago.
    pub fn served(&mut self, took: Duration) {
        self.took.push(took);
        if self.took.len() == SAMPLES {
            self.decide();
        }
    }

    /// Half of the way to the length that would have met the target. A length that kept nobody out is
    /// no reason for what was seen, and does not grow.
    fn decide(&mut self) {
        self.took.sort_unstable();
        let percentile = self.took[SAMPLES * 9 / 10].as_secs_f64().max(f64::MIN_POSITIVE);
        let change = (self.target.as_secs_f64() / percentile).sqrt();
        let change = change.clamp(1.0 / MOST_CHANGE, MOST_CHANGE);
        if change < 1.0 || self.has_refused {
            self.length = (self.length * change).clamp(LENGTHS[0], LENGTHS[1]);
        }
        self.took.clear();
        self.has_refused = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What the length comes to where each request takes `each` times the queue that it meets, which is
    /// as long as it may be.
    fn settled(target: Duration, each: Duration) -> f64 {
        let mut controller = Controller::new(target);
        for _ in 0..100 * SAMPLES {
            assert!(!controller.admits(usize::MAX));
            controller.served(each.mul_f64(controller.length));
        }
        controller.length
    }

    #[test]
    fn the_length_becomes_what_can_be_served_within_the_target() {
        let length = settled(50 * MS, 2 * MS);
        assert!((length - 25.0).abs() < 0.5, "{length}");
        assert_eq!(settled(MS, 2 * MS), 1.0, "one may always wait");
        assert!(settled(50 * MS, Duration::ZERO) > 1e5, "and many, where they take no time");
    }

    #[test]
    fn a_length_that_keeps_nobody_out_does_not_grow() {
        let mut controller = Controller::new(50 * MS);
        for _ in 0..100 * SAMPLES {
            assert!(controller.admits(0));
            controller.served(2 * MS);
        }
        assert_eq!(controller.length, 1.0);
    }
}
