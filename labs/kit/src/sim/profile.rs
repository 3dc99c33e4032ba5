//! Open arrivals at a rate that changes over time.

use std::time::Duration;

use anyhow::ensure;
use rand::Rng;

use super::Nanos;
use crate::seed;

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly, at the current rate.
    Even,
    /// As from many independent users: a Poisson process.
    Poisson,
}

/// A rate of arrivals over time: holds, ramps and bursts, one after another.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    pieces: Vec<Piece>,
}

/// A rate that changes linearly from `from` to `to`, in arrivals per nanosecond, over a span in
/// nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Piece {
    from: f64,
    to: f64,
    ns: f64,
}

impl Profile {
    /// A profile of length zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `rate` arrivals a second for `lasts`: a step, if the rate was another before.
    ///
    /// # Errors
    /// The rate is negative or not finite.
    pub fn hold(self, rate: f64, lasts: Duration) -> anyhow::Result<Self> {
        self.ramp(rate, rate, lasts)
    }

    /// Adds a rate that changes linearly from `from` to `to` arrivals a second.
    ///
    /// # Errors
    /// A rate is negative or not finite.
    pub fn ramp(mut self, from: f64, to: f64, lasts: Duration) -> anyhow::Result<Self> {
        for rate in [from, to] {
            ensure!(rate >= 0.0 && rate.is_finite(), "a rate of {rate} arrivals/s");
        }
        self.pieces.push(Piece { from: from / 1e9, to: to / 1e9, ns: lasts.as_nanos() as f64 });
        Ok(self)
    }

    /// Adds, `count` times, `base` arrivals a second for `between` and then `peak` a second for
    /// `burst`.
    ///
    /// # Errors
    /// A rate is negative or not finite.
    pub fn bursts(
        self,
        count: u32,
        (base, between): (f64, Duration),
        (peak, burst): (f64, Duration),
    ) -> anyhow::Result<Self> {
        (0..count).try_fold(self, |profile, _| profile.hold(base, between)?.hold(peak, burst))
    }

    /// The length of the profile.
    pub fn lasts(&self) -> Duration {
        Duration::from_nanos(self.pieces.iter().map(|piece| piece.ns as u64).sum())
    }

    /// The expected number of arrivals in the whole profile.
    pub fn expected(&self) -> f64 {
        self.pieces.iter().map(Piece::expected).sum()
    }

    /// The arrivals of the first `span`, ascending.
    ///
    /// A Poisson process of changing rate is one of rate 1 on a time that runs as fast as the rate
    /// (Çinlar, Introduction to Stochastic Processes, 1975): exact, with one number an arrival.
    ///
    /// # Errors
    /// The profile ends before the span does.
    pub fn starts<R: Rng>(
        &self,
        span: Duration,
        spacing: Spacing,
        mut rng: R,
    ) -> anyhow::Result<impl Iterator<Item = Nanos> + use<R>> {
        let lasts = self.lasts();
        ensure!(
            lasts >= span,
            "the rate profile ends after {lasts:?}, and the trial lasts {span:?}"
        );
        let mut pieces = self.pieces.clone().into_iter();
        let (mut piece, mut began) = (pieces.next(), 0.0);
        // The expected arrivals between the piece's begin and the next arrival.
        let mut due = 0.0;
        let end = span.as_nanos() as f64;
        Ok(std::iter::from_fn(move || {
            due += match spacing {
                Spacing::Even => 1.0,
                Spacing::Poisson => seed::unit_exponential(seed::unit(rng.next_u64())),
            };
            while piece.is_some_and(|piece| piece.expected() < due) {
                due -= piece.map_or(0.0, |piece| piece.expected());
                began += piece.map_or(0.0, |piece| piece.ns);
                piece = pieces.next();
            }
            let at = began + piece?.after(due);
            (at < end).then_some(at as Nanos)
        })
        .fuse())
    }
}

