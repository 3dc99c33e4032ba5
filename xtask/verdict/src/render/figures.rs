//! Latencies, changes and intervals in few characters.

use lab_text::quantity::{nanoseconds_to, percent, quantity, thousands};

use crate::scenario::MetricResult;

/// `1 pair`, `5,000 pairs`.
pub fn count(n: impl TryInto<u64>, thing: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {thing}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// A median of trials: with `≥` if it is a lower bound, a dash if there is none.
pub fn median(value: Option<f64>, unit: &str, is_bound: bool) -> String {
    match value {
        Some(value) if is_bound => format!("≥{}", figure(value, unit)),
        Some(value) => figure(value, unit),
        None => "-".to_owned(),
    }
}

fn figure(value: f64, unit: &str) -> String {
    match unit {
        "ns" => latency(value),
        "bytes" if value < 1e9 => format!("{:.2} MB", value / 1e6),
        "bytes" => format!("{:.2} GB", value / 1e9),
        _ => quantity(value, unit),
    }
}

/// Four significant digits and a unit: `257.4 µs`.
pub fn latency(ns: f64) -> String {
    nanoseconds_to(ns, 4)
}

/// `[-1.2%, +8.0%]`; `≥ -1.2%` if the other end is open; a dash if there is none.
pub fn interval(row: &MetricResult) -> String {
    match (row.low_ratio, row.high_ratio) {
        (Some(low), Some(high)) => format!("[{}, {}]", percent(low), percent(high)),
        (Some(low), None) => format!("≥ {}", percent(low)),
        (None, Some(high)) => format!("≤ {}", percent(high)),
        (None, None) => "-".to_owned(),
    }
}

/// The estimate, or a dash.
pub(super) fn change(row: &MetricResult) -> String {
    row.change_ratio.map_or_else(|| "-".to_owned(), percent)
}

/// The floor, unsigned: `3%`; a dash if there is none.
pub(super) fn floor(row: &MetricResult) -> String {
    if row.floor_ratio == 0.0 {
        return "-".to_owned();
    }
    format!("{}%", (1000.0 * row.floor_ratio).round() / 10.0)
}

pub(super) fn verdict(row: &MetricResult) -> &'static str {
    row.verdict.map_or("invalid", |verdict| verdict.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_changes_and_counts_are_short() {
        assert_eq!(latency(257_401.0), "257.4 µs");
        assert_eq!(latency(1_048_662.0), "1.049 ms");
        assert_eq!(median(None, "ns", false), "-");
        assert_eq!(median(Some(2e8), "ns", true), "≥200.0 ms");
        assert_eq!(median(Some(12_345_678.0), "bytes", false), "12.35 MB");
        assert_eq!(median(Some(2_500.0), "req/s", false), "2,500 req/s");
        assert_eq!([count(1_u64, "pair"), count(5_000_u64, "pair")], ["1 pair", "5,000 pairs"]);
        assert_eq!(latency(12.0), "12 ns");
        assert_eq!(latency(4.2e10), "42.00 s");
    }
}
