//! How far each percentile moved between two sides: the shift curve of a scenario.
//!
//! Each pair of trials, which shared its arrivals, gives one difference at each percentile; the
//! curve is their median, with the quartiles around it. Where single trials have too few samples
//! for a percentile, only the pooled histograms of both sides show one, and they are drawn apart.

use std::path::Path;

use anyhow::ensure;
use hdrhistogram::Histogram;
use lab_record::hlog::{self, quantile_ns};
use lab_record::{FinishedTrial, Run};
use lab_stats::quantile_of_sorted;
use lab_verdict::scenario::Scenario;

/// From p10 to p99.9, with this number of points in each factor of ten of 1/(1−p).
const STEPS: u32 = 16;
const FROM: f64 = 0.9;
const TO: f64 = 0.001;

/// Points are (log10(1/(1−p)), change as a ratio: 0.05 is five per cent slower).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shift {
    pub(crate) median: Vec<(f64, f64)>,
    pub(crate) lower: Vec<(f64, f64)>,
    pub(crate) upper: Vec<(f64, f64)>,
    pub(crate) pooled: Vec<(f64, f64)>,
}

/// Reads the trials of a scenario's pairs from the runs of both sides.
///
/// # Errors
/// A run is missing or damaged, or no pair has both of its trials.
pub(crate) fn read(dir: &Path, scenario: &Scenario) -> anyhow::Result<Shift> {
    let (lab, variants) = scenario.name.split_once('/').unwrap_or((&scenario.name, ""));
    let (base, new) = variants.split_once(" → ").unwrap_or((variants, variants));
    let sides =
        [(Run::load(&dir.join("a").join(lab))?, base), (Run::load(&dir.join("b").join(lab))?, new)];
    let mut pairs = Vec::new();
    for pair in &scenario.pairs {
        let [before, after] = sides.each_ref().map(|(run, variant)| trial(run, variant, pair.seed));
        if let (Some(before), Some(after)) = (before, after) {
            pairs.push([before.series("response")?.total(), after.series("response")?.total()]);
        }
    }
    ensure!(!pairs.is_empty(), "no pair of {} has both of its trials on disk", scenario.name);
    Ok(curve(&pairs))
}

fn trial<'a>(run: &'a Run, variant: &str, seed: u64) -> Option<&'a FinishedTrial> {
    run.finished.iter().find(|finished| {
        let trial = &finished.trial;
        trial.is_timed() && trial.variant == variant && trial.seed == seed
    })
}

fn curve(pairs: &[[Histogram<u64>; 2]]) -> Shift {
    let mut pools = [hlog::histogram(), hlog::histogram()];
    for (side, pool) in pools.iter_mut().enumerate() {
        for pair in pairs {
            pool.add(&pair[side]).expect("all logs have the same bounds");
        }
    }
    let mut shift = Shift::default();
    let first = (-FROM.log10() * f64::from(STEPS)).ceil() as u32;
    let last = (-TO.log10() * f64::from(STEPS)).round() as u32;
    let places =
        [-FROM.log10()].into_iter().chain((first..=last).map(|i| f64::from(i) / f64::from(STEPS)));
    for decades in places {
        let at = 1.0 - 10f64.powf(-decades);
        let mut changes: Vec<f64> = pairs.iter().filter_map(|pair| change(pair, at)).collect();
        if changes.len() == pairs.len() {
            changes.sort_by(f64::total_cmp);
            let quantile = |q| quantile_of_sorted(&changes, q).map(|change| (decades, change));
            shift.lower.extend(quantile(0.25));
            shift.median.extend(quantile(0.5));
            shift.upper.extend(quantile(0.75));
        }
        shift.pooled.extend(change(&pools, at).map(|change| (decades, change)));
    }
    shift
}

/// The change of one percentile, where both sides have the samples for it.
fn change(sides: &[Histogram<u64>; 2], at: f64) -> Option<f64> {
    let (base, new) = (quantile_ns(&sides[0], at)?, quantile_ns(&sides[1], at)?);
    (base > 0).then(|| new as f64 / base as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(scale: f64) -> Histogram<u64> {
        let mut filled = hlog::histogram();
        (1..=2_000).for_each(|i| filled.record((f64::from(i) * 1e4 * scale) as u64).unwrap());
        filled
    }

    #[test]
    fn a_uniform_slowness_is_a_level_curve_of_its_size() {
        let pairs =
            [[values(1.0), values(1.1)], [values(1.0), values(1.2)], [values(1.0), values(1.3)]];
        let shift = curve(&pairs);
        for (decades, change) in &shift.median {
            assert!((change - 0.2).abs() < 0.003, "{change} at {decades}");
        }
        assert!((shift.lower[9].1 - 0.15).abs() < 0.003 && (shift.upper[9].1 - 0.25).abs() < 0.003);
        assert!(shift.median.last().unwrap().0 <= 2.302, "2,000 samples do not reach p99.9");
        assert!(shift.pooled.last().unwrap().0 > shift.median.last().unwrap().0);
        assert!((shift.median[0].0 - 0.0458).abs() < 1e-3, "from p10");
    }
}
