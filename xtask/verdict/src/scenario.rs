//! One scenario (a lab's variant, or two variants) judged: every gate, every guard, at every look
//! until all gates are decided.

use std::collections::BTreeMap;

use lab_record::Limit;
use lab_stats::median;
use serde::{Deserialize, Serialize};

use crate::answered::Answered;
use crate::looks::Looks;
use crate::method::{Gate, Method};
use crate::metric::{Difference, Metric, Shortage};
use crate::pair::Pair;
use crate::render::count;
use crate::signed_rank::{self, Interval};
use crate::trial::TrialRecord;
use crate::validity;
use crate::verdict::{Verdict, decide, fires, half_width_ratio, look_at_bounds, pairs_needed};

/// One scenario of a comparison, as `comparison.json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// The lab and what of it is compared: `tail-latency fan-out`.
    pub name: String,
    /// The variant or side that is compared with, as trial records name it.
    pub base: String,
    /// The variant or side that is judged.
    pub new: String,
    /// The worst of its metrics and guards; `None` if invalid.
    pub verdict: Option<Verdict>,
    /// Why no verdict may be given; empty if one is.
    pub invalid_reasons: Vec<String>,
    /// Pairs that the machine disturbed: they are in no figure, and others replaced them.
    #[serde(alias = "late_pairs")]
    pub disturbed_pairs: Vec<DisturbedPair>,
    /// Pairs judged: where the looks stopped.
    pub judged_pairs: u32,
    /// Pairs that were recorded beyond those, and are in no figure.
    #[serde(default)]
    pub unused_pairs: u32,
    /// Requests that the judged pairs answered; `None` for commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// The look that would come next, if the pairs ran out before the gates were decided.
    pub next_look: Option<u32>,
    /// The gates, which decide.
    pub metrics: Vec<MetricResult>,
    /// The guards, which only watch for bursts.
    pub guards: Vec<MetricResult>,
    /// Metrics that decide nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<MetricResult>,
    /// Limits on figures of this scenario, and whether they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// The judged pairs, in the order in which they ran.
    pub pairs: Vec<PairRecord>,
    /// The number of functions whose change between the profiled trials of the sides is
    /// significant; `None` if there are too few of these to tell. They explain, and decide nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_frames: Option<u32>,
    /// How much of two simulated trials was compared exactly; `None` for live ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
}

/// How much of two simulated trials was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exact {
    /// The number of figures that either trial has.
    pub figures: u32,
    /// The number of those that differ.
    pub differing_figures: u32,
    /// Histograms, curves and gauges that differ.
    pub also_differing: Vec<String>,
}

/// One metric's row: figures at the look that decided it, or at the last one.
///
/// Ratios are changes of NEW against BASE: 0.05 is five per cent slower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricResult {
    /// Its name, its unit and which way is better.
    #[serde(flatten)]
    pub metric: Metric,
    /// Median over the trials of the base side, in the metric's unit; `None` if they have too few
    /// requests.
    pub base: Option<f64>,
    /// The same of the new side.
    pub new: Option<f64>,
    /// Whether the base's median lies among requests that were never answered, and so is a lower
    /// bound.
    #[serde(default, skip_serializing_if = "is_false")]
    pub base_is_bound: bool,
    /// The same of the new side.
    #[serde(default, skip_serializing_if = "is_false")]
    pub new_is_bound: bool,
    /// The Hodges-Lehmann estimate; `None` before the first look that can have an interval.
    pub change_ratio: Option<f64>,
    /// The lower end of its interval; `None` if lower bounds leave it open.
    pub low_ratio: Option<f64>,
    /// The upper end; `None` if lower bounds leave it open.
    pub high_ratio: Option<f64>,
    /// Half the width of the interval; `None` if an end is open.
    pub half_width_ratio: Option<f64>,
    /// The smallest change worth a verdict; zero for a metric that is only shown.
    pub floor_ratio: f64,
    /// Changes within it are equivalent; only a gate has one.
    pub margin_ratio: Option<f64>,
    /// The verdict; `None` if the scenario is invalid.
    pub verdict: Option<Verdict>,
    /// Pairs behind these figures.
    pub pairs: u32,
    /// About how many more would decide; only for an inconclusive gate.
    pub pairs_needed: Option<u32>,
    /// What the trial with the fewest requests lacks for this metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortage: Option<Shortage>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// One pair, with its differences `ln q(new) - ln q(base)` by metric: `None` if it has too few
/// requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairRecord {
    /// The quad that it belongs to, from 0.
    pub quad: u32,
    /// `AB` when the base ran first, else `BA`.
    pub order: String,
    /// Seed of the arrivals of both trials.
    pub seed: u64,
    /// Number of the base side's trial.
    pub base_trial: u64,
    /// Number of the new side's trial.
    pub new_trial: u64,
    /// The differences by metric.
    pub differences: BTreeMap<String, Option<f64>>,
    /// Requests that the base side answered; `None` for commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_answered: Option<u64>,
    /// The same of the new side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_answered: Option<u64>,
}

/// A pair with a trial whose generator was late, or whose CPUs other programs used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisturbedPair {
    /// The quad that it belongs to, from 0.
    pub quad: u32,
    /// Number of the base side's trial.
    pub base_trial: u64,
    /// Number of the new side's trial.
    pub new_trial: u64,
    /// The p99 of the generator's lateness as a share of the p50 of the base side's trial.
    pub base_lateness_ratio: Option<f64>,
    /// The same of the new side.
    pub new_lateness_ratio: Option<f64>,
    /// The share of the CPU time that other programs took during the base side's trial.
    #[serde(default)]
    pub base_others_cpu_ratio: Option<f64>,
    /// The same of the new side.
    #[serde(default)]
    pub new_others_cpu_ratio: Option<f64>,
}

impl Exact {
    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        self.differing_figures == 0 && self.also_differing.is_empty()
    }
}

impl Scenario {
    /// Every row: gates, guards, and what is only shown.
    pub fn rows(&self) -> impl Iterator<Item = &MetricResult> + Clone {
        self.metrics.iter().chain(&self.guards).chain(&self.shown)
    }
}

/// Judges the pairs of one scenario in the order in which they ran, as if they were just arriving:
/// pairs after the deciding look are ignored.
pub fn judge(
    name: &str,
    sides: (&str, &str),
    pairs: &[Pair],
    refused: &[String],
    method: &Method,
    looks: &Looks,
) -> Scenario {
    let (kept, mut disturbed) = set_aside(pairs, looks.spare());
    let judged = walk(&kept, method, looks);
    let judged_pairs = &kept[..judged.pairs];
    if judged.next_look.is_none() {
        disturbed.retain(|pair| pair.after < judged.pairs);
    }
    let mut invalid_reasons = refused.to_vec();
    let seen = judged_pairs.iter().copied().chain(disturbed.iter().map(|disturbed| disturbed.pair));
    invalid_reasons.extend(validity::invalid_reasons(seen, &method.gates));
    if disturbed.len() > looks.spare() as usize {
        invalid_reasons.push(too_many(&disturbed, looks));
    }
    if pairs.is_empty() && invalid_reasons.is_empty() {
        invalid_reasons.push("there is no complete pair".to_owned());
    }
    let has_requests = judged_pairs.iter().all(|pair| pair.base.has_requests());
    let answered = has_requests.then(|| Answered::judge(judged_pairs, looks));
    let is_valid = invalid_reasons.is_empty();
    let limits = method.limits.iter().filter(|limit| limit.scenario == name);
    let guards = judged.guards.iter().filter(|row| row.verdict != Some(Verdict::TooFew));
    let rows = judged.gates.iter().chain(guards).filter_map(|row| row.verdict);
    let mut scenario = Scenario {
        name: name.to_owned(),
        base: sides.0.to_owned(),
        new: sides.1.to_owned(),
        verdict: rows.chain(answered.as_ref().and_then(|answered| answered.verdict)).min(),
        invalid_reasons,
        disturbed_pairs: disturbed.iter().map(|pair| pair.record()).collect(),
        judged_pairs: judged.pairs as u32,
        unused_pairs: (pairs.len() - judged.pairs - disturbed.len()) as u32,
        answered,
        next_look: judged.next_look,
        metrics: judged.gates,
        guards: judged.guards,
        shown: judged.shown,
        limits: limits.map(|limit| limit.judge(judged_pairs, is_valid, looks)).collect(),
        pairs: judged_pairs.iter().map(|pair| record(pair, method)).collect(),
        moved_frames: None,
        exact: None,
    };
    if !scenario.invalid_reasons.is_empty() {
        withhold_verdicts(&mut scenario);
    }
    scenario
}

fn withhold_verdicts(scenario: &mut Scenario) {
    scenario.verdict = None;
    if let Some(answered) = &mut scenario.answered {
        answered.verdict = None;
    }
    for row in scenario.metrics.iter_mut().chain(&mut scenario.guards) {
        row.verdict = None;
        row.pairs_needed = None;
    }
}

/// A disturbed pair, and the number of counted pairs before it.
struct Disturbed<'a> {
    pair: &'a Pair,
    after: usize,
}

