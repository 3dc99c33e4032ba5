//! When trials say nothing about the sides.
//!
//! Request errors, a rate that was not achieved, no request at all and what the lab holds against a
//! trial make a comparison invalid: the side itself may be the cause, and taking such a trial again
//! until it goes well would hide it. A late generator is the machine's doing, and so are other
//! programs that hold its CPUs. Such a trial is as invalid, but the pair may be taken again, a
//! bounded number of times: which pairs go follows from these two alone, both halves go together,
//! and equal sides stay exchangeable, so that no level changes.

use crate::method::Gate;
use crate::metric::{GATES, GUARDS, SLICES};
use crate::pair::Pair;
use crate::render::count;
use crate::trial::TrialRecord;

/// Below this share of the offered requests completed, the load was not what was asked for.
const LEAST_ACHIEVED_RATIO: f64 = 0.99;
/// A generator later than this share of the median, at its p99, measures itself.
const MOST_LATENESS_RATIO: f64 = 0.10;

/// Above this share of the CPU time for other programs, the machine was theirs: half is one busy
/// thread on two cores.
const MOST_OTHERS_RATIO: f64 = 0.5;

/// Every reason why these pairs cannot be judged, the machine's doing apart; empty when they can.
pub fn invalid_reasons<'a>(
    pairs: impl IntoIterator<Item = &'a Pair>,
    gates: &[Gate],
) -> Vec<String> {
    let sides = pairs.into_iter().flat_map(|pair| [("base", &pair.base), ("new", &pair.new)]);
    sides
        .flat_map(|(side, trial)| {
            let named = move |reason| format!("trial {} ({side}): {reason}", trial.trial);
            reasons(trial, gates).into_iter().map(named)
        })
        .collect()
}

/// Whether the machine disturbed either half of a pair: the generator was late, or other programs
/// had the CPUs.
pub fn is_disturbed(pair: &Pair) -> bool {
    [&pair.base, &pair.new].into_iter().any(|trial| {
        is_late_ratio(lateness_ratio(trial)) || is_crowded_ratio(trial.others_cpu_ratio)
    })
}

/// Whether this is the share of the CPU time of other programs that held the machine.
pub fn is_crowded_ratio(ratio: Option<f64>) -> bool {
    ratio.is_some_and(|ratio| ratio > MOST_OTHERS_RATIO)
}

/// Whether this is the [`lateness_ratio`] of a late generator.
pub fn is_late_ratio(ratio: Option<f64>) -> bool {
    ratio.is_some_and(|ratio| ratio > MOST_LATENESS_RATIO)
}

/// The generator's lateness p99 as a share of the measured p50, where it was recorded.
pub fn lateness_ratio(trial: &TrialRecord) -> Option<f64> {
    Some(trial.lateness_p99_ns? as f64 / trial.p50_ns.max(1) as f64)
}

/// What the trials do not record, so that it could not be checked.
pub fn unchecked(pairs: &[Pair]) -> Vec<&'static str> {
    let missing =
        |has: fn(&TrialRecord) -> bool| pairs.iter().any(|p| !has(&p.base) || !has(&p.new));
    let mut names = Vec::new();
    if pairs.iter().all(|pair| !pair.base.has_requests()) {
        return names;
    }
    if missing(|t| t.failed.is_some()) {
        names.push("request errors");
    }
    if missing(|t| t.offered.is_some()) {
        names.push("the offered rate");
    }
    if missing(|t| t.lateness_p99_ns.is_some()) {
        names.push("generator lateness");
    }
    names
}

fn reasons(trial: &TrialRecord, gates: &[Gate]) -> Vec<String> {
    let mut reasons =
        if trial.has_requests() { of_requests(trial) } else { of_values(trial, gates) };
    // The lab judges its generator too: one line for one cause.
    if reasons.is_empty() {
        reasons.extend(trial.invalid_reasons.iter().cloned());
    }
    reasons
}

/// A difference is a ratio, which takes values above zero.
fn of_values(trial: &TrialRecord, gates: &[Gate]) -> Vec<String> {
    let without = gates.iter().map(|gate| &gate.metric).filter(|m| m.value(trial).is_none());
    let said = without.map(|metric| match metric.recorded(trial) {
        Some(value) => format!("{metric} is {value}, and a ratio takes values above 0"),
        None => format!("it has no {metric}"),
    });
    said.collect()
}

fn of_requests(trial: &TrialRecord) -> Vec<String> {
    let mut reasons = Vec::new();
    let as_meant = trial.ended_as_meant();
    if let Some(failed) = trial.failed.filter(|&n| n > 0) {
        reasons.push(format!("{} failed", count(failed, "request")));
    }
    if trial.offered == Some(0) {
        reasons.push("no request was offered".to_owned());
    } else if trial.requests() == 0 {
        reasons.push("no request was answered".to_owned());
    } else if let Some(offered) =
        trial.offered.filter(|&n| (as_meant as f64) < LEAST_ACHIEVED_RATIO * n as f64)
    {
        // Rounded down: 98.96 % must not read as the 99 % that it misses.
        let achieved = (1_000.0 * as_meant as f64 / offered as f64).floor() / 10.0;
        reasons.push(format!("achieved {achieved:.1}% of the offered rate, under 99%"));
    }
    if trial.slice_p99_ns.len() != SLICES {
        reasons.push(format!("{} time slices where p99i takes {SLICES}", trial.slice_p99_ns.len()));
    }
    if let Some(metric) = GATES.iter().chain(&GUARDS).find(|m| m.value(trial) == Some(0.0)) {
        reasons.push(format!("{metric} is 0 ns"));
    }
    reasons
}
