//! Two stored runs side by side: the table, and never a verdict.
//!
//! Runs made one after the other differ by what the machine did in between: when judged as if
//! interleaved, equal sides were called different in 23 of 100 comparisons, and more trials do not
//! help. So there is no interval here either.

use std::collections::BTreeSet;

use lab_stats::median;

use crate::answered::Answered;
use crate::comparable::only_in;
use crate::comparison::{Comparison, Kind, SideName};
use crate::looks::{Looks, LooksError};
use crate::method::Method;
use crate::metric::{GATES, GUARDS, Metric};
use crate::scenario::{MetricResult, Scenario, fewest};
use crate::trial::TrialRecord;
use crate::verdict::Verdict;

/// Shows every scenario that both runs have trials of, and names the others.
///
/// # Errors
/// The method cannot be planned. It is only recorded, not used.
pub fn advise(
    sides: (SideName, SideName),
    base: &[TrialRecord],
    new: &[TrialRecord],
    method: &Method,
) -> Result<Comparison, LooksError> {
    let names = |trials: &[TrialRecord]| -> BTreeSet<String> {
        trials.iter().filter_map(|t| t.scenario.clone()).collect()
    };
    let (of_base, of_new) = (names(base), names(new));
    let only = [("base", &of_base - &of_new), ("new", &of_new - &of_base)];
    let common: Vec<String> = of_base.intersection(&of_new).cloned().collect();
    let looks: Looks = method.looks(1)?;
    let of = |trials: &[TrialRecord], name: &str| -> Vec<TrialRecord> {
        trials.iter().filter(|t| t.scenario.as_deref() == Some(name)).cloned().collect()
    };
    let names = (sides.0.name.as_str(), sides.1.name.as_str());
    let scenarios =
        common.iter().map(|name| scenario(name, names, &of(base, name), &of(new, name))).collect();
    let mut comparison = Comparison::new(Kind::Advisory, sides, method.clone(), looks, scenarios);
    comparison.warnings = only.iter().filter_map(|(side, names)| only_in(side, names)).collect();
    Ok(comparison)
}

fn scenario(
    name: &str,
    sides: (&str, &str),
    base: &[TrialRecord],
    new: &[TrialRecord],
) -> Scenario {
    let rows = |metrics: [Metric; 2]| metrics.map(|metric| row(metric, base, new)).to_vec();
    Scenario {
        name: name.to_owned(),
        base: sides.0.to_owned(),
        new: sides.1.to_owned(),
        verdict: Some(Verdict::Advisory),
        invalid_reasons: vec![],
        disturbed_pairs: vec![],
        judged_pairs: 0,
        unused_pairs: 0,
        answered: Some(Answered::count(base, new)),
        next_look: None,
        metrics: rows(GATES),
        guards: rows(GUARDS),
        shown: vec![],
        limits: vec![],
        pairs: vec![],
        moved_frames: None,
        exact: None,
    }
}

fn row(metric: Metric, base: &[TrialRecord], new: &[TrialRecord]) -> MetricResult {
    let of = |trials: &[TrialRecord]| {
        let values = trials.iter().map(|trial| metric.value(trial));
        median(values.collect::<Option<Vec<f64>>>()?)
    };
    let (base_value, new_value) = (of(base), of(new));
    let is_bound = |trials: &[TrialRecord]| {
        trials.iter().any(|trial| {
            let lies_among = |from| metric.value(trial).is_some_and(|value| value >= from);
            trial.censored_from_ns.is_some_and(|from| lies_among(from as f64))
        })
    };
    MetricResult {
        base: base_value,
        new: new_value,
        base_is_bound: is_bound(base),
        new_is_bound: is_bound(new),
        change_ratio: base_value.zip(new_value).map(|(base, new)| new / base - 1.0),
        low_ratio: None,
        high_ratio: None,
        half_width_ratio: None,
        floor_ratio: 0.0,
        margin_ratio: None,
        verdict: Some(Verdict::Advisory),
        pairs: base.len().min(new.len()) as u32,
        pairs_needed: None,
        shortage: fewest(&metric, base.iter().chain(new)),
        metric,
    }
}