impl Disturbed<'_> {
    fn record(&self) -> DisturbedPair {
        let Pair { base, new } = self.pair;
        DisturbedPair {
            quad: base.quad,
            base_trial: base.trial,
            new_trial: new.trial,
            base_lateness_ratio: validity::lateness_ratio(base),
            new_lateness_ratio: validity::lateness_ratio(new),
            base_others_cpu_ratio: base.others_cpu_ratio,
            new_others_cpu_ratio: new.others_cpu_ratio,
        }
    }
}

/// The counted pairs and the disturbed ones, up to the first disturbed pair beyond `spare`.
fn set_aside(pairs: &[Pair], spare: u32) -> (Vec<&Pair>, Vec<Disturbed<'_>>) {
    let mut kept = Vec::new();
    let mut disturbed = Vec::new();
    for pair in pairs {
        if validity::is_disturbed(pair) {
            disturbed.push(Disturbed { pair, after: kept.len() });
        } else {
            kept.push(pair);
        }
        if disturbed.len() > spare as usize {
            break;
        }
    }
    (kept, disturbed)
}

fn too_many(disturbed: &[Disturbed], looks: &Looks) -> String {
    let of = |is_so: fn(&TrialRecord) -> bool| {
        disturbed.iter().filter(|it| is_so(&it.pair.base) || is_so(&it.pair.new)).count()
    };
    let late = of(|trial| validity::is_late_ratio(validity::lateness_ratio(trial)));
    let crowded = of(|trial| validity::is_crowded_ratio(trial.others_cpu_ratio));
    let causes = [
        (late, "the generator was late, its p99 above 10% of the p50"),
        (crowded, "other programs had over half of the CPU time"),
    ];
    let causes = causes.iter().filter(|(pairs, _)| *pairs > 0);
    let causes: Vec<String> =
        causes.map(|(pairs, cause)| format!("{cause}, in {}", count(*pairs, "pair"))).collect();
    format!("{}, where {} of {} may be taken again", causes.join("; "), looks.spare(), looks.last())
}

/// The pairs and rows at the end of the walk.
struct Walk {
    pairs: usize,
    next_look: Option<u32>,
    gates: Vec<MetricResult>,
    guards: Vec<MetricResult>,
    shown: Vec<MetricResult>,
}

/// Goes from look to look until every gate is decided or the pairs run out.
fn walk(pairs: &[&Pair], method: &Method, looks: &Looks) -> Walk {
    let row = |metric, role| Row { metric, role, pairs, decided: None };
    let mut gates: Vec<Row> =
        method.gates.iter().map(|gate| row(&gate.metric, Role::Gate(gate))).collect();
    let mut guards: Vec<Row> =
        method.guards.iter().map(|metric| row(metric, Role::Guard)).collect();
    let shown: Vec<Row> = method.shown.iter().map(|metric| row(metric, Role::Shown)).collect();
    let undecided = |rows: &[Row]| rows.iter().any(|row| row.decided.is_none());
    let mut next_look = None;
    let mut used = 0;
    for &at in &looks.pairs {
        next_look = Some(at).filter(|&at| at as usize > pairs.len());
        // Even before the first look, there is something to show.
        used = pairs.len().min(at as usize);
        for row in gates.iter_mut().chain(&mut guards).filter(|row| row.decided.is_none()) {
            row.look(used, next_look.is_none(), method, looks);
        }
        if !undecided(&gates) {
            next_look = None;
        }
        if next_look.is_some() || !undecided(&gates) {
            break;
        }
    }
    let finish =
        |rows: Vec<Row>| rows.into_iter().map(|row| row.finish(used, method, looks)).collect();
    Walk {
        pairs: used,
        next_look,
        gates: finish(gates),
        guards: finish(guards),
        shown: finish(shown),
    }
}

/// The role of a metric.
#[derive(Clone, Copy)]
enum Role<'a> {
    Gate(&'a Gate),
    Guard,
    Shown,
}

/// One metric on its way through the looks.
struct Row<'a> {
    metric: &'a Metric,
    role: Role<'a>,
    pairs: &'a [&'a Pair],
    /// The number of pairs at the decision, and the verdict.
    decided: Option<(usize, Verdict)>,
}

