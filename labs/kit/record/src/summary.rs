//! `summary.json`: a run in one page, for people and programs.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::claim::Judgement;
use crate::hlog::quantile_ns;
use crate::metrics::{Accounting, CurveKind, SeriesFacts};
use crate::probe::ProbeCost;
use crate::schema::Schema;
use crate::trial::{Mode, State};

/// A run in one page. Series, metrics and curves stand under the label of their trials: the
/// variant, or `fan-out@virtual` for the simulated companion of a live trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The lab.
    pub lab: String,
    /// The run directory.
    pub run: String,
    /// The clock of the run.
    pub mode: Mode,
    /// Whether every trial that counts is valid.
    pub valid: bool,
    /// Why not.
    pub invalid_reasons: Vec<String>,
    /// What the trials and profiles want known, each sentence once.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Every planned trial.
    pub trials: Vec<TrialSummary>,
    /// By label, then by series.
    pub series: BTreeMap<String, BTreeMap<String, SeriesSummary>>,
    /// By label, then by metric: pooled for proportions, else the median over trials.
    pub metrics: BTreeMap<String, BTreeMap<String, f64>>,
    /// Measured and theory.
    pub curves: Vec<CurveSummary>,
    /// Every check of every claim.
    pub claims: Vec<Judgement>,
    /// Folded stacks and their quality.
    pub profiles: Vec<ProfileSummary>,
    /// What eBPF probes left, and what they cost.
    #[serde(default)]
    pub probes: Vec<ProbeSummary>,
    /// Files made from the run, relative to it.
    pub artifacts: Vec<String>,
}

/// One planned trial and the fate of its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialSummary {
    /// Its directory under `trials/`.
    pub id: String,
    /// The variant.
    pub variant: String,
    /// The clock.
    pub mode: Mode,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub state: State,
    /// Whether it was profiled, or observed by a probe: then its latencies enter no figure.
    pub profiled: bool,
    /// What became of its requests.
    #[serde(flatten)]
    pub accounting: Accounting,
}

/// The percentiles of a series over all its trials; `None` without enough samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by percentile and unit")]
pub struct SeriesSummary {
    pub count: u64,
    pub min_ns: Option<u64>,
    pub mean_ns: Option<f64>,
    pub p50_ns: Option<u64>,
    pub p90_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    pub p99_9_ns: Option<u64>,
    pub max_ns: Option<u64>,
    pub over_range: u64,
}

impl SeriesSummary {
    /// Percentiles from the histogram; count, extremes and mean from the exact facts.
    pub fn new(histogram: &Histogram<u64>, facts: SeriesFacts) -> Self {
        let some = facts.count > 0;
        Self {
            count: facts.count,
            min_ns: some.then_some(facts.min_ns),
            mean_ns: some.then_some(facts.mean_ns),
            p50_ns: quantile_ns(histogram, 0.5),
            p90_ns: quantile_ns(histogram, 0.9),
            p99_ns: quantile_ns(histogram, 0.99),
            p99_9_ns: quantile_ns(histogram, 0.999),
            max_ns: some.then_some(facts.max_ns),
            over_range: facts.over_range,
        }
    }
}

/// A curve and the label of the trials that drew it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in `Curve`")]
pub struct CurveSummary {
    pub name: String,
    pub variant: String,
    pub kind: CurveKind,
    pub x_unit: String,
    pub y_unit: String,
    pub points: Vec<(f64, f64)>,
}

/// A profile of one trial: its files, relative to the run, and what it is worth.
///
/// A probe's stacks (`backend` is `ebpf`) are no samples: `samples` are its events, and there is no rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in `ProfileQuality`")]
pub struct ProfileSummary {
    pub variant: String,
    pub kind: String,
    pub backend: String,
    pub folded: String,
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
    pub variant: String,
    /// The probe.
    pub probe: String,
    /// Its record, relative to the run.
    pub record: String,
    /// How long it observed, in seconds.
    pub duration_s: f64,
    /// What it is known to have missed.
    pub lost: u64,
    /// What it took from the machine.
    #[serde(flatten)]
    pub cost: ProbeCost,
}

impl Schema for Summary {
    const NAME: &'static str = "perf-lab.summary";
}
