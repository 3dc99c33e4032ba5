//! One scenario (a lab's variant, or two variants) judged: every gate, every guard, at every look
//! until all gates are decided.

use lab_stats::median;
use serde::{Deserialize, Serialize};

use crate::looks::Looks;
use crate::method::{Gate, Method};
use crate::metric::{GUARDS, Metric};
use crate::pair::Pair;
use crate::signed_rank::{self, Interval};
use crate::trial::Trial;
use crate::validity;
use crate::verdict::{Verdict, decide, fires, half_width_ratio, look, pairs_needed};

/// One scenario of a comparison, as `comparison.json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    pub name: String,
    pub base: String,
    pub new: String,
    /// The worst of its metrics and guards; nothing when invalid.
    pub verdict: Option<Verdict>,
    /// Why no verdict may be given; empty when one is.
    pub invalid_reasons: Vec<String>,
    /// Pairs that the machine disturbed: they count nowhere, and others were taken in their place.
    #[serde(alias = "late_pairs")]
    pub disturbed_pairs: Vec<DisturbedPair>,
    /// Pairs judged: where the looks stopped.
    pub judged_pairs: u32,
    /// The look that would come next, when the pairs ran out before the gates were decided.
    pub next_look: Option<u32>,
    pub metrics: Vec<Judgement>,
    pub guards: Vec<Judgement>,
    pub pairs: Vec<PairRecord>,
    /// Functions whose change is significant between the profiled trials of the sides; nothing where
    /// there are too few of those to tell. They explain, and no verdict follows from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_frames: Option<u32>,
}

/// One metric's row: figures at the look that decided it, or at the last one.
///
/// Ratios are changes of NEW against BASE: 0.05 is five per cent slower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub metric: Metric,
    /// Median over the trials of each side.
    pub base_ns: f64,
    pub new_ns: f64,
    /// The Hodges-Lehmann estimate; nothing before the first look that can have an interval.
    pub change_ratio: Option<f64>,
    pub low_ratio: Option<f64>,
    pub high_ratio: Option<f64>,
    pub half_width_ratio: Option<f64>,
    pub floor_ratio: f64,
    /// A guard has none.
    pub margin_ratio: Option<f64>,
    /// Nothing when the scenario is invalid.
    pub verdict: Option<Verdict>,
    /// Pairs behind these figures.
    pub pairs: u32,
    /// About how many more would decide; only for an inconclusive gate.
    pub pairs_needed: Option<u32>,
}

/// One pair, with its differences `ln q(new) - ln q(base)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairRecord {
    pub quad: u32,
    /// `AB` when the base ran first, else `BA`.
    pub order: String,
    pub seed: u64,
    pub base_trial: u64,
    pub new_trial: u64,
    pub p50: f64,
    pub p99i: f64,
    pub p99: f64,
    pub p99_9: f64,
}

/// A pair with a trial whose generator was late, or whose CPUs other programs held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisturbedPair {
    pub quad: u32,
    pub base_trial: u64,
    pub new_trial: u64,
    /// The generator's lateness p99 as a share of the trial's p50.
    pub base_lateness_ratio: Option<f64>,
    pub new_lateness_ratio: Option<f64>,
    /// The share of the CPU time that other programs took.
    #[serde(default)]
    pub base_others_cpu_ratio: Option<f64>,
    #[serde(default)]
    pub new_others_cpu_ratio: Option<f64>,
}

/// Judges the pairs of one scenario in the order in which they ran, as if they were just arriving:
/// pairs past the look that decides are not looked at.
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
    invalid_reasons.extend(validity::invalid_reasons(seen));
    if disturbed.len() > looks.spare() as usize {
        invalid_reasons.push(too_many(&disturbed, looks));
    }
    if pairs.is_empty() && invalid_reasons.is_empty() {
        invalid_reasons.push("there is no complete pair".to_owned());
    }
    let rows = judged.gates.iter().chain(&judged.guards);
    let mut scenario = Scenario {
        name: name.to_owned(),
        base: sides.0.to_owned(),
        new: sides.1.to_owned(),
        verdict: rows.filter_map(|row| row.verdict).min(),
        invalid_reasons,
        disturbed_pairs: disturbed.iter().map(|pair| pair.record()).collect(),
        judged_pairs: judged.pairs as u32,
        next_look: judged.next_look,
        metrics: judged.gates,
        guards: judged.guards,
        pairs: judged_pairs.iter().map(|pair| record(pair)).collect(),
        moved_frames: None,
    };
    if !scenario.invalid_reasons.is_empty() {
        withhold_verdicts(&mut scenario);
    }
    scenario
}

fn withhold_verdicts(scenario: &mut Scenario) {
    scenario.verdict = None;
    for row in scenario.metrics.iter_mut().chain(&mut scenario.guards) {
        row.verdict = None;
        row.pairs_needed = None;
    }
}

/// A disturbed pair, and how many pairs that count came before it.
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

