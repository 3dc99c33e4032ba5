//! The numbers that are compared: each has one value per trial, and one difference per pair.

use std::borrow::Cow;
use std::fmt;

use lab_stats::median;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::trial::TrialRecord;

/// A number of each trial: a quantile of its requests, or a value that it has under this name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Metric {
    #[serde(rename = "metric")]
    name: Cow<'static, str>,
    /// `ns`, `bytes`, any other word, or nothing.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    unit: Cow<'static, str>,
    /// For most metrics, less is better.
    #[serde(default, skip_serializing_if = "is_false")]
    higher_is_better: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The metrics of requests that a comparison can gate on.
pub const GATES: [Metric; 2] = [Metric::P50, Metric::P99I];
/// The metrics that watch for bursts of slow requests, beside the gates.
pub const GUARDS: [Metric; 2] = [Metric::P99, Metric::P999];
/// The geometric mean of all benchmarks of a trial: it moves if all of them move, or some of them
/// far.
pub const ALL_OF_THEM: Metric = Metric::fixed("(all)", "ns");
/// Equal time slices of a trial that `p99i` is the median of.
pub const SLICES: usize = 10;

/// The number of requests that must lie beyond a quantile; with fewer, it is the time of a few
/// single requests.
const BEYOND: u64 = 10;
/// The requests that a slice needs: with fewer, its p99 is just its maximum.
const SLICE_REQUESTS: u64 = 100;
/// The reserve for random arrivals: with 150 requests expected, the probability that any of the ten
/// slices of 48 trials has fewer than a hundred is about 1 %.
const SLICE_RESERVE: f64 = 1.5;
/// The same for one count per trial.
const RESERVE: f64 = 1.2;

/// A quantile of the requests of one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantile {
    P50,
    P99i,
    P99,
    P999,
}

impl Metric {
    /// The median response time.
    pub const P50: Metric = Metric::fixed("p50", "ns");
    /// The median over ten equal time slices of the slice's p99: a tail that one bad moment cannot
    /// move, and therefore blind to one rare burst.
    pub const P99I: Metric = Metric::fixed("p99i", "ns");
    /// The pooled p99 of the trial: noisy, but it sees the burst. A guard, never gated by itself.
    pub const P99: Metric = Metric::fixed("p99", "ns");
    /// The pooled p99.9 of the trial. A guard.
    pub const P999: Metric = Metric::fixed("p99.9", "ns");

    /// The mean response time, of simulated trials.
    pub const MEAN: Metric = Metric::fixed("mean", "ns");

    /// A built-in metric, of which less is better.
    pub const fn fixed(name: &'static str, unit: &'static str) -> Metric {
        Metric { name: Cow::Borrowed(name), unit: Cow::Borrowed(unit), higher_is_better: false }
    }

    /// A metric that a user named.
    pub fn named(name: &str, unit: &str, higher_is_better: bool) -> Metric {
        let (name, unit) = (Cow::Owned(name.to_owned()), Cow::Owned(unit.to_owned()));
        Metric { name, unit, higher_is_better }
    }

    /// Its name in tables and files: `p99i`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unit of its values: `ns` for latencies.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Whether more of it is an improvement, as for throughput.
    pub fn higher_is_better(&self) -> bool {
        self.higher_is_better
    }

    /// Its value in one trial, in its unit; `None` if the trial has too few requests, or no value
    /// above zero, as a ratio needs.
    pub fn value(&self, trial: &TrialRecord) -> Option<f64> {
        match self.quantile_of(trial) {
            Some(quantile) => quantile.value_ns(trial),
            None => self.recorded(trial).filter(|value| value.is_finite() && *value > 0.0),
        }
    }

    /// The value that a trial has under this name, whatever it is.
    pub fn recorded(&self, trial: &TrialRecord) -> Option<f64> {
        trial.values.get(self.name()).copied()
    }

    /// What a trial lacks for this metric; `None` if it has enough.
    pub fn shortage(&self, trial: &TrialRecord) -> Option<Shortage> {
        self.quantile_of(trial)?.shortage(trial)
    }

    /// The difference of a pair; `None` if either trial has no value.
    pub fn difference(&self, base: &TrialRecord, new: &TrialRecord) -> Option<Difference> {
        let recorded = (self.value(new)? / self.value(base)?).ln();
        let at_least = if self.is_bound(base, new) { f64::NEG_INFINITY } else { recorded };
        let at_most = if self.is_bound(new, base) { f64::INFINITY } else { recorded };
        Some(Difference { recorded, at_least, at_most })
    }

    /// Whether the value in `trial` is only a lower bound: it lies among requests that were never
    /// answered, or the figures lack enough requests to move the quantile, compared with the
    /// `other` half of the pair, which had the same arrivals.
    pub fn is_bound(&self, trial: &TrialRecord, other: &TrialRecord) -> bool {
        let Some(quantile) = self.quantile_of(trial) else { return false };
        let among_censored = trial
            .censored_from_ns
            .is_some_and(|from| self.value(trial).is_some_and(|value| value >= from as f64));
        among_censored || missing_ratio(trial, other) > 1.0 / quantile.needed() as f64
    }

