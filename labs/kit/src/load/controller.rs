//! Bounds the number of waiting requests so that the 90th percentile of the time in a server stays
//! at a target.
//!
//! After Welsh and Culler, *Adaptive Overload Control for Busy Internet Servers* (USITS 2003): it
//! does not know the server's capacity, but watches response times and admits more or fewer
//! requests. Their controller changes the rate of admission. A queue is the integral of a rate, so
//! such a controller overshoots. This one changes the length of the queue, to which the time in the
//! server is proportional.

use std::time::Duration;

/// Requests between two decisions.
const SAMPLES: usize = 25;
/// The most that one decision may change the length by, as a factor.
const MOST_CHANGE: f64 = 2.0;
/// The least and the greatest length.
const LENGTHS: [f64; 2] = [1.0, 1e6];

/// The controller of one server's queue.
#[derive(Debug)]
pub struct Controller {
    target: Duration,
    length: f64,
    took: Vec<Duration>,
    /// Whether any request was refused since the last decision.
    has_refused: bool,
}

impl Controller {
    /// A controller that holds the percentile at `target`.
    pub fn new(target: Duration) -> Self {
        let took = Vec::with_capacity(SAMPLES);
        Self { target, length: LENGTHS[0], took, has_refused: false }
    }

    /// Whether one more request may wait when `waiting` do.
    pub fn admits(&mut self, waiting: usize) -> bool {
        let admitted = (waiting as f64) < self.length;
        self.has_refused |= !admitted;
        admitted
    }

    /// A request has been served that spent the time `took` in the server.
    pub fn served(&mut self, took: Duration) {
        self.took.push(took);
        if self.took.len() == SAMPLES {
            self.decide();
        }
    }

    /// Goes half of the way (by ratio) to the length that would have met the target. A length that
    /// caused no refusal did not limit the response, and does not grow.
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

    /// The length that results if the queue is always full and each request takes `each` times its
    /// length.
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
    fn a_length_that_refuses_no_request_does_not_grow() {
        let mut controller = Controller::new(50 * MS);
        for _ in 0..100 * SAMPLES {
            assert!(controller.admits(0));
            controller.served(2 * MS);
        }
        assert_eq!(controller.length, 1.0);
    }
}
