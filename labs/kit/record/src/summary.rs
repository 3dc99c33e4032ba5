//! `summary.json`: a run in one page, for people and programs.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::claim::{Judgement, Told};
use crate::hlog::quantile_ns;
use crate::limit::Limit;
use crate::metrics::{Accounting, CurveKind, SeriesFacts, is_zero};
use crate::probe::ProbeCost;
use crate::schema::Schema;
use crate::trial::{Mode, State};

/// A run in one page. Series, metrics and curves stand under the label of their trials: the
/// variant, or `fan-out@simulated` for the simulated companion of a live trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The lab.
    #[serde(deserialize_with = "crate::name::lab")]
    pub lab: String,
    /// The run directory.
    pub run: String,
    /// The clock of the run.
    pub mode: Mode,
    /// Whether every trial that counts is valid.
    pub valid: bool,
    /// Why not.
    pub invalid_reasons: Vec<String>,
    /// The notes of the trials and profiles, each sentence once.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Every planned trial.
    pub trials: Vec<TrialSummary>,
    /// How the requests of the timed trials ended, by label; empty for a lab without requests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(deserialize_with = "crate::label::keys")]
    pub requests: BTreeMap<String, Requests>,
    /// By label, then by series.
    #[serde(deserialize_with = "crate::label::keys")]
    pub series: BTreeMap<String, BTreeMap<String, SeriesSummary>>,
    /// By label, then by metric: pooled for proportions, else the median over trials.
    #[serde(deserialize_with = "crate::label::keys")]
    pub metrics: BTreeMap<String, BTreeMap<String, f64>>,
    /// Measured and theory.
    pub curves: Vec<CurveSummary>,
    /// Every check of every claim.
    pub claims: Vec<Judgement>,
    /// What the run says in words, and what to try next.
    #[serde(default)]
    pub story: Told,
    /// Limits that were set, and whether they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Folded stacks and their quality.
    pub profiles: Vec<ProfileSummary>,
    /// What eBPF probes left, and what they cost.
    #[serde(default)]
    pub probes: Vec<ProbeSummary>,
    /// Files made from the run, relative to it.
    #[serde(deserialize_with = "crate::name::paths")]
    pub artifacts: Vec<String>,
}

/// One planned trial and how its requests ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialSummary {
    /// Its directory under `trials/`.
    #[serde(deserialize_with = "crate::name::id")]
    pub id: String,
    /// The variant.
    #[serde(deserialize_with = "crate::name::variant")]
    pub variant: String,
    /// The clock.
    pub mode: Mode,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub state: State,
    /// Whether it was profiled, or observed by a probe: then its latencies enter no figure.
    pub profiled: bool,
    /// How its requests ended.
    #[serde(flatten)]
    pub accounting: Accounting,
}