    /// The quantile of this name, if the trial is one of requests.
    fn quantile_of(&self, trial: &TrialRecord) -> Option<Quantile> {
        match self.name() {
            _ if !trial.has_requests() => None,
            "p50" => Some(Quantile::P50),
            "p99i" => Some(Quantile::P99i),
            "p99" => Some(Quantile::P99),
            "p99.9" => Some(Quantile::P999),
            _ => None,
        }
    }
}

impl Quantile {
    /// The quantile in nanoseconds; `None` if the trial has too few requests.
    fn value_ns(self, trial: &TrialRecord) -> Option<f64> {
        let value = match self {
            Quantile::P50 => trial.p50_ns as f64,
            Quantile::P99i => median(trial.slice_p99_ns.iter().map(|ns| *ns as f64))?,
            Quantile::P99 => trial.p99_ns as f64,
            Quantile::P999 => trial.p999_ns as f64,
        };
        self.shortage(trial).is_none().then_some(value)
    }

    fn shortage(self, trial: &TrialRecord) -> Option<Shortage> {
        let requests = trial.requests();
        let (fewest, needed, reserve) = match self {
            Quantile::P99i => (fewest_in_a_slice(trial), SLICE_REQUESTS, SLICE_RESERVE),
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

    /// The requests that it needs in a trial: enough that [`BEYOND`] lie beyond the quantile.
    fn needed(self) -> u64 {
        BEYOND
            * match self {
                Quantile::P50 => 2,
                Quantile::P99i | Quantile::P99 => 100,
                Quantile::P999 => 1_000,
            }
    }
}

/// The share of the arrivals that the figures of `other` have and those of `trial` lack.
fn missing_ratio(trial: &TrialRecord, other: &TrialRecord) -> f64 {
    let share = |trial: &TrialRecord| Some(trial.requests() as f64 / trial.offered? as f64);
    match (share(trial), share(other)) {
        (Some(own), Some(other)) => other - own,
        _ => 1.0 - trial.requests() as f64 / other.requests().max(1) as f64,
    }
}

/// Requests in the emptiest slice; if unknown, as if they were spread evenly.
fn fewest_in_a_slice(trial: &TrialRecord) -> u64 {
    let even = trial.requests() / SLICES as u64;
    trial.slice_counts.iter().copied().min().unwrap_or(even)
}

/// The difference of a pair, `ln q(new) - ln q(base)`: 0.05 is five per cent slower, independent of
/// the unit. If a quantile is only a lower bound, the true difference is open on one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The difference of the values as recorded.
    pub recorded: f64,
    /// Minus infinity if the base's value is a lower bound, else as recorded.
    pub at_least: f64,
    /// Infinity if the new side's value is a lower bound, else as recorded.
    pub at_most: f64,
}

/// Too few requests for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The requests of the trial, or of a slice for [`Metric::P99I`].
    pub requests: u64,
    /// The requests that the metric needs.
    pub needed: u64,
    /// A measured span that suffices at this rate, in seconds; `None` if the trial's span is
    /// unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffices_s: Option<u64>,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is not among the metrics to gate on.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("no metric `{name}` to gate on; there are {known}")]
pub struct UnknownMetric {
    /// The name asked for.
    pub name: String,
    /// The known names.
    pub known: String,
}

impl Metric {
    /// The metric of this name among those that can be gated on.
    pub fn find<'a>(name: &str, known: &'a [Metric]) -> Result<&'a Metric, UnknownMetric> {
        known.iter().find(|metric| metric.name == name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(Metric::name).collect();
            let known = match &names[..] {
                [first @ .., last] if !first.is_empty() => {
                    format!("{} and {last}", first.join(", "))
                }
                _ => names.join(", "),
            };
            UnknownMetric { name: name.to_owned(), known }
        })
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
            Metric::P99I.value(&serde_json::from_str(&line).unwrap())
        };
        assert_eq!(p99i(&[5, 1, 9, 3]), Some(4.0));
        let calm = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
        let burst = [10, 11, 12, 13, 14, 15, 16, 17, 18, 20_000];
        assert_eq!(p99i(&calm), Some(14.5));
        assert_eq!(p99i(&burst), Some(14.5));
        assert_eq!(p99i(&[]), None);
    }

    #[test]
    fn a_value_of_a_trial_has_its_own_name_also_where_a_quantile_has_the_same() {
        let trial = |values: &str| {
            let line = format!(
                r#"{{"trial":0,"quad":0,"position":0,"variant":"base","seed":1,"values":{values}}}"#
            );
            serde_json::from_str::<TrialRecord>(&line).unwrap()
        };
        let (base, new) = (trial(r#"{"p50":10.0,"qps":5.0}"#), trial(r#"{"p50":20.0,"qps":0.0}"#));
        let p50 = Metric::named("p50", "", false);
        assert_eq!((p50.value(&base), p50.shortage(&base)), (Some(10.0), None));
        assert_eq!(p50.difference(&base, &new).unwrap().recorded, 2_f64.ln());
        let qps = Metric::named("qps", "", true);
        assert_eq!((qps.value(&new), qps.recorded(&new)), (None, Some(0.0)), "no ratio of zero");
        assert_eq!(qps.difference(&base, &new), None);
    }

    #[test]
    fn an_unknown_metric_names_those_that_there_are() {
        assert_eq!(Metric::find("p99i", &GATES), Ok(&Metric::P99I));
        let said = Metric::find("p99", &GATES).unwrap_err().to_string();
        assert_eq!(said, "no metric `p99` to gate on; there are p50 and p99i");
    }
}
