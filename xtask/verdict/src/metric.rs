//! The numbers that are compared: one of each a trial, one difference of each a pair.

use std::fmt;
use std::str::FromStr;

use lab_stats::median;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::trial::TrialRecord;

/// A latency quantile of one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Metric {
    /// The median response time.
    #[serde(rename = "p50")]
    P50,
    /// The median over ten equal time slices of the slice's p99: a tail that one bad moment cannot
    /// move, and therefore blind to one rare burst.
    #[serde(rename = "p99i")]
    P99i,
    /// The pooled p99 of the trial: noisy, but it sees the burst. A guard, never gated by itself.
    #[serde(rename = "p99")]
    P99,
    /// The pooled p99.9 of the trial. A guard.
    #[serde(rename = "p99.9")]
    P999,
}

/// What a comparison can gate on.
pub const GATES: [Metric; 2] = [Metric::P50, Metric::P99i];
/// What watches for bursts, next to what is gated.
pub const GUARDS: [Metric; 2] = [Metric::P99, Metric::P999];
/// Equal time slices of a trial that `p99i` is the median of.
pub const SLICES: usize = 10;

/// How many requests must lie beyond a quantile: with fewer it is some single request's time.
const BEYOND: u64 = 10;
/// A slice needs this many requests, or its p99 is nothing but its maximum.
const SLICE_REQUESTS: u64 = 100;
/// Arrivals are random, and each of ten slices of 48 trials needs its hundred: with 150 expected,
/// the chance that one of them lacks some is about 1 %.
const SLICE_RESERVE: f64 = 1.5;
/// The same for one count a trial.
const RESERVE: f64 = 1.2;

impl Metric {
    pub fn name(self) -> &'static str {
        match self {
            Metric::P50 => "p50",
            Metric::P99i => "p99i",
            Metric::P99 => "p99",
            Metric::P999 => "p99.9",
        }
    }

    /// Its value in one trial, nanoseconds; `None` where the trial has too few requests for it.
    pub fn value_ns(self, trial: &TrialRecord) -> Option<f64> {
        let value = match self {
            Metric::P50 => trial.p50_ns as f64,
            Metric::P99i => median(trial.slice_p99_ns.iter().map(|ns| *ns as f64))?,
            Metric::P99 => trial.p99_ns as f64,
            Metric::P999 => trial.p999_ns as f64,
        };
        self.shortage(trial).is_none().then_some(value)
    }

    /// What a trial lacks for this metric; `None` where it has enough.
    pub fn shortage(self, trial: &TrialRecord) -> Option<Shortage> {
        let requests = trial.requests();
        let (fewest, needed, reserve) = match self {
            Metric::P99i => (fewest_in_a_slice(trial), SLICE_REQUESTS, SLICE_RESERVE),
            _ => (requests, self.needed(), RESERVE),
        };
        let times = reserve * self.needed() as f64 / requests.max(1) as f64;
        let suffices = |span: u64| ((times * span as f64 / 1e3).ceil() as u64).max(1);
        (fewest < needed).then(|| Shortage {
            requests: fewest,
            needed,
            suffices_s: trial.measure_ms.map(suffices),
        })
    }

    /// The requests of a trial that it takes: enough that [`BEYOND`] lie beyond the quantile.
    fn needed(self) -> u64 {
        BEYOND
            * match self {
                Metric::P50 => 2,
                Metric::P99i | Metric::P99 => 100,
                Metric::P999 => 1_000,
            }
    }

    /// The difference of a pair; `None` where either trial has no value.
    pub fn difference(self, base: &TrialRecord, new: &TrialRecord) -> Option<Difference> {
        let recorded = (self.value_ns(new)? / self.value_ns(base)?).ln();
        let at_least = if self.is_bound(base, new) { f64::NEG_INFINITY } else { recorded };
        let at_most = if self.is_bound(new, base) { f64::INFINITY } else { recorded };
        Some(Difference { recorded, at_least, at_most })
    }

    /// Whether the value in `trial` is only a lower bound: it lies among requests that were never
    /// answered, or enough to move the quantile are missing from the figures that are not from those
    /// of the `other` half of the pair, which met the same arrivals.
    pub fn is_bound(self, trial: &TrialRecord, other: &TrialRecord) -> bool {
        let among_censored = trial
            .censored_from_ns
            .is_some_and(|from| self.value_ns(trial).is_some_and(|value| value >= from as f64));
        among_censored || missing_ratio(trial, other) > 1.0 / self.needed() as f64
    }
}

/// The share of the arrivals that is in the figures of `other` and not in those of `trial`.
fn missing_ratio(trial: &TrialRecord, other: &TrialRecord) -> f64 {
    let share = |trial: &TrialRecord| Some(trial.requests() as f64 / trial.offered? as f64);
    match (share(trial), share(other)) {
        (Some(own), Some(other)) => other - own,
        _ => 1.0 - trial.requests() as f64 / other.requests().max(1) as f64,
    }
}

/// Requests in the emptiest slice; where the record does not tell, as if they were spread evenly.
fn fewest_in_a_slice(trial: &TrialRecord) -> u64 {
    let even = trial.requests() / SLICES as u64;
    trial.slice_counts.iter().copied().min().unwrap_or(even)
}

/// The difference of a pair, `ln q(new) - ln q(base)`: 0.05 is five per cent slower, independent of the
/// unit. Where a quantile is only a lower bound, the true difference is not known to one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Of the values as they are.
    pub recorded: f64,
    /// Minus infinity where the base's value is a lower bound, else as recorded.
    pub at_least: f64,
    /// Infinity where the new side's value is a lower bound, else as recorded.
    pub at_most: f64,
}

/// Too few requests for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The requests that there are: of a trial, or of a slice for [`Metric::P99i`].
    pub requests: u64,
    /// The requests that it takes.
    pub needed: u64,
    /// A measured span that suffices at this rate, in seconds; unknown where the span is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffices_s: Option<u64>,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no gated metric.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "no metric `{0}` to gate on; there are p50 and p99i (the burst guard on p99 and p99.9 is always on)"
)]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Metric, UnknownMetric> {
        GATES.into_iter().find(|m| m.name() == name).ok_or_else(|| UnknownMetric(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p99i_does_not_move_when_one_slice_has_a_burst() {
        let p99i = |slices: &[u64]| {
            let line = format!(
                r#"{{"trial":0,"quad":0,"position":0,"variant":"A","seed":1,"count":1000,
                "p50_ns":1,"p99_ns":1,"p999_ns":1,"max_ns":1,"slice_p99_ns":{slices:?}}}"#
            );
            Metric::P99i.value_ns(&serde_json::from_str(&line).unwrap())
        };
        assert_eq!(p99i(&[5, 1, 9, 3]), Some(4.0));
        let calm = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
        let burst = [10, 11, 12, 13, 14, 15, 16, 17, 18, 20_000];
        assert_eq!(p99i(&calm), Some(14.5));
        assert_eq!(p99i(&burst), Some(14.5));
        assert_eq!(p99i(&[]), None);
    }

    #[test]
    fn only_gates_can_be_named() {
        assert_eq!("p99i".parse(), Ok(Metric::P99i));
        let said = "p99".parse::<Metric>().unwrap_err().to_string();
        assert!(said.contains("`p99`") && said.contains("p50 and p99i"), "{said}");
    }
}
