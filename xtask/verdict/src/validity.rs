//! When trials say nothing about the sides: reasons that make a comparison invalid, never a verdict.

use crate::metric::{GATES, GUARDS, SLICES};
use crate::order::Side;
use crate::pair::Pair;
use crate::scenario::median;
use crate::trial::Trial;

/// Below this share of the offered requests completed, the load was not what was asked for.
const LEAST_ACHIEVED_RATIO: f64 = 0.99;
/// A generator later than this share of the median measures itself.
const MOST_LATENESS_RATIO: f64 = 0.10;

/// Every reason why these pairs cannot be judged; empty when they can.
pub fn invalid_reasons(pairs: &[Pair]) -> Vec<String> {
    let sides = pairs.iter().flat_map(|pair| [("base", &pair.base), ("new", &pair.new)]);
    sides
        .flat_map(|(side, trial)| {
            let named = move |reason| format!("trial {} ({side}): {reason}", trial.trial);
            reasons(trial).into_iter().map(named)
        })
        .collect()
}

/// Sides whose generator was late in its median trial. One late trial is an outlier, which ranks
/// bear; a generator that is late as a rule measures itself. Asked at a look, not before: of two
/// trials the median is no rule.
pub fn late_generators(pairs: &[Pair]) -> Vec<String> {
    let late = |side: Side| {
        let ratio = median(trials(pairs, side).filter_map(lateness_ratio));
        let percent = 100.0 * ratio;
        (ratio > MOST_LATENESS_RATIO).then(|| {
            format!(
                "{}: generator lateness p99 is {percent:.0}% of the p50 in the median trial, above 10%",
                name(side)
            )
        })
    };
    [Side::Base, Side::New].into_iter().filter_map(late).collect()
}

/// Trials whose generator was late.
pub fn late_trials(pairs: &[Pair]) -> u32 {
    let all = [Side::Base, Side::New].into_iter().flat_map(|side| trials(pairs, side));
    let late = |trial: &&Trial| lateness_ratio(trial).is_some_and(|r| r > MOST_LATENESS_RATIO);
    all.filter(late).count() as u32
}

fn trials(pairs: &[Pair], side: Side) -> impl Iterator<Item = &Trial> {
    pairs.iter().map(move |pair| match side {
        Side::Base => &pair.base,
        Side::New => &pair.new,
    })
}

fn lateness_ratio(trial: &Trial) -> Option<f64> {
    Some(trial.lateness_p99_ns? as f64 / trial.p50_ns.max(1) as f64)
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Base => "base",
        Side::New => "new",
    }
}

/// What the trials do not record, so that it could not be checked.
pub fn unchecked(pairs: &[Pair]) -> Vec<&'static str> {
    let missing = |has: fn(&Trial) -> bool| pairs.iter().any(|p| !has(&p.base) || !has(&p.new));
    let mut names = Vec::new();
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

fn reasons(trial: &Trial) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(failed) = trial.failed.filter(|&n| n > 0) {
        reasons.push(format!("{failed} requests failed"));
    }
    if let Some(offered) =
        trial.offered.filter(|&n| (trial.count as f64) < LEAST_ACHIEVED_RATIO * n as f64)
    {
        let achieved = 100.0 * trial.count as f64 / offered as f64;
        reasons.push(format!("achieved {achieved:.1}% of the offered rate, under 99%"));
    }
    if trial.slice_p99_ns.len() != SLICES {
        reasons.push(format!("{} time slices where p99i takes {SLICES}", trial.slice_p99_ns.len()));
    }
    if let Some(metric) = GATES.iter().chain(&GUARDS).find(|m| m.value_ns(trial) <= 0.0) {
        reasons.push(format!("{metric} is 0 ns"));
    }
    // The lab judges its generator too: one line for one cause.
    if reasons.is_empty() {
        reasons.extend(trial.invalid_reasons.iter().cloned());
    }
    reasons
}