impl Piece {
    fn expected(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.ns
    }

    /// When `count` arrivals are expected, in nanoseconds since the piece began: the solution of
    /// `from·t + slope·t²/2 = count` that stays exact where the slope is 0.
    fn after(&self, count: f64) -> f64 {
        let slope = (self.to - self.from) / self.ns;
        let rate_then = (self.from * self.from + 2.0 * slope * count).max(0.0).sqrt();
        2.0 * count / (self.from + rate_then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn starts(profile: &Profile, spacing: Spacing) -> Vec<Nanos> {
        let rng = seed::rng(1, &[]);
        profile.starts(profile.lasts(), spacing, rng).unwrap().collect()
    }

    /// The number of arrivals in each second.
    fn by_second(starts: &[Nanos]) -> Vec<usize> {
        let last = starts.last().map_or(0, |at| at / 1_000_000_000);
        let of = |second| starts.iter().filter(|at| **at / 1_000_000_000 == second).count();
        (0..=last).map(of).collect()
    }

    #[test]
    fn even_arrivals_follow_steps_ramps_and_bursts() {
        let profile = Profile::new()
            .hold(100.0, SECOND)
            .and_then(|profile| profile.hold(0.0, SECOND))
            .and_then(|profile| profile.ramp(0.0, 200.0, 2 * SECOND))
            .and_then(|profile| profile.ramp(200.0, 0.0, SECOND))
            .and_then(|profile| profile.bursts(2, (10.0, SECOND), (300.0, SECOND)))
            .unwrap();
        assert_eq!((profile.lasts(), profile.expected()), (9 * SECOND, 1_020.0));
        let counts = by_second(&starts(&profile, Spacing::Even));
        let expected = [100, 0, 50, 150, 100, 10, 300, 10, 300];
        // An arrival that is due at the end of a second may count in the next.
        let near = counts.iter().zip(expected).all(|(count, of)| count.abs_diff(of) <= 1);
        assert!(near && counts.len() == expected.len(), "{counts:?}");
    }

    #[test]
    fn a_constant_rate_does_not_drift() {
        let starts = starts(&Profile::new().hold(3.0, 1_000 * SECOND).unwrap(), Spacing::Even);
        assert_eq!((starts.len(), starts[2_998]), (2_999, 999_666_666_666));
    }

    #[test]
    fn poisson_arrivals_come_at_the_rate_with_the_spread_of_their_number() {
        let profile = Profile::new().ramp(2_000.0, 6_000.0, 40 * SECOND).unwrap();
        let counts = by_second(&starts(&profile, Spacing::Poisson));
        // Each count is Poisson: its deviation over the root of its mean is about 1, and so is the
        // mean square of these.
        let mut squares = 0.0;
        for (second, count) in counts.iter().enumerate() {
            let expected = 2_000.0 + 100.0 * (second as f64 + 0.5);
            squares += (*count as f64 - expected).powi(2) / expected;
        }
        let mean_square = squares / 40.0;
        // χ² of 40 degrees of freedom: the mean square has a standard deviation of √(2/40).
        assert!((mean_square - 1.0).abs() < 3.0 * 0.224, "{mean_square}");
    }

    #[test]
    fn a_profile_that_ends_before_the_trial_is_refused() {
        let profile = Profile::new().hold(100.0, 3 * SECOND).unwrap();
        let refused = profile.starts(5 * SECOND, Spacing::Even, seed::rng(1, &[])).map(|_| ());
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("after 3s") && error.contains("lasts 5s"), "{error}");
    }

    #[test]
    fn a_rate_that_is_negative_or_infinite_is_refused_with_its_value() {
        for rate in [-5.0, f64::INFINITY, f64::NAN] {
            let error = Profile::new().ramp(1.0, rate, SECOND).unwrap_err().to_string();
            assert!(error.contains(&format!("rate of {rate}")), "{error}");
        }
    }
}
