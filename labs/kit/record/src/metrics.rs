//! What a trial found, apart from its histograms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::hlog;
use crate::schema::Schema;

/// The beginning of the kit's reason for a trial whose generator was late. It makes a run invalid;
/// a comparison may repeat the pair of such a trial.
pub const LATE_GENERATOR: &str = "the generator was late";

/// `metrics.json`: written last and renamed into place, so that its presence means a whole trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// How every request that was offered in the measured span ended.
    pub accounting: Accounting,
    /// Why the figures must not be used; empty where the trial is valid.
    pub invalid_reasons: Vec<String>,
    /// What this machine lacks, if the trial could not run for that reason: it then has no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<Unavailable>,
    /// What a reader should know, in whole sentences.
    pub notes: Vec<String>,
    /// The exact facts of each series, which a histogram rounds.
    #[serde(deserialize_with = "crate::name::series")]
    pub series: BTreeMap<String, SeriesFacts>,
    /// Named numbers.
    pub metrics: BTreeMap<String, Metric>,
    /// Named values over time.
    pub gauges: BTreeMap<String, Gauge>,
    /// Named x–y points.
    pub curves: Vec<Curve>,
    /// Named tables of values over time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grids: BTreeMap<String, Grid>,
    /// When the trial's time began, in nanoseconds of CLOCK_MONOTONIC, as the samples of a profile
    /// count it; `None` in simulated time, and where the lab does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ns: Option<u64>,
}

/// What a machine lacks that a trial needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// What is missing, or what refused it.
    pub reason: String,
    /// What would fix it: a command, where there is one. Empty where nothing does.
    #[serde(alias = "mend")]
    pub fix: String,
}

/// How an offered request ended: exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Answered correctly, and within the client's timeout.
    Completed,
    /// Answered wrongly.
    Failed,
    /// Answered with a refusal.
    Refused,
    /// Not answered within the client's timeout.
    TimedOut,
    /// Given up by the client without an answer, or its connection broke.
    Abandoned,
    /// Sent, and still waiting when the trial ended.
    InFlight,
    /// Never sent: the bound on requests in flight was reached.
    Dropped,
}

impl End {
    /// Every end, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Completed,
        Self::Failed,
        Self::Refused,
        Self::TimedOut,
        Self::Abandoned,
        Self::InFlight,
        Self::Dropped,
    ];

    /// The end in words: `timed out`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::TimedOut => "timed out",
            Self::Abandoned => "abandoned",
            Self::InFlight => "in flight",
            Self::Dropped => "dropped",
        }
    }
}

/// How many requests had each [`End`]; the ends add up to what was offered.
///
/// Runs made before `refused`, `abandoned` and `attempts` were counted read as 0 there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the ends are named as in `End`")]
pub struct Accounting {
    /// Requests that the arrivals asked for.
    pub offered: u64,
    pub completed: u64,
    pub failed: u64,
    #[serde(default)]
    pub refused: u64,
    pub timed_out: u64,
    #[serde(default)]
    pub abandoned: u64,
    pub in_flight: u64,
    pub dropped: u64,
    /// Times that these requests were sent: one for each, and its retries.
    #[serde(default)]
    pub attempts: u64,
}

impl Accounting {
    /// One request with this end.
    pub fn one(end: End) -> Self {
        let mut one = Self { offered: 1, ..Self::default() };
        *one.of_mut(end) = 1;
        one
    }

    /// Requests with this end.
    pub fn of(&self, end: End) -> u64 {
        let mut copy = *self;
        *copy.of_mut(end)
    }

    fn of_mut(&mut self, end: End) -> &mut u64 {
        match end {
            End::Completed => &mut self.completed,
            End::Failed => &mut self.failed,
            End::Refused => &mut self.refused,
            End::TimedOut => &mut self.timed_out,
            End::Abandoned => &mut self.abandoned,
            End::InFlight => &mut self.in_flight,
            End::Dropped => &mut self.dropped,
        }
    }

    /// Requests that were answered within the client's timeout, right or wrong.
    pub fn answered(&self) -> u64 {
        self.completed + self.failed + self.refused
    }

    /// Whether every offered request has one end.
    pub fn adds_up(&self) -> bool {
        self.offered == End::ALL.iter().map(|end| self.of(*end)).sum::<u64>()
    }
}

impl std::ops::AddAssign for Accounting {
    fn add_assign(&mut self, other: Self) {
        self.offered += other.offered;
        self.attempts += other.attempts;
        for end in End::ALL {
            *self.of_mut(end) += other.of(end);
        }
    }
}

