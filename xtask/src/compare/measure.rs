//! Reduces a finished trial to the figures that the verdict needs.

use anyhow::ensure;
use lab_record::hlog::{Interval, histogram};
use lab_record::{Accounting, End, Exit, FinishedTrial, LATE_GENERATOR, read_json};
use lab_verdict::metric::SLICES;
use lab_verdict::order::Turn;
use lab_verdict::trial::{SCHEMA, TrialRecord};

/// The series that is compared: times from the intended start of a request to its answer.
pub(super) const SERIES: &str = "response";

/// Reduces a trial, whose experiment expects these ends of requests, to its line in `trials.jsonl`.
///
/// # Errors
/// A log is missing, damaged or cut off, or does not divide into slices.
pub(super) fn reduce(
    finished: &FinishedTrial,
    expects: &[End],
    number: u64,
    scenario: &str,
    turn: &Turn,
) -> anyhow::Result<TrialRecord> {
    let log = finished.series(SERIES)?;
    let total = log.total();
    let accounting = finished.metrics.accounting;
    let facts = finished.metrics.series.get(SERIES).copied().unwrap_or_default();
    let max_ns = facts.max_ns;
    // The upper end of a histogram's bucket may lie above the maximum, which is exact.
    let at = |quantile: f64| total.value_at_quantile(quantile).min(max_ns);
    let slices = slices(&finished.trial.id, &log.steady)?;
    let has_lateness = finished.metrics.series.contains_key("lateness");
    let lateness = has_lateness.then(|| finished.series("lateness")).transpose()?;
    // Lateness is judged from its log, and such a trial may be repeated.
    let judged_later = |reason: &str| has_lateness && reason.starts_with(LATE_GENERATOR);
    let exit: Exit = read_json(&finished.dir.join("exit.json"))?;
    let reasons = finished.metrics.invalid_reasons.iter();
    Ok(TrialRecord {
        schema: Some(SCHEMA.to_owned()),
        trial: number,
        quad: turn.quad,
        position: turn.position,
        scenario: Some(scenario.to_owned()),
        variant: turn.side.name().to_owned(),
        seed: turn.seed,
        values: Default::default(),
        count: accounting.completed,
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns,
        slice_p99_ns: slices
            .iter()
            .map(|s| s.histogram.value_at_quantile(0.99).min(max_ns))
            .collect(),
        slice_counts: slices.iter().map(|slice| slice.histogram.len()).collect(),
        measure_ms: Some(finished.trial.measure_ms),
        recorded: Some(facts.count),
        censored_from_ns: facts.censored_from_ns,
        offered: Some(accounting.offered),
        failed: Some(if expects.contains(&End::Failed) { 0 } else { accounting.failed }),
        expected: Some(expected(accounting, expects)),
        lateness_p99_ns: lateness.map(|log| log.total().value_at_quantile(0.99)),
        others_cpu_ratio: exit.others_cpu_ratio,
        invalid_reasons: reasons.filter(|reason| !judged_later(reason)).cloned().collect(),
    })
}

/// The number of requests with an end other than an answer that the experiment expects.
fn expected(accounting: Accounting, expects: &[End]) -> u64 {
    let ends = End::ALL.into_iter().filter(|end| *end != End::Completed && expects.contains(end));
    ends.map(|end| accounting.of(end)).sum()
}

/// The ten equal slices of the measured span.
fn slices(id: &str, intervals: &[Interval]) -> anyhow::Result<Vec<Interval>> {
    let count = intervals.len();
    ensure!(
        count > 0 && count.is_multiple_of(SLICES),
        "trial {id}: {count} intervals do not divide into {SLICES} slices"
    );
    let sum = |slice: &[Interval]| {
        let mut sum = Interval {
            start: slice[0].start,
            length: slice.iter().map(|interval| interval.length).sum(),
            histogram: histogram(),
        };
        for interval in slice {
            sum.histogram.add(&interval.histogram).expect("all logs have the same bounds");
        }
        sum
    };
    Ok(intervals.chunks(count / SLICES).map(sum).collect())
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
    fn ends_that_belong_to_the_experiment_are_counted_apart() {
        let accounting = Accounting {
            offered: 100,
            completed: 60,
            refused: 30,
            timed_out: 10,
            ..Accounting::default()
        };
        let of = |expects: &[End]| expected(accounting, expects);
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[End::Completed, End::Refused]), 30);
        assert_eq!(of(&[End::Refused, End::TimedOut, End::Failed]), 40);
    }

    #[test]
    fn intervals_are_grouped_into_ten_slices() {
        let intervals: Vec<Interval> = (1..=20).map(interval).collect();
        let of_slices = slices("t", &intervals).unwrap();
        let highest: Vec<u64> = of_slices.iter().map(|slice| slice.histogram.max()).collect();
        assert_eq!(highest, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
        assert!(of_slices.iter().all(|slice| slice.histogram.len() == 2));
        assert!(slices("t", &intervals[..19]).unwrap_err().to_string().contains("19 intervals"));
        assert!(slices("t", &[]).is_err());
    }
}
