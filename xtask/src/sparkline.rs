//! Percentiles as a line of blocks: how steeply the tail rises, for a terminal.

use lab_record::SeriesSummary;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// p50, p90, p99 and p99.9 of a series as four blocks, on one logarithmic scale for `all`; an
/// unknown percentile is blank.
pub(crate) fn rise(series: &SeriesSummary, all: &[&SeriesSummary]) -> String {
    let known = all.iter().flat_map(|series| percentiles(series)).flatten().map(logarithm);
    let (low, high) =
        known.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let block = |ns: Option<u64>| {
        let Some(ns) = ns else { return ' ' };
        let share = if high > low { (logarithm(ns) - low) / (high - low) } else { 0.0 };
        BLOCKS[(share * (BLOCKS.len() - 1) as f64).round() as usize]
    };
    percentiles(series).map(block).iter().collect()
}

fn percentiles(series: &SeriesSummary) -> [Option<u64>; 4] {
    [series.p50_ns, series.p90_ns, series.p99_ns, series.p99_9_ns]
}

fn logarithm(ns: u64) -> f64 {
    (ns.max(1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(figures: [Option<u64>; 4]) -> SeriesSummary {
        let [p50_ns, p90_ns, p99_ns, p99_9_ns] = figures;
        SeriesSummary { count: 1, p50_ns, p90_ns, p99_ns, p99_9_ns, ..Default::default() }
    }

    #[test]
    fn a_sparkline_is_logarithmic_and_blank_where_unknown() {
        let steep = series([Some(1_000), Some(10_000), Some(100_000), Some(10_000_000_000)]);
        let flat = series([Some(1_000), Some(1_000), Some(1_000), None]);
        let all = [&steep, &flat];
        assert_eq!(rise(&steep, &all), "▁▂▃█");
        assert_eq!(rise(&flat, &all), "▁▁▁ ");
        assert_eq!(rise(&flat, &[&flat]), "▁▁▁ ", "one value is no slope");
        assert_eq!(rise(&series([None; 4]), &[]), "    ");
    }
}
