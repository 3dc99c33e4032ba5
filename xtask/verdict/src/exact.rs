//! Simulated trials of both sides, compared exactly.
//!
//! A simulated trial is a function of its program and its plan, so one trial of each side with the
//! same seed is enough: either a figure is the same number, or the sides behave differently. There
//! is no noise, and so no interval, no alpha and no second pair. A difference holds for this seed:
//! a program that draws its random numbers in another order differs too.

use std::collections::{BTreeMap, BTreeSet};

use crate::comparison::{Comparison, Kind, SideName};
use crate::limit::Reading;
use crate::looks::Looks;
use crate::method::{Gate, Method};
use crate::metric::Metric;
use crate::scenario::{Exact, MetricResult, Scenario};
use crate::verdict::Verdict;

/// The metrics that an exact comparison can gate on: no slice of a trial is noisier than another.
pub const EXACT_GATES: [Metric; 2] = [Metric::P50, Metric::P99];

/// What one simulated trial found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Its figures by name.
    pub figures: BTreeMap<String, Figure>,
    /// All else by name, as text that differs where the thing does: histograms, curves, gauges.
    pub rest: BTreeMap<String, String>,
    /// Why the lab itself calls the trial invalid.
    pub invalid_reasons: Vec<String>,
}

/// One number of a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The number, in its unit.
    pub value: f64,
    /// `ns`, any other word, or nothing.
    pub unit: String,
    /// Whether it lies among requests that were never answered, and so is a lower bound.
    pub is_bound: bool,
}

/// The method of an exact comparison, unless the user says otherwise: it has nothing to guard
/// against.
pub fn usual() -> Method {
    let gates = EXACT_GATES.map(Gate::of).to_vec();
    Method { gates, guards: Vec::new(), ..Method::default() }
}

/// Compares each scenario's trial of the base with that of the new side.
pub fn exact(
    sides: (SideName, SideName),
    scenarios: &[(String, [Found; 2])],
    method: &Method,
) -> Comparison {
    let names = [sides.0.name.as_str(), sides.1.name.as_str()];
    let judged = scenarios.iter().map(|(name, found)| scenario(name, names, found, method));
    let judged = judged.collect();
    Comparison::new(Kind::Exact, sides, method.clone(), Looks::exact(), judged)
}

fn scenario(name: &str, sides: [&str; 2], found: &[Found; 2], method: &Method) -> Scenario {
    let [base, new] = found;
    let figures = names(&base.figures, &new.figures);
    let differ: Vec<&str> = different(&base.figures, &new.figures);
    let rest: Vec<&str> = different(&base.rest, &new.rest);
    let gates = method.gates.iter().filter(|gate| figures.contains(gate.metric.name()));
    let metrics: Vec<MetricResult> =
        gates.map(|gate| row(gate.metric.name(), Some(gate), found)).collect();
    let is_gate = |name: &str| metrics.iter().any(|row| row.metric.name() == name);
    let others = differ.iter().filter(|name| !is_gate(name));
    let shown: Vec<MetricResult> = others.map(|name| row(name, None, found)).collect();
    let invalid_reasons = invalid_reasons(sides, found);
    let is_valid = invalid_reasons.is_empty();
    let changed = (!rest.is_empty()).then_some(Verdict::Changed);
    let verdicts = metrics.iter().chain(&shown).filter_map(|row| row.verdict).chain(changed);
    let limits = method.limits.iter().filter(|limit| limit.scenario == name);
    let limits = limits.map(|limit| {
        let figure = found[limit.side as usize].figures.get(limit.metric.name());
        let reading = |&Figure { value, is_bound, .. }: &Figure| Reading { value, is_bound };
        limit.judge_exact(figure.filter(|_| is_valid).map(reading))
    });
    Scenario {
        name: name.to_owned(),
        base: sides[0].to_owned(),
        new: sides[1].to_owned(),
        verdict: is_valid.then(|| verdicts.min().unwrap_or(Verdict::Equivalent)),
        limits: limits.collect(),
        invalid_reasons,
        disturbed_pairs: Vec::new(),
        judged_pairs: 1,
        unused_pairs: 0,
        answered: None,
        next_look: None,
        exact: Some(Exact {
            figures: figures.len() as u32,
            differing_figures: differ.len() as u32,
            also_differing: rest.into_iter().map(str::to_owned).collect(),
        }),
        metrics,
        guards: Vec::new(),
        shown,
        pairs: Vec::new(),
        moved_frames: None,
    }
}

/// The names that either side has.
fn names<'a, T>(base: &'a BTreeMap<String, T>, new: &'a BTreeMap<String, T>) -> BTreeSet<&'a str> {
    base.keys().chain(new.keys()).map(String::as_str).collect()
}

/// The names of what differs, or is on one side only.
fn different<'a, T: PartialEq>(
    base: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> Vec<&'a str> {
    names(base, new).into_iter().filter(|name| base.get(*name) != new.get(*name)).collect()
}

fn invalid_reasons(sides: [&str; 2], found: &[Found; 2]) -> Vec<String> {
    let of_side = |(side, found): (&str, &Found)| -> Vec<String> {
        found.invalid_reasons.iter().map(|reason| format!("{side}: {reason}")).collect()
    };
    sides.into_iter().zip(found).flat_map(of_side).collect()
}

