//! The numbers that are compared: one of each a trial, one difference of each a pair.

use std::fmt;
use std::str::FromStr;

use lab_stats::median;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::trial::Trial;

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
/// What watches for bursts, whatever is gated.
pub const GUARDS: [Metric; 2] = [Metric::P99, Metric::P999];
/// Equal time slices of a trial that `p99i` is the median of.
pub const SLICES: usize = 10;

impl Metric {
    pub fn name(self) -> &'static str {
        match self {
            Metric::P50 => "p50",
            Metric::P99i => "p99i",
            Metric::P99 => "p99",
            Metric::P999 => "p99.9",
        }
    }

    /// Its value in one trial, nanoseconds; 0 only for a trial that [`crate::validity`] refuses.
    pub fn value_ns(self, trial: &Trial) -> f64 {
        match self {
            Metric::P50 => trial.p50_ns as f64,
            Metric::P99i => median(trial.slice_p99_ns.iter().map(|ns| *ns as f64)).unwrap_or(0.0),
            Metric::P99 => trial.p99_ns as f64,
            Metric::P999 => trial.p999_ns as f64,
        }
    }

    /// The difference of a pair, `ln q(new) - ln q(base)`: 0.05 is five per cent slower, whatever the unit.
    pub fn difference(self, base: &Trial, new: &Trial) -> f64 {
        (self.value_ns(new) / self.value_ns(base)).ln()
    }
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
    fn p99i_is_the_median_of_the_slices_so_one_burst_does_not_move_it() {
        let p99i = |slices: &[u64]| {
            let line = format!(
                r#"{{"trial":0,"quad":0,"position":0,"variant":"A","seed":1,"count":1000,
                "p50_ns":1,"p99_ns":1,"p999_ns":1,"max_ns":1,"slice_p99_ns":{slices:?}}}"#
            );
            Metric::P99i.value_ns(&serde_json::from_str(&line).unwrap())
        };
        assert_eq!(p99i(&[5, 1, 9, 3]), 4.0);
        let calm = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
        let burst = [10, 11, 12, 13, 14, 15, 16, 17, 18, 20_000];
        assert_eq!(p99i(&calm), 14.5);
        assert_eq!(p99i(&burst), 14.5);
    }

    #[test]
    fn only_gates_can_be_named() {
        assert_eq!("p99i".parse(), Ok(Metric::P99i));
        let said = "p99".parse::<Metric>().unwrap_err().to_string();
        assert!(said.contains("`p99`") && said.contains("p50 and p99i"), "{said}");
    }
}
