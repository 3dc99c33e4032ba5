//! Interval logs as a heat map: a column for each interval, a row for each eighth of an octave.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use lab_record::hlog::{Interval, Log, recorded};
use serde::Serialize;

/// Rows in each doubling of latency: neighbours differ by 9 %.
pub(crate) const ROWS_PER_OCTAVE: f64 = 8.0;
/// Columns at most; neighbours are added together where a trial has more intervals.
const COLUMNS: usize = 150;

/// One trial's series over time, sparse.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HeatMap {
    /// Seconds since the trial began, of each column's start.
    pub(crate) starts_s: Vec<f64>,
    /// Where the last column ends.
    pub(crate) end_s: f64,
    /// Columns of load before the measured span.
    pub(crate) warmup: usize,
    /// For each column: row, count, row, count …; row r holds latencies up to 2^((r+1)/8) ns.
    pub(crate) cells: Vec<Vec<u64>>,
}

impl HeatMap {
    /// The column of a moment, in seconds since the trial began; `None` before and after.
    pub(crate) fn column_at(&self, seconds: f64) -> Option<usize> {
        let after = self.starts_s.partition_point(|start| *start <= seconds);
        (seconds < self.end_s).then_some(after)?.checked_sub(1)
    }
}

/// The heat map of a log; `None` where it has no interval.
pub(crate) fn heat_map(log: &Log) -> Option<HeatMap> {
    let intervals = log.warmup.len() + log.steady.len();
    let group = intervals.div_ceil(COLUMNS).max(1);
    let columns = |part: &[Interval]| part.chunks(group).map(column).collect::<Vec<_>>();
    let (warmup, steady) = (columns(&log.warmup), columns(&log.steady));
    let last = log.steady.last().or(log.warmup.last())?;
    let warmup_columns = warmup.len();
    let (starts_s, cells) = warmup.into_iter().chain(steady).unzip();
    Some(HeatMap {
        starts_s,
        end_s: thousandths((last.start + last.length).as_secs_f64()),
        warmup: warmup_columns,
        cells,
    })
}

/// The largest value of each column's intervals, for marks above a map of the same log.
pub(crate) fn column_maxima_ns(log: &Log) -> Vec<(f64, u64)> {
    let intervals: Vec<&Interval> = log.warmup.iter().chain(&log.steady).collect();
    let group = intervals.len().div_ceil(COLUMNS).max(1);
    let largest = |part: &[&Interval]| part.iter().map(|one| one.histogram.max()).max();
    let start = |part: &[&Interval]| thousandths(part[0].start.as_secs_f64());
    intervals.chunks(group).map(|part| (start(part), largest(part).unwrap_or(0))).collect()
}

fn column(intervals: &[Interval]) -> (f64, Vec<u64>) {
    let mut rows: BTreeMap<u64, u64> = BTreeMap::new();
    for interval in intervals {
        add(&mut rows, &interval.histogram);
    }
    let start = thousandths(intervals[0].start.as_secs_f64());
    (start, rows.into_iter().flat_map(|(row, count)| [row, count]).collect())
}

fn add(rows: &mut BTreeMap<u64, u64>, histogram: &Histogram<u64>) {
    for (ns, count) in recorded(histogram) {
        *rows.entry(row(ns)).or_default() += count;
    }
}

fn row(ns: u64) -> u64 {
    ((ns.max(1) as f64).log2() * ROWS_PER_OCTAVE) as u64
}

fn thousandths(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lab_record::hlog::histogram;

    use super::*;

    fn interval(start_ms: u64, values: &[u64]) -> Interval {
        let mut filled = histogram();
        values.iter().for_each(|value| filled.record(*value).unwrap());
        let ms = Duration::from_millis;
        Interval { start: ms(start_ms), length: ms(100), histogram: filled }
    }

    #[test]
    fn every_value_is_in_one_cell_and_the_warmup_is_separate() {
        let log = Log {
            warmup: vec![interval(0, &[1_000])],
            steady: vec![interval(100, &[1_024, 1_025, 2_048]), interval(200, &[])],
        };
        let map = heat_map(&log).unwrap();
        assert_eq!((map.warmup, &map.starts_s[..], map.end_s), (1, &[0.0, 0.1, 0.2][..], 0.3));
        assert_eq!(map.cells, [vec![79, 1], vec![80, 2, 88, 1], vec![]]);
        assert_eq!(heat_map(&Log::default()), None);
        let columns = [-0.1, 0.0, 0.15, 0.2, 0.29, 0.3].map(|seconds| map.column_at(seconds));
        assert_eq!(columns, [None, Some(0), Some(1), Some(2), Some(2), None]);
    }

    #[test]
    fn many_intervals_become_few_columns_and_lose_no_sample() {
        let steady: Vec<Interval> = (0..600).map(|i| interval(i * 100, &[i + 1, 7])).collect();
        let log = Log { warmup: vec![], steady };
        let map = heat_map(&log).unwrap();
        assert_eq!(map.cells.len(), 150);
        let counts = map.cells.iter().flat_map(|cells| cells.iter().skip(1).step_by(2));
        assert_eq!(counts.sum::<u64>(), 1_200);
        assert_eq!(column_maxima_ns(&log).len(), 150);
    }
}