/// The facts of a series' measured span, exact where HDR buckets round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesFacts {
    /// Values recorded, censored ones among them.
    pub count: u64,
    /// The smallest; 0 where there is none.
    pub min_ns: u64,
    /// The largest, over-range values among them; 0 where there is none.
    pub max_ns: u64,
    /// The arithmetic mean; 0 where there is none.
    pub mean_ns: f64,
    /// Values above the histogram's bound: counted here and in `max_ns`, in no percentile.
    pub over_range: u64,
    /// The number of censored values: times that requests without an answer had waited, which are
    /// lower bounds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub censored: u64,
    /// The smallest of those. Below it every percentile is exact; from it on, a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub censored_from_ns: Option<u64>,
}

pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
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
        let from_ns = self.censored_from_ns.into_iter().chain(other.censored_from_ns).min();
        Self {
            count,
            min_ns: self.min_ns.min(other.min_ns),
            max_ns: self.max_ns.max(other.max_ns),
            mean_ns: sum_ns / count as f64,
            over_range: self.over_range + other.over_range,
            censored: self.censored + other.censored,
            censored_from_ns: from_ns,
        }
    }

    /// Whether `value_ns`, a percentile or extreme of this series as its histogram has it, is only
    /// a lower bound: it lies among censored values, or above them.
    pub fn is_bound(&self, value_ns: u64) -> bool {
        self.censored_from_ns.is_some_and(|from_ns| value_ns >= hlog::lowest_equivalent_ns(from_ns))
    }
}

/// A named number with its unit and, if one trial gives it, its 95 % interval.
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

/// Values of named rows over time: the queue of each server, the busy share of each CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The unit of the values.
    pub unit: String,
    /// When each column begins, in seconds since the measured span began.
    pub starts_s: Vec<f64>,
    /// When the last column ends.
    pub end_s: f64,
    /// From top to bottom: a row's name, and its value in each column.
    pub rows: Vec<(String, Vec<f64>)>,
}

/// Named x–y points: a sweep, a fit or a theoretical distribution.
///
/// A theory curve that is named after a series, with [`Curve::QUANTILE`] for the unit of x, is the
/// theoretical distribution of that series: it stands in the series' percentile plots and
/// cumulative shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What it shows: `p99.9 by hedge delay`.
    pub name: String,
    /// Measured, or computed.
    pub kind: CurveKind,
    /// The unit of x.
    pub x_unit: String,
    /// The unit of y.
    pub y_unit: String,
    /// In the order of x.
    pub points: Vec<(f64, f64)>,
    /// The 95 % interval of y at each point; empty if the trial does not give it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<(f64, f64)>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_counts_once_and_a_missing_one_is_noticed() {
        let mut sum = Accounting::default();
        for end in End::ALL {
            sum += Accounting::one(end);
            assert_eq!(sum.of(end), 1, "{end:?}");
        }
        assert!(sum.adds_up() && sum.offered == 7);
        assert_eq!(sum.answered(), 3, "completed, failed and refused");
        sum.offered += 1;
        assert!(!sum.adds_up());
    }

    #[test]
    fn facts_without_censored_values_are_written_and_read_as_before() {
        let before = r#"{"count":1,"min_ns":5,"max_ns":5,"mean_ns":5.0,"over_range":0}"#;
        let facts: SeriesFacts = serde_json::from_str(before).unwrap();
        assert_eq!((facts.censored, facts.is_bound(5)), (0, false));
        assert_eq!(serde_json::to_string(&facts).unwrap(), before);
        let before = r#"{"offered":2,"completed":1,"failed":0,"timed_out":0,"in_flight":1,
            "dropped":0}"#;
        let accounting: Accounting = serde_json::from_str(before).unwrap();
        assert!(accounting.adds_up());
    }

    #[test]
    fn a_percentile_above_the_smallest_censored_value_is_a_bound() {
        let censored = |from_ns| SeriesFacts {
            count: 10,
            censored: 1,
            censored_from_ns: Some(from_ns),
            ..SeriesFacts::default()
        };
        let facts = censored(5_000_000).merged(censored(3_000_000));
        assert_eq!((facts.censored, facts.censored_from_ns), (2, Some(3_000_000)));
        let mut histogram = hlog::histogram();
        [2_900_000, 3_000_000].into_iter().for_each(|ns| histogram.record(ns).unwrap());
        let [below, at] = [0.5, 1.0].map(|quantile| histogram.value_at_quantile(quantile));
        assert!(!facts.is_bound(below) && facts.is_bound(at), "{below} {at}");
    }
}