/// The pairs that count and the disturbed ones, up to the first of these that is more than `spare`.
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
    let of = |is_so: fn(&Trial) -> bool| {
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
        causes.map(|(pairs, cause)| format!("{cause}, in {}", count_of(*pairs))).collect();
    format!("{}, where {} of {} may be taken again", causes.join("; "), looks.spare(), looks.last())
}

fn count_of(pairs: usize) -> String {
    if pairs == 1 { "1 pair".to_owned() } else { format!("{pairs} pairs") }
}

/// The pairs and rows at the end of the walk.
struct Walk {
    pairs: usize,
    next_look: Option<u32>,
    gates: Vec<Judgement>,
    guards: Vec<Judgement>,
}

/// Goes from look to look until every gate is decided or the pairs run out.
fn walk(pairs: &[&Pair], method: &Method, looks: &Looks) -> Walk {
    let mut gates: Vec<Row> =
        method.gates.iter().map(|&gate| Row::new(gate.metric, Some(gate), pairs)).collect();
    let mut guards: Vec<Row> = GUARDS.iter().map(|&metric| Row::new(metric, None, pairs)).collect();
    let undecided = |rows: &[Row]| rows.iter().any(|row| row.decided.is_none());
    let mut ahead = looks.pairs.iter().copied();
    let mut next_look = None;
    let mut used = 0;
    while undecided(&gates) {
        next_look = ahead.next();
        let Some(at) = next_look.filter(|&at| at as usize <= pairs.len()) else {
            break;
        };
        used = at as usize;
        for row in gates.iter_mut().chain(&mut guards).filter(|row| row.decided.is_none()) {
            row.look(at, method, looks);
        }
        next_look = None;
    }
    // Short of a look there is still something to show.
    if next_look.is_some() {
        used = pairs.len();
    }
    let finish = |rows: Vec<Row>| {
        rows.into_iter().map(|row| row.finish(&pairs[..used], method, looks)).collect()
    };
    Walk { pairs: used, next_look, gates: finish(gates), guards: finish(guards) }
}

/// One metric on its way through the looks. `gate` is nothing for a guard.
struct Row {
    metric: Metric,
    gate: Option<Gate>,
    differences: Vec<f64>,
    decided: Option<(u32, Verdict)>,
}

impl Row {
    fn new(metric: Metric, gate: Option<Gate>, pairs: &[&Pair]) -> Row {
        let differences =
            pairs.iter().map(|pair| metric.difference(&pair.base, &pair.new)).collect();
        Row { metric, gate, differences, decided: None }
    }

    fn look(&mut self, at: u32, method: &Method, looks: &Looks) {
        let Some(found) = look(&self.differences, at, looks.alpha_each) else {
            return;
        };
        self.decided = match &self.gate {
            Some(gate) => decide(&found, gate).map(|verdict| (at, verdict)),
            None => fires(&found, method.guard_floor_ratio).then_some((at, Verdict::Regressed)),
        };
    }

    fn finish(self, pairs: &[&Pair], method: &Method, looks: &Looks) -> Judgement {
        let undecided = if self.gate.is_some() { Verdict::Inconclusive } else { Verdict::Quiet };
        let (at, verdict) = self.decided.unwrap_or((pairs.len() as u32, undecided));
        let found = look(&self.differences, at, looks.alpha_each);
        let change =
            |value: fn(&Interval) -> f64| found.as_ref().map(|found| value(found).exp_m1());
        let pairs = &pairs[..at as usize];
        let needed = |gate: &Gate| found.as_ref().and_then(|found| pairs_needed(found, gate, at));
        Judgement {
            metric: self.metric,
            base_ns: median(pairs.iter().map(|pair| self.metric.value_ns(&pair.base)))
                .unwrap_or(0.0),
            new_ns: median(pairs.iter().map(|pair| self.metric.value_ns(&pair.new))).unwrap_or(0.0),
            change_ratio: change(|i| i.estimate).or_else(|| {
                signed_rank::estimate(&self.differences[..at as usize]).map(f64::exp_m1)
            }),
            low_ratio: change(|i| i.low),
            high_ratio: change(|i| i.high),
            half_width_ratio: found.as_ref().map(half_width_ratio),
            floor_ratio: self.gate.map_or(method.guard_floor_ratio, |gate| gate.floor_ratio),
            margin_ratio: self.gate.map(|gate| gate.margin_ratio),
            verdict: Some(verdict),
            pairs: at,
            pairs_needed: self
                .gate
                .as_ref()
                .filter(|_| verdict == Verdict::Inconclusive)
                .and_then(needed),
        }
    }
}

fn record(pair: &Pair) -> PairRecord {
    let difference = |metric: Metric| metric.difference(&pair.base, &pair.new);
    PairRecord {
        quad: pair.base.quad,
        order: pair.order().to_owned(),
        seed: pair.base.seed,
        base_trial: pair.base.trial,
        new_trial: pair.new.trial,
        p50: difference(Metric::P50),
        p99i: difference(Metric::P99i),
        p99: difference(Metric::P99),
        p99_9: difference(Metric::P999),
    }
}