/// The row of a figure that at least one side has.
fn row(name: &str, gate: Option<&Gate>, found: &[Found; 2]) -> MetricResult {
    let [base, new] = found.each_ref().map(|side| side.figures.get(name));
    let unit = base.or(new).map_or("", |figure| figure.unit.as_str());
    let own = || Metric::named(name, unit, false);
    let change = base.zip(new).map(|(base, new)| new.value / base.value - 1.0);
    let change = change.filter(|ratio| ratio.is_finite());
    MetricResult {
        metric: gate.map_or_else(own, |gate| gate.metric.clone()),
        base: base.map(|figure| figure.value),
        new: new.map(|figure| figure.value),
        base_is_bound: base.is_some_and(|figure| figure.is_bound),
        new_is_bound: new.is_some_and(|figure| figure.is_bound),
        change_ratio: change,
        low_ratio: change,
        high_ratio: change,
        half_width_ratio: None,
        floor_ratio: gate.map_or(0.0, |gate| gate.floor_ratio),
        margin_ratio: None,
        verdict: Some(verdict(base, new, change, gate)),
        pairs: 1,
        pairs_needed: None,
        shortage: None,
    }
}

/// A gate beyond its floor got worse or better, unless a lower bound leaves that open. Of all other
/// figures it is only known that they changed.
fn verdict(
    base: Option<&Figure>,
    new: Option<&Figure>,
    change: Option<f64>,
    gate: Option<&Gate>,
) -> Verdict {
    let is_bound = |figure: Option<&Figure>| figure.is_some_and(|figure| figure.is_bound);
    match (change, gate) {
        _ if base == new => Verdict::Equivalent,
        (Some(change), Some(gate)) if change >= gate.floor_ratio && !is_bound(base) => {
            Verdict::Regressed
        }
        (Some(change), Some(gate)) if change <= -gate.floor_ratio && !is_bound(new) => {
            Verdict::Improved
        }
        _ => Verdict::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(figures: &[(&str, f64)]) -> Found {
        let figure = |(name, value): &(&str, f64)| {
            let unit = if name.starts_with('p') { "ns" } else { "" };
            (name.to_string(), Figure { value: *value, unit: unit.to_owned(), is_bound: false })
        };
        Found { figures: figures.iter().map(figure).collect(), ..Found::default() }
    }

    fn compared(base: Found, new: Found) -> Comparison {
        let sides = (SideName::new("main"), SideName::new("topic"));
        exact(sides, &[("queueing/mm1".to_owned(), [base, new])], &usual())
    }

    #[test]
    fn equal_trials_are_equivalent_and_exit_with_0() {
        let one = || found(&[("p50", 5e6), ("p99", 9e6), ("served", 100.0)]);
        let comparison = compared(one(), one());
        assert_eq!((comparison.outcome.name(), comparison.exit_code(true)), ("equivalent", 0));
        assert!(comparison.scenarios[0].shown.is_empty(), "nothing else differs");
    }

    #[test]
    fn a_gate_beyond_its_floor_regresses_or_improves() {
        let of = |p99: f64| found(&[("p50", 5e6), ("p99", p99)]);
        assert_eq!(compared(of(9e6), of(10e6)).exit_code(false), 3);
        assert_eq!(compared(of(10e6), of(9e6)).outcome.name(), "improved");
    }

    #[test]
    fn a_change_below_the_floor_or_without_a_direction_is_a_change_and_no_verdict() {
        let of = |p50: f64, served: f64| found(&[("p50", p50), ("served", served)]);
        for (base, new) in [(of(100.0, 7.0), of(101.0, 7.0)), (of(100.0, 7.0), of(100.0, 14.0))] {
            let comparison = compared(base, new);
            let codes = [comparison.exit_code(false), comparison.exit_code(true)];
            assert_eq!((comparison.outcome.name(), codes), ("changed", [0, 4]));
        }
    }

    #[test]
    fn what_has_no_figure_is_compared_and_named() {
        let with = |curve: &str| Found {
            rest: [("curve `goodput`".to_owned(), curve.to_owned())].into(),
            ..found(&[("p50", 100.0)])
        };
        let comparison = compared(with("1"), with("2"));
        assert_eq!(comparison.outcome.name(), "changed");
        let exact = comparison.scenarios[0].exact.as_ref().unwrap();
        assert_eq!(exact.also_differing, ["curve `goodput`"]);
    }

    #[test]
    fn a_figure_of_one_side_only_is_a_change_and_zero_has_no_ratio() {
        let comparison = compared(found(&[("lost", 0.0)]), found(&[("lost", 3.0), ("new", 1.0)]));
        let rows = &comparison.scenarios[0].shown;
        assert_eq!(rows.iter().map(|row| row.change_ratio).collect::<Vec<_>>(), [None, None]);
        assert_eq!(comparison.outcome.name(), "changed");
        assert!(comparison.to_json().contains("\"changed\""));
    }

    #[test]
    fn a_lower_bound_decides_only_towards_its_open_side() {
        let of = |value: f64, is_bound: bool| {
            let figure = Figure { value, unit: "ns".to_owned(), is_bound };
            Found { figures: [("p99".to_owned(), figure)].into(), ..Found::default() }
        };
        let outcome = |base: Found, new: Found| compared(base, new).outcome.name();
        assert_eq!(outcome(of(1e6, false), of(2e6, true)), "regressed");
        assert_eq!(outcome(of(1e6, true), of(2e6, false)), "changed");
        assert_eq!(outcome(of(2e6, true), of(1e6, false)), "improved");
        assert_eq!(outcome(of(2e6, false), of(1e6, true)), "changed");
    }

    #[test]
    fn an_invalid_trial_allows_no_verdict() {
        let bad = Found { invalid_reasons: vec!["too few".into()], ..found(&[("p50", 1.0)]) };
        let comparison = compared(found(&[("p50", 1.0)]), bad);
        assert_eq!(comparison.exit_code(false), 6);
        assert_eq!(comparison.scenarios[0].invalid_reasons, ["topic: too few"]);
    }
}
