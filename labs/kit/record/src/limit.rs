//! Limits that a user sets on figures (`--assert 'hedged.p99 < 80ms'`), and what the figures say.

use lab_text::quantity::quantity;
use serde::{Deserialize, Serialize};

/// A limit, and whether it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// As it was typed: `hedged.p99 < 80ms`.
    pub limit: String,
    /// The unit of the figures below.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// The median over the trials; `None` if one of them has no such figure.
    pub measured: Option<f64>,
    /// Whether the median lies among requests that were never answered: the true value is then this
    /// or higher.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bound: bool,
    /// The lower end of the interval of that median.
    pub low: Option<f64>,
    /// The upper end; `None` if requests that were never answered leave it open.
    pub high: Option<f64>,
    /// The confidence of the interval; 1 for a simulated trial, which is the same each time.
    pub level: Option<f64>,
    /// The number of trials.
    pub trials: u32,
    /// Whether the limit is kept.
    pub standing: Standing,
    /// Why the limit is undecided, unless the reason is that it lies in the interval.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Whether a limit is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The whole interval lies beyond the limit.
    Broken,
    /// The limit lies in the interval, or there is none.
    Undecided,
    /// The whole interval lies within the limit.
    Kept,
}

impl Standing {
    /// As tables print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Undecided => "undecided",
            Self::Kept => "kept",
        }
    }
}

impl Limit {
    /// What was measured, and how well it is known: `92.1 ms, 88.0 ms to 97.3 ms (99.2 %, 8 trials)`.
    pub fn found(&self) -> String {
        let figure = |value: f64| quantity(value, &self.unit);
        let sign = if self.is_bound { "≥ " } else { "" };
        let measured = self.measured.map(|value| format!("{sign}{}", figure(value)));
        let interval = match (self.low, self.high) {
            _ if self.level == Some(1.0) => Some("exact".to_owned()),
            (Some(low), Some(high)) => Some(format!("{} to {}", figure(low), figure(high))),
            (Some(low), None) => Some(format!("{} or more", figure(low))),
            _ => None,
        };
        let trials = match self.trials {
            1 => "1 trial".to_owned(),
            many => format!("{many} trials"),
        };
        let from = match self.level.filter(|level| *level < 1.0) {
            Some(level) => format!("{:.1} %, {trials}", 100.0 * level),
            None => trials,
        };
        let figures: Vec<String> = measured.into_iter().chain(interval).collect();
        match &figures[..] {
            [] => self.why.clone(),
            _ if self.why.is_empty() => format!("{} ({from})", figures.join(", ")),
            _ => format!("{} ({from}); {}", figures.join(", "), self.why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_written_with_its_interval_or_why_there_is_none() {
        let limit = Limit {
            limit: "hedged.p99 < 80ms".into(),
            unit: "ns".into(),
            measured: Some(92.1e6),
            is_bound: false,
            low: Some(88e6),
            high: Some(97.3e6),
            level: Some(0.992),
            trials: 8,
            standing: Standing::Broken,
            why: String::new(),
        };
        assert_eq!(limit.found(), "92.1 ms, 88.0 ms to 97.3 ms (99.2 %, 8 trials)");
        let open = Limit { high: None, is_bound: true, ..limit.clone() };
        assert_eq!(open.found(), "≥ 92.1 ms, 88.0 ms or more (99.2 %, 8 trials)");
        let exact = Limit { level: Some(1.0), trials: 1, ..limit.clone() };
        assert_eq!(exact.found(), "92.1 ms, exact (1 trial)");
        let alone = Limit { low: None, high: None, level: None, why: "too few".into(), ..limit };
        assert_eq!(alone.found(), "92.1 ms (8 trials); too few");
        assert_eq!(Limit { measured: None, ..alone }.found(), "too few");
    }
}
