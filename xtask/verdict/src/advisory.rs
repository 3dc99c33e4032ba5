//! Two stored runs side by side: the table, and never a verdict.
//!
//! Runs made one after the other differ by whatever the machine did in between: judged as if they
//! were interleaved, equal sides were called different in 23 of 100 comparisons, and no number of
//! trials mends that. So there is no interval here either.

use std::collections::BTreeSet;

use lab_stats::median;

use crate::comparison::{Comparison, Kind, SideName};
use crate::looks::{Looks, LooksError};
use crate::method::Method;
use crate::metric::{GATES, GUARDS, Metric};
use crate::scenario::{Judgement, Scenario};
use crate::trial::Trial;
use crate::verdict::Verdict;

/// Shows every scenario that both runs have trials of.
///
/// # Errors
/// The method cannot be planned; it is recorded, not used.
pub fn advise(
    sides: (SideName, SideName),
    base: &[Trial],
    new: &[Trial],
    method: &Method,
) -> Result<Comparison, LooksError> {
    let names = |trials: &[Trial]| -> BTreeSet<String> {
        trials.iter().filter_map(|t| t.scenario.clone()).collect()
    };
    let common: Vec<String> = names(base).intersection(&names(new)).cloned().collect();
    let looks: Looks = method.looks(1)?;
    let of = |trials: &[Trial], name: &str| -> Vec<Trial> {
        trials.iter().filter(|t| t.scenario.as_deref() == Some(name)).cloned().collect()
    };
    let names = (sides.0.name.as_str(), sides.1.name.as_str());
    let scenarios =
        common.iter().map(|name| scenario(name, names, &of(base, name), &of(new, name))).collect();
    Ok(Comparison::new(Kind::Advisory, sides, method.clone(), looks, scenarios))
}

fn scenario(name: &str, sides: (&str, &str), base: &[Trial], new: &[Trial]) -> Scenario {
    let rows = |metrics: [Metric; 2]| metrics.map(|metric| row(metric, base, new)).to_vec();
    Scenario {
        name: name.to_owned(),
        base: sides.0.to_owned(),
        new: sides.1.to_owned(),
        verdict: Some(Verdict::Advisory),
        invalid_reasons: vec![],
        disturbed_pairs: vec![],
        judged_pairs: 0,
        next_look: None,
        metrics: rows(GATES),
        guards: rows(GUARDS),
        pairs: vec![],
        moved_frames: None,
    }
}

fn row(metric: Metric, base: &[Trial], new: &[Trial]) -> Judgement {
    let of =
        |trials: &[Trial]| median(trials.iter().map(|trial| metric.value_ns(trial))).unwrap_or(0.0);
    let (base_ns, new_ns) = (of(base), of(new));
    Judgement {
        metric,
        base_ns,
        new_ns,
        change_ratio: (base_ns > 0.0).then(|| new_ns / base_ns - 1.0),
        low_ratio: None,
        high_ratio: None,
        half_width_ratio: None,
        floor_ratio: 0.0,
        margin_ratio: None,
        verdict: Some(Verdict::Advisory),
        pairs: base.len().min(new.len()) as u32,
        pairs_needed: None,
    }
}
