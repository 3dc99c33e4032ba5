//! One metric's judgement from its pair differences, look by look.

use serde::{Deserialize, Serialize};

use crate::method::Gate;
use crate::metric::Difference;
use crate::signed_rank::{self, Interval};

/// What the evidence says about one metric; a worse verdict compares as less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval is above 0 and the estimate at or above the floor.
    Regressed,
    /// The trials have too few requests for this metric.
    TooFew,
    /// None of the others at the last look: the machine was too noisy for the number of pairs.
    Inconclusive,
    /// Of simulated trials: the figure differs exactly, by less than the floor, or nothing says
    /// which way is better.
    Changed,
    /// The interval is below 0 and the estimate at or below minus the floor.
    Improved,
    /// The whole interval lies inside the margin.
    Equivalent,
    /// A burst guard that did not fire. It says nothing more.
    Quiet,
    /// A metric that is only shown, and decides nothing.
    Shown,
    /// Stored runs, one after the other: shown, never judged.
    Advisory,
}

impl Verdict {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Regressed => "regressed",
            Verdict::Improved => "improved",
            Verdict::Equivalent => "equivalent",
            Verdict::TooFew => "too few",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Changed => "changed",
            Verdict::Quiet => "quiet",
            Verdict::Shown => "shown",
            Verdict::Advisory => "advisory",
        }
    }
}

/// What the pairs of one look say about a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The interval of the differences as recorded. Its ends are infinite if bounds leave them
    /// open.
    pub interval: Interval,
    /// The least possible estimate: base values that are only lower bounds count as infinite.
    pub at_least: f64,
    /// The greatest possible estimate: new values that are only lower bounds count as infinite.
    pub at_most: f64,
}

impl From<Interval> for Found {
    /// For differences without bounds.
    fn from(interval: Interval) -> Found {
        Found { interval, at_least: interval.estimate, at_most: interval.estimate }
    }
}

impl Found {
    /// The mirror image: turns a metric of which more is better into one of which less is.
    pub fn mirrored(self) -> Found {
        let Interval { low, estimate, high, level } = self.interval;
        let interval = Interval { low: -high, estimate: -estimate, high: -low, level };
        Found { interval, at_least: -self.at_most, at_most: -self.at_least }
    }
}

/// The decision about a gate at one look, or `None`: take more pairs.
///
/// Floor and margin are symmetric on the log scale: 5 % slower and its inverse are equally far. A
/// decision holds for any values of quantiles within their bounds.
pub fn decide(found: &Found, gate: &Gate) -> Option<Verdict> {
    let floor = gate.floor_ratio.ln_1p();
    let margin = gate.margin_ratio.ln_1p();
    let Interval { low, high, .. } = found.interval;
    if fires(found, gate.floor_ratio) {
        Some(Verdict::Regressed)
    } else if high < 0.0 && found.at_most <= -floor {
        Some(Verdict::Improved)
    } else if low >= -margin && high <= margin {
        Some(Verdict::Equivalent)
    } else {
        None
    }
}

/// Whether a metric is slower by the floor at one look: all that a burst guard asks.
pub fn fires(found: &Found, floor_ratio: f64) -> bool {
    found.interval.low > 0.0 && found.at_least >= floor_ratio.ln_1p()
}

/// Half of the interval's width, as a ratio: 0.08 is "± 8 %"; `None` if an end is open.
pub fn half_width_ratio(found: &Interval) -> Option<f64> {
    let width = found.high - found.low;
    width.is_finite().then(|| (width / 2.0).exp_m1())
}

/// About how many more pairs an undecided gate needs if the noise stays the same: an interval
/// narrows with the root of the pairs, and must come to fit either inside the margin or on one side
/// of 0, whichever is sooner. `None` when nothing would decide: the estimate sits on the margin, or
/// an end is open.
pub fn pairs_needed(found: &Interval, gate: &Gate, pairs: u32) -> Option<u32> {
    let to_margin = gate.margin_ratio.ln_1p() - found.estimate.abs();
    let to_zero =
        if found.estimate.abs() >= gate.floor_ratio.ln_1p() { found.estimate.abs() } else { 0.0 };
    let room = to_margin.max(to_zero);
    let half_width = (found.high - found.low) / 2.0;
    if !half_width.is_finite() {
        return None;
    }
    let all = (f64::from(pairs) * (half_width / room).powi(2)).ceil();
    // Looks are even, and at least one more quad is what "not yet" means.
    (room > 0.0).then(|| (all as u32).saturating_sub(pairs).max(1).next_multiple_of(2))
}

