//! When trials say nothing about the sides.
//!
//! Request errors, a rate that was not achieved, no requests, or the lab's own reasons make a
//! comparison invalid: the side itself may be the cause, and repeating such a trial until it
//! succeeds would hide that. A late generator, or other programs on its CPUs, is the machine's
//! fault. Such a trial is invalid too, but its pair may be repeated, a bounded number of times:
//! only these two causes decide which pairs go, both halves go together, and equal sides stay
//! exchangeable, so no level changes.

use crate::method::Gate;
use crate::metric::{GATES, GUARDS, SLICES};
use crate::pair::Pair;
use crate::render::count;
use crate::trial::TrialRecord;

/// The least share of offered requests that must be completed: below it, the load was not as
/// intended.
const LEAST_ACHIEVED_RATIO: f64 = 0.99;
/// The largest p99 of lateness, as a share of the median response: beyond it, the generator
/// measures itself.
const MOST_LATENESS_RATIO: f64 = 0.10;

/// The largest share of CPU time for other programs: half is one busy thread on two cores.
const MOST_OTHERS_RATIO: f64 = 0.5;

/// Every reason why these pairs cannot be judged, except disturbances by the machine; empty if they
/// can.
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
/// used the CPUs.
pub fn is_disturbed(pair: &Pair) -> bool {
    [&pair.base, &pair.new].into_iter().any(|trial| {
        is_late_ratio(lateness_ratio(trial)) || is_crowded_ratio(trial.others_cpu_ratio)
    })
}

/// Whether other programs used too large a share of the CPU time.
pub fn is_crowded_ratio(ratio: Option<f64>) -> bool {
    ratio.is_some_and(|ratio| ratio > MOST_OTHERS_RATIO)
}

/// Whether this is the [`lateness_ratio`] of a late generator.
pub fn is_late_ratio(ratio: Option<f64>) -> bool {
    ratio.is_some_and(|ratio| ratio > MOST_LATENESS_RATIO)
}

/// The p99 of the generator's lateness as a share of the measured p50, if recorded.
pub fn lateness_ratio(trial: &TrialRecord) -> Option<f64> {
    Some(trial.lateness_p99_ns? as f64 / trial.p50_ns.max(1) as f64)
}

/// What could not be checked because the trials do not record it.
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

/// A difference is a ratio, which needs values above zero.
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