/// The percentiles of a series over all its trials; `None` without enough samples.
///
/// Requests that were never answered are among the values with the time that they had waited. A
/// figure that such a value may lie behind is a lower bound: its `_bound` is true, and a table
/// shows it as `≥ 12.3 ms`. A `_bound` that is absent is false.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by percentile and unit")]
pub struct SeriesSummary {
    pub count: u64,
    /// See [`SeriesFacts::censored`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub censored: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub censored_from_ns: Option<u64>,
    pub min_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub min_bound: bool,
    pub mean_ns: Option<f64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub mean_bound: bool,
    pub p50_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub p50_bound: bool,
    pub p90_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub p90_bound: bool,
    pub p99_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub p99_bound: bool,
    pub p99_9_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub p99_9_bound: bool,
    pub max_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub max_bound: bool,
    pub over_range: u64,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl SeriesSummary {
    /// Percentiles from the histogram; count, extremes and mean from the exact facts.
    pub fn new(histogram: &Histogram<u64>, facts: SeriesFacts) -> Self {
        let some = facts.count > 0;
        let at = |quantile| {
            let ns = quantile_ns(histogram, quantile);
            (ns, ns.is_some_and(|ns| facts.is_bound(ns)))
        };
        let [(p50_ns, p50_bound), (p90_ns, p90_bound)] = [0.5, 0.9].map(at);
        let [(p99_ns, p99_bound), (p99_9_ns, p99_9_bound)] = [0.99, 0.999].map(at);
        Self {
            count: facts.count,
            censored: facts.censored,
            censored_from_ns: facts.censored_from_ns,
            min_ns: some.then_some(facts.min_ns),
            min_bound: some && facts.is_bound(facts.min_ns),
            mean_ns: some.then_some(facts.mean_ns),
            mean_bound: facts.censored > 0,
            p50_ns,
            p50_bound,
            p90_ns,
            p90_bound,
            p99_ns,
            p99_bound,
            p99_9_ns,
            p99_9_bound,
            max_ns: some.then_some(facts.max_ns),
            max_bound: facts.censored > 0,
            over_range: facts.over_range,
        }
    }

    /// p50, p90, p99, p99.9 and the maximum in nanoseconds, each with whether it is a lower bound.
    pub fn columns(&self) -> [(Option<u64>, bool); 5] {
        [
            (self.p50_ns, self.p50_bound),
            (self.p90_ns, self.p90_bound),
            (self.p99_ns, self.p99_bound),
            (self.p99_9_ns, self.p99_9_bound),
            (self.max_ns, self.max_bound),
        ]
    }
}

/// How the requests of all trials of one label ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Answered within the client's timeout: completed, failed or refused.
    pub answered: u64,
    /// Each end.
    #[serde(flatten)]
    pub accounting: Accounting,
}

impl From<Accounting> for Requests {
    fn from(accounting: Accounting) -> Self {
        Self { answered: accounting.answered(), accounting }
    }
}

/// A curve and the label of the trials that drew it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in `Curve`")]
pub struct CurveSummary {
    pub name: String,
    #[serde(deserialize_with = "crate::label::read")]
    pub variant: String,
    pub kind: CurveKind,
    pub x_unit: String,
    pub y_unit: String,
    pub points: Vec<(f64, f64)>,
    /// The interval of y at each point: of one trial as in [`Curve`](crate::Curve), of several from
    /// the lowest to the highest. Empty if it is unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<(f64, f64)>,
}

/// A profile of one trial: its files, relative to the run, and how far it can be trusted.
///
/// A probe's stacks (`backend` is `ebpf`) are no samples: `samples` are its events, and there is no
/// rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in `ProfileQuality`")]
pub struct ProfileSummary {
    #[serde(deserialize_with = "crate::name::variant")]
    pub variant: String,
    #[serde(deserialize_with = "crate::name::kind")]
    pub kind: String,
    pub backend: String,
    #[serde(deserialize_with = "crate::name::path")]
    pub folded: String,
    #[serde(default, deserialize_with = "crate::name::some_path")]
    pub svg: Option<String>,
    pub samples: u64,
    pub requested_hz: Option<f64>,
    pub achieved_hz: Option<f64>,
    pub lost: Option<u64>,
    pub rootless: Option<f64>,
    pub kernel: Option<f64>,
}

/// What an eBPF probe left of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeSummary {
    /// The variant.
    #[serde(deserialize_with = "crate::name::variant")]
    pub variant: String,
    /// The probe.
    #[serde(deserialize_with = "crate::name::name")]
    pub probe: String,
    /// Its record, relative to the run.
    #[serde(deserialize_with = "crate::name::path")]
    pub record: String,
    /// How long it observed, in seconds.
    pub duration_s: f64,
    /// What it is known to have missed.
    pub lost: u64,
    /// What it cost the machine.
    #[serde(flatten)]
    pub cost: ProbeCost,
}

impl Schema for Summary {
    const NAME: &'static str = "perf-lab.summary";
}
