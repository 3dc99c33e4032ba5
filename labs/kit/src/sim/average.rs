//! Counts over time: their means, weighted by duration, and their values at regular times.

use super::Nanos;

/// A count that changes over time, such as a queue's length, and its mean over time.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeWeighted {
    value: u64,
    from: Nanos,
    since: Nanos,
    area: u128,
}

impl TimeWeighted {
    /// Changes the value by `change`; it does not fall below 0.
    #[inline]
    pub fn add(&mut self, now: Nanos, change: i64) {
        self.set(now, self.value.saturating_add_signed(change));
    }

    /// Changes the value to `value`.
    #[inline]
    pub fn set(&mut self, now: Nanos, value: u64) {
        self.area += u128::from(now - self.since) * u128::from(self.value);
        (self.since, self.value) = (now, value);
    }

    /// The current value.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Its mean up to `now`; 0 before any time has passed.
    pub fn mean(&self, now: Nanos) -> f64 {
        if now == self.from {
            return 0.0;
        }
        let area = self.area + u128::from(now - self.since) * u128::from(self.value);
        area as f64 / (now - self.from) as f64
    }

    /// Leaves the time before `now` out of the mean.
    pub fn forget(&mut self, now: Nanos) {
        (self.from, self.since, self.area) = (now, now, 0);
    }
}

/// A value sampled at regular times.
#[derive(Debug)]
pub(super) struct Sampled {
    every: Nanos,
    end: Nanos,
    next: Nanos,
    /// Time in seconds, and the value after all that happened at that instant.
    pub(super) points: Vec<(f64, f64)>,
}

impl Sampled {
    pub(super) fn new(every: Nanos, end: Nanos) -> Self {
        Self { every: every.max(1), end, next: 0, points: Vec::new() }
    }

    /// Records that the value has been `value` until `now`.
    pub(super) fn until(&mut self, now: Nanos, value: f64) {
        while self.next < now.min(self.end) {
            self.points.push((self.next as f64 / 1e9, value));
            self.next += self.every;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_average_weights_values_by_duration() {
        let mut length = TimeWeighted::default();
        assert_eq!(length.mean(0), 0.0);
        length.add(10, 2);
        length.add(30, 3);
        length.add(40, -5);
        assert_eq!((length.mean(40), length.mean(90)), (90.0 / 40.0, 1.0));
        length.add(90, 4);
        length.forget(100);
        assert_eq!((length.mean(200), length.value()), (4.0, 4));
    }
}