impl Row<'_> {
    /// The differences of the first pairs; `None` if one of them has too few requests.
    fn differences(&self, at: usize) -> Option<Vec<Difference>> {
        let pairs = self.pairs[..at].iter();
        pairs.map(|pair| self.metric.difference(&pair.base, &pair.new)).collect()
    }

    /// Looks at the first pairs. Between two planned looks, only a lack of requests is decided:
    /// more trials of the same span would lack them too.
    fn look(&mut self, at: usize, is_planned: bool, method: &Method, looks: &Looks) {
        let Some(differences) = self.differences(at) else {
            self.decided = Some((at, Verdict::TooFew));
            return;
        };
        let Some(found) = look_at_bounds(&differences, looks.alpha_each).filter(|_| is_planned)
        else {
            return;
        };
        let found = if self.metric.higher_is_better() { found.mirrored() } else { found };
        let decided = match self.role {
            Role::Gate(gate) => decide(&found, gate),
            Role::Guard => fires(&found, method.guard_floor_ratio).then_some(Verdict::Regressed),
            Role::Shown => None,
        };
        self.decided = decided.map(|verdict| (at, verdict));
    }

    fn finish(&self, used: usize, method: &Method, looks: &Looks) -> MetricResult {
        let (undecided, floor_ratio, gate) = match self.role {
            Role::Gate(gate) => (Verdict::Inconclusive, gate.floor_ratio, Some(gate)),
            Role::Guard => (Verdict::Quiet, method.guard_floor_ratio, None),
            Role::Shown => (Verdict::Shown, 0.0, None),
        };
        let (at, verdict) = self.decided.unwrap_or((used, undecided));
        let pairs = &self.pairs[..at];
        let differences = self.differences(at).unwrap_or_default();
        let found = look_at_bounds(&differences, looks.alpha_each);
        let interval = found.map(|found| found.interval);
        let end = |value: fn(&Interval) -> f64| {
            interval.as_ref().map(value).filter(|end| end.is_finite()).map(f64::exp_m1)
        };
        let recorded: Vec<f64> = differences.iter().map(|d| d.recorded).collect();
        let inconclusive = verdict == Verdict::Inconclusive;
        let needed = |gate: &Gate| pairs_needed(interval.as_ref()?, gate, at as u32);
        let (base, base_is_bound) = self.middle(pairs.iter().map(|p| (&p.base, &p.new)));
        let (new, new_is_bound) = self.middle(pairs.iter().map(|p| (&p.new, &p.base)));
        MetricResult {
            metric: self.metric.clone(),
            base,
            new,
            base_is_bound,
            new_is_bound,
            change_ratio: signed_rank::estimate(&recorded).map(f64::exp_m1),
            low_ratio: end(|i| i.low),
            high_ratio: end(|i| i.high),
            half_width_ratio: interval.as_ref().and_then(half_width_ratio),
            floor_ratio,
            margin_ratio: gate.map(|gate| gate.margin_ratio),
            verdict: Some(verdict),
            pairs: at as u32,
            pairs_needed: gate.filter(|_| inconclusive).and_then(needed),
            shortage: fewest(self.metric, pairs.iter().flat_map(|p| [&p.base, &p.new])),
        }
    }

    /// The median over the trials of a side, each with the other half of its pair; and whether it
    /// is a lower bound, because a trial at or below it has one.
    fn middle<'a>(
        &self,
        trials: impl Iterator<Item = (&'a TrialRecord, &'a TrialRecord)> + Clone,
    ) -> (Option<f64>, bool) {
        // For a metric that is only shown, zero is a valid figure.
        let figure =
            |trial: &TrialRecord| self.metric.value(trial).or_else(|| self.metric.recorded(trial));
        let values = trials.clone().map(|(trial, _)| figure(trial));
        let Some(middle) = values.collect::<Option<Vec<f64>>>().and_then(median) else {
            return (None, false);
        };
        let mut low = trials.filter(|(t, _)| self.metric.value(t).is_some_and(|v| v <= middle));
        (Some(middle), low.any(|(trial, other)| self.metric.is_bound(trial, other)))
    }
}

/// What the trial with the fewest requests lacks for a metric.
pub(crate) fn fewest<'a>(
    metric: &Metric,
    trials: impl Iterator<Item = &'a TrialRecord>,
) -> Option<Shortage> {
    trials.filter_map(|trial| metric.shortage(trial)).min_by_key(|lack| lack.requests)
}

fn record(pair: &Pair, method: &Method) -> PairRecord {
    let gated = method.gates.iter().map(|gate| &gate.metric);
    let metrics = gated.chain(&method.guards).chain(&method.shown);
    let difference = |metric: &Metric| {
        let found = metric.difference(&pair.base, &pair.new).map(|found| found.recorded);
        (metric.name().to_owned(), found)
    };
    let answered = |trial: &TrialRecord| trial.has_requests().then_some(trial.count);
    PairRecord {
        quad: pair.base.quad,
        order: pair.order().to_owned(),
        seed: pair.base.seed,
        base_trial: pair.base.trial,
        new_trial: pair.new.trial,
        differences: metrics.map(difference).collect(),
        base_answered: answered(&pair.base),
        new_answered: answered(&pair.new),
    }
}
