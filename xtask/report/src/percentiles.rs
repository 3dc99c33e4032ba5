//! A histogram as the points of a percentile plot: even steps on the scale 1/(1−p).

use hdrhistogram::Histogram;
use lab_record::SeriesFacts;
use lab_record::hlog::SAMPLES_BEYOND;
use serde::Serialize;

/// Points in each factor of ten of 1/(1−p): from p90 to p99, say.
pub(crate) const STEPS: u32 = 24;

/// The quantiles of one series, at `1 - 10^(-i/STEPS)` for i = 0, 1, 2 …
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    /// Samples behind them.
    pub(crate) count: u64,
    /// Nanoseconds; the first is the minimum.
    pub(crate) ns: Vec<u64>,
    /// How many of the points have at least ten samples beyond them: the rest is drawn as doubtful.
    pub(crate) sure: usize,
    /// The first point that is only a lower bound, as requests beyond it were never answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bound_from: Option<usize>,
    /// The exact maximum, which stands at `1 - 1/count`.
    pub(crate) max_ns: u64,
}

/// The quantiles of a histogram; `None` where it is empty.
pub(crate) fn quantiles(histogram: &Histogram<u64>, facts: &SeriesFacts) -> Option<Quantiles> {
    let count = histogram.len();
    if count == 0 {
        return None;
    }
    let last = ((count as f64).log10() * f64::from(STEPS)).floor() as u32;
    let at = |step: u32| 1.0 - beyond(step);
    // The same half-sample of grace as in `hlog::quantile_ns`.
    let sure = |step: &u32| count as f64 * beyond(*step) + 1e-6 >= SAMPLES_BEYOND;
    let ns: Vec<u64> = histogram.value_at_quantiles((0..=last).map(at)).collect();
    let bound_from = ns.iter().position(|ns| facts.is_bound(*ns));
    let sure = (0..=last).take_while(sure).count();
    Some(Quantiles {
        count,
        sure: sure.min(bound_from.unwrap_or(sure)),
        ns,
        bound_from,
        max_ns: facts.max_ns,
    })
}

/// The share of samples above the quantile of a step.
fn beyond(step: u32) -> f64 {
    10f64.powf(-f64::from(step) / f64::from(STEPS))
}

#[cfg(test)]
mod tests {
    use lab_record::hlog::histogram;

    use super::*;

    fn up_to(max_ns: u64) -> SeriesFacts {
        SeriesFacts { max_ns, ..SeriesFacts::default() }
    }

    #[test]
    fn points_from_the_first_unanswered_request_on_are_bounds() {
        let mut values = histogram();
        (1..=1_000).for_each(|value| values.record(value * 1_000).unwrap());
        let facts =
            SeriesFacts { censored: 1, censored_from_ns: Some(900_000), ..up_to(1_000_000) };
        let found = quantiles(&values, &facts).unwrap();
        assert_eq!(found.bound_from, Some(STEPS as usize), "the p90");
        assert_eq!(found.sure, STEPS as usize, "a bound is not drawn as if it were known");
    }

    #[test]
    fn a_decade_of_the_scale_has_equal_steps() {
        let mut values = histogram();
        for value in 1..=1_000 {
            values.record(value * 1_000).unwrap();
        }
        let found = quantiles(&values, &up_to(1_000_000)).unwrap();
        assert_eq!(found.ns.len() as u32, 3 * STEPS + 1);
        let near = |ns: u64, wanted: f64| assert!((ns as f64 / wanted - 1.0).abs() < 2e-3, "{ns}");
        near(found.ns[STEPS as usize], 900e3);
        near(found.ns[2 * STEPS as usize], 990e3);
        assert_eq!(found.sure as u32, 2 * STEPS + 1, "ten samples lie beyond p99, not further");
    }

    #[test]
    fn one_sample_is_one_point_and_none_is_none() {
        let mut values = histogram();
        assert_eq!(quantiles(&values, &up_to(0)), None);
        values.record(5).unwrap();
        let one = quantiles(&values, &up_to(5)).unwrap();
        assert_eq!((one.ns, one.sure, one.count), (vec![5], 0, 1));
    }
}
