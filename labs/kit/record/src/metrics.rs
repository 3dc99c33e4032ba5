//! What a trial found, apart from its histograms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::Schema;

/// How the reason begins that the kit gives for a trial whose generator was late. A run is invalid
/// by it; a comparison may take the pair of such a trial again.
pub const LATE_GENERATOR: &str = "the generator was late";

/// `metrics.json`: written last and renamed into place, so that its presence means a whole trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// What became of every request that was offered in the measured span.
    pub accounting: Accounting,
    /// Why the figures must not be used; empty where the trial is valid.
    pub invalid_reasons: Vec<String>,
    /// What a reader should know, in whole sentences.
    pub notes: Vec<String>,
    /// The exact facts of each series, which a histogram rounds.
    pub series: BTreeMap<String, SeriesFacts>,
    /// Named numbers.
    pub metrics: BTreeMap<String, Metric>,
    /// Named values over time.
    pub gauges: BTreeMap<String, Gauge>,
    /// Named x–y points.
    pub curves: Vec<Curve>,
    /// When the trial's time began, in nanoseconds of CLOCK_MONOTONIC, as the samples of a profile
    /// count it; `None` in simulated time, and where the lab does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ns: Option<u64>,
}

/// The fate of every offered request; the fates add up to what was offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    /// Requests that the arrival law asked for.
    pub offered: u64,
    /// Answered, rightly and in time.
    pub completed: u64,
    /// Answered wrongly, or refused.
    pub failed: u64,
    /// Answered after the client's patience.
    pub timed_out: u64,
    /// Sent, and unanswered at the end.
    pub in_flight: u64,
    /// Never sent: the bound on requests in flight was reached.
    pub dropped: u64,
}

impl Accounting {
    /// Whether every offered request has one fate.
    pub fn adds_up(&self) -> bool {
        let fates = self.completed + self.failed + self.timed_out + self.in_flight + self.dropped;
        self.offered == fates
    }
}

impl std::ops::AddAssign for Accounting {
    fn add_assign(&mut self, other: Self) {
        self.offered += other.offered;
        self.completed += other.completed;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.in_flight += other.in_flight;
        self.dropped += other.dropped;
    }
}

/// The facts of a series' measured span, exact where HDR buckets round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesFacts {
    /// Values recorded.
    pub count: u64,
    /// The smallest; 0 where there is none.
    pub min_ns: u64,
    /// The largest, over-range values among them; 0 where there is none.
    pub max_ns: u64,
    /// The arithmetic mean; 0 where there is none.
    pub mean_ns: f64,
    /// Values above the histogram's bound: counted here and in `max_ns`, in no percentile.
    pub over_range: u64,
}

impl SeriesFacts {
    /// The facts of both together.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let count = self.count + other.count;
        let sum_ns = self.mean_ns * self.count as f64 + other.mean_ns * other.count as f64;
        Self {
            count,
            min_ns: self.min_ns.min(other.min_ns),
            max_ns: self.max_ns.max(other.max_ns),
            mean_ns: sum_ns / count as f64,
            over_range: self.over_range + other.over_range,
        }
    }
}

/// A named number with its unit and, where one trial can tell, its 95 % interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The number.
    pub value: f64,
    /// `ratio`, `ns`, `count`, `req/s` …
    pub unit: String,
    /// For a proportion: how often, of how many. Trials pool by adding these.
    pub of: Option<(u64, u64)>,
}

/// A named value over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    /// The unit of the values.
    pub unit: String,
    /// Seconds since the measured span began, and the value then.
    pub points: Vec<(f64, f64)>,
}

/// Named x–y points: a sweep, a fit or a law.
///
/// A theory curve that is named after a series, with [`Curve::QUANTILE`] for the unit of x, is the
/// law of that series: it stands in the series' percentile plots and cumulative shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What it shows: `p99.9 by hedge delay`.
    pub name: String,
    /// Seen, or computed.
    pub kind: CurveKind,
    /// The unit of x.
    pub x_unit: String,
    /// The unit of y.
    pub y_unit: String,
    /// In the order of x.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// The unit of a probability between 0 and 1, whose quantile stands over it.
    pub const QUANTILE: &str = "quantile";
}

/// Where a curve comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurveKind {
    /// From trials, live or simulated.
    Measured,
    /// From a formula.
    Theory,
}

impl Schema for Metrics {
    const NAME: &'static str = "perf-lab.metrics";
}
