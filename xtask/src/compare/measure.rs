//! What judging needs of a finished trial, from its logs.

use anyhow::ensure;
use lab_record::hlog::{Interval, histogram};
use lab_record::{Exit, FinishedTrial, LATE_GENERATOR, read_json};
use lab_verdict::metric::SLICES;
use lab_verdict::order::{Side, Turn};
use lab_verdict::trial::{SCHEMA, Trial};

/// The series that is compared: from the intended start of a request to its answer.
pub(super) const SERIES: &str = "response";

/// Reduces a trial to its line in `trials.jsonl`.
///
/// # Errors
/// A log is missing, damaged or cut off, or does not divide into slices.
pub(super) fn reduce(
    finished: &FinishedTrial,
    number: u64,
    scenario: &str,
    turn: &Turn,
) -> anyhow::Result<Trial> {
    let log = finished.series(SERIES)?;
    let total = log.total();
    let accounting = finished.metrics.accounting;
    let at = |quantile: f64| total.value_at_quantile(quantile);
    let has_lateness = finished.metrics.series.contains_key("lateness");
    let lateness = has_lateness.then(|| finished.series("lateness")).transpose()?;
    // Lateness is judged from its log, and such a trial may be taken again.
    let judged_later = |reason: &str| has_lateness && reason.starts_with(LATE_GENERATOR);
    let exit: Exit = read_json(&finished.dir.join("exit.json"))?;
    let reasons = finished.metrics.invalid_reasons.iter();
    Ok(Trial {
        schema: Some(SCHEMA.to_owned()),
        trial: number,
        quad: turn.quad,
        position: turn.position,
        scenario: Some(scenario.to_owned()),
        variant: match turn.side {
            Side::Base => "base".to_owned(),
            Side::New => "new".to_owned(),
        },
        seed: turn.seed,
        count: accounting.completed,
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: finished.metrics.series.get(SERIES).map_or(0, |facts| facts.max_ns),
        slice_p99_ns: slice_p99s(&finished.trial.id, &log.steady)?,
        offered: Some(accounting.offered),
        failed: Some(accounting.failed),
        lateness_p99_ns: lateness.map(|log| log.total().value_at_quantile(0.99)),
        others_cpu_ratio: exit.others_cpu_ratio,
        invalid_reasons: reasons.filter(|reason| !judged_later(reason)).cloned().collect(),
    })
}

/// The p99 of each of ten equal slices of the measured span.
fn slice_p99s(id: &str, intervals: &[Interval]) -> anyhow::Result<Vec<u64>> {
    let count = intervals.len();
    ensure!(
        count > 0 && count.is_multiple_of(SLICES),
        "trial {id}: {count} intervals do not divide into {SLICES} slices"
    );
    let p99 = |slice: &[Interval]| {
        let mut sum = histogram();
        for interval in slice {
            sum.add(&interval.histogram).expect("all logs have the same bounds");
        }
        sum.value_at_quantile(0.99)
    };
    Ok(intervals.chunks(count / SLICES).map(p99).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn interval(value: u64) -> Interval {
        let mut filled = histogram();
        filled.record(value).unwrap();
        Interval { start: Duration::ZERO, length: Duration::from_millis(50), histogram: filled }
    }

    #[test]
    fn intervals_group_into_ten_slices() {
        let intervals: Vec<Interval> = (1..=20).map(interval).collect();
        let slices = slice_p99s("t", &intervals).unwrap();
        assert_eq!(slices, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
        assert!(
            slice_p99s("t", &intervals[..19]).unwrap_err().to_string().contains("19 intervals")
        );
        assert!(slice_p99s("t", &[]).is_err());
    }
}