/// The interval of the first `pairs` differences, if that many can have one.
pub fn look(differences: &[f64], pairs: u32, alpha_each: f64) -> Option<Interval> {
    signed_rank::interval(differences.get(..pairs as usize)?, alpha_each)
}

/// The same for differences of which some are only bounds.
pub fn look_at_bounds(differences: &[Difference], alpha_each: f64) -> Option<Found> {
    let of = |value: fn(&Difference) -> f64| {
        let values: Vec<f64> = differences.iter().map(value).collect();
        signed_rank::interval(&values, alpha_each)
    };
    let recorded = of(|d| d.recorded)?;
    if differences.iter().all(|d| d.at_least.is_finite() && d.at_most.is_finite()) {
        return Some(recorded.into());
    }
    let (least, most) = (of(|d| d.at_least)?, of(|d| d.at_most)?);
    let interval = Interval { low: least.low, high: most.high, ..recorded };
    Some(Found { interval, at_least: least.estimate, at_most: most.estimate })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;

    fn interval(low: f64, estimate: f64, high: f64) -> Interval {
        Interval { estimate, low, high, level: 0.98 }
    }

    fn found(low: f64, estimate: f64, high: f64) -> Found {
        interval(low, estimate, high).into()
    }

    #[test]
    fn each_verdict_holds_up_to_its_border() {
        let gate = Gate::of(Metric::P50); // floor 3 %, margin 5 %
        let floor = 0.03_f64.ln_1p();
        let margin = 0.05_f64.ln_1p();
        for (low, estimate, high, verdict) in [
            (0.001, floor, 0.2, Some(Verdict::Regressed)),
            (0.001, floor - 1e-9, 0.2, None),
            (0.0, 0.1, 0.2, None),
            (-0.2, -floor, -0.001, Some(Verdict::Improved)),
            (-0.2, -floor + 1e-9, -0.001, None),
            (-margin, 0.0, margin, Some(Verdict::Equivalent)),
            (-margin, 0.0, margin + 1e-9, None),
            // Above 0, but below the floor.
            (0.01, 0.02, 0.03, Some(Verdict::Equivalent)),
            // Inside the margin, but regressed by more than the floor.
            (0.03, 0.04, 0.045, Some(Verdict::Regressed)),
        ] {
            assert_eq!(
                decide(&found(low, estimate, high), &gate),
                verdict,
                "[{low}, {high}] at {estimate}"
            );
        }
    }

    #[test]
    fn the_guard_fires_upwards_only_and_above_its_floor() {
        let half_as_much_again = 0.5_f64.ln_1p();
        assert!(fires(&found(0.1, half_as_much_again, 1.0), 0.5));
        assert!(!fires(&found(0.1, half_as_much_again - 1e-9, 1.0), 0.5));
        assert!(!fires(&found(-0.1, 0.9, 1.0), 0.5));
        assert!(!fires(&found(-1.0, -0.9, -0.8), 0.5));
    }

    #[test]
    fn pairs_needed_grow_with_the_square_of_the_width() {
        let gate = Gate { metric: Metric::P50, floor_ratio: 0.03, margin_ratio: 0.10 };
        let margin = 0.10_f64.ln_1p();
        // Twice as wide as the margin allows: four times the pairs, three times as many more.
        assert_eq!(pairs_needed(&interval(-2.0 * margin, 0.0, 2.0 * margin), &gate, 24), Some(72));
        // An estimate far out needs only to leave 0.
        assert_eq!(pairs_needed(&interval(-0.2, 0.2, 0.6), &gate, 24), Some(72));
        let gate = Gate { margin_ratio: 0.03, ..gate };
        let on_the_margin = 0.03_f64.ln_1p() - 1e-12;
        assert_eq!(
            pairs_needed(&interval(-0.2, on_the_margin, 0.2), &gate, 24).map(|n| n > 1_000_000),
            Some(true)
        );
    }
}
