//! Values over time: parts that add up to a whole, and rows of a heat map.

use lab_record::{Gauge, Grid, variant_of};
use serde::Serialize;

use crate::load::Loaded;

/// Columns at most: more than a screen has pixels for is wasted.
const COLUMNS: usize = 400;
/// Rows of a heat map at most, and columns: neighbours in time are averaged.
const ROWS: usize = 256;
const ROW_COLUMNS: usize = 200;

/// Gauges of one label on top of each other, each the mean of its trials.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Stack {
    pub(crate) label: String,
    pub(crate) unit: String,
    pub(crate) trials: usize,
    /// When each column begins, in seconds since the measured span began.
    pub(crate) xs: Vec<f64>,
    /// From the bottom: a gauge's name, and its mean in each column.
    pub(crate) parts: Vec<(String, Vec<f64>)>,
}

/// The stack of these gauges of each label of a variant; gauges that the run lacks are left out, and
/// so are those of another unit than the first.
pub(crate) fn stacks(run: &Loaded, gauges: &[String], variant: &str) -> Vec<Stack> {
    let labels = run.labels().into_iter().filter(|label| variant_of(label) == variant);
    labels.filter_map(|label| stack(run, gauges, label)).collect()
}

fn stack(run: &Loaded, names: &[String], label: &str) -> Option<Stack> {
    let trials = run.timed().filter(|trial| trial.trial.label == label);
    let trials: Vec<_> = trials.filter_map(|trial| Some(&trial.metrics.as_ref()?.gauges)).collect();
    let of_name = |name: &String| -> (String, Vec<&Gauge>) {
        (name.clone(), trials.iter().filter_map(|gauges| gauges.get(name)).collect())
    };
    let mut gauges: Vec<_> = names.iter().map(of_name).filter(|(_, all)| !all.is_empty()).collect();
    let unit = gauges.first()?.1[0].unit.clone();
    gauges.retain(|(_, all)| all.iter().all(|gauge| gauge.unit == unit));
    let points = gauges.iter().flat_map(|(_, all)| all.iter().flat_map(|gauge| &gauge.points));
    let mut xs: Vec<f64> = points.map(|(x, _)| *x).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    let end = *xs.last()?;
    let xs: Vec<f64> = xs.iter().copied().step_by(xs.len().div_ceil(COLUMNS)).collect();
    let mean = |all: &[&Gauge]| -> Vec<f64> {
        let column = |i: usize| {
            let (from, to) = (xs[i], xs.get(i + 1).copied().unwrap_or(end));
            let values = all.iter().map(|gauge| mean_between(&gauge.points, from, to));
            values.sum::<f64>() / all.len() as f64
        };
        (0..xs.len()).map(column).collect()
    };
    let parts = gauges.iter().map(|(name, all)| (name.clone(), mean(all))).collect();
    let trials = gauges.iter().map(|(_, all)| all.len()).max().unwrap_or(0);
    Some(Stack { label: label.to_owned(), unit, trials, xs, parts })
}

/// The mean over time of a value that holds from each point to the next, zero before the first.
fn mean_between(points: &[(f64, f64)], from: f64, to: f64) -> f64 {
    let after = points.partition_point(|(x, _)| *x <= from);
    let first = if after == 0 { 0.0 } else { points[after - 1].1 };
    if to <= from {
        return first;
    }
    let inside = points[after..].iter().take_while(|(x, _)| *x < to);
    let (mut at, mut value, mut area) = (from, first, 0.0);
    for (x, y) in inside {
        area += value * (x - at);
        (at, value) = (*x, *y);
    }
    (area + value * (to - at)) / (to - from)
}

/// One trial's grid, as a heat map with named rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rows {
    pub(crate) trial: String,
    pub(crate) label: String,
    pub(crate) unit: String,
    pub(crate) starts_s: Vec<f64>,
    pub(crate) end_s: f64,
    /// From top to bottom: name, and value in each column.
    pub(crate) rows: Vec<(String, Vec<f64>)>,
    /// Rows that were left out for size, at the bottom.
    pub(crate) left_out: usize,
}

/// The grids of this name of a variant's trials.
pub(crate) fn rows(run: &Loaded, grid: &str, variant: &str) -> Vec<Rows> {
    let of_variant = run.timed().filter(|trial| trial.trial.variant == variant);
    let found = of_variant.filter_map(|trial| {
        let grid = trial.metrics.as_ref()?.grids.get(grid)?;
        Some(rows_of(&trial.trial.id, &trial.trial.label, grid))
    });
    found.filter(|rows| !rows.rows.is_empty() && !rows.starts_s.is_empty()).collect()
}

fn rows_of(trial: &str, label: &str, grid: &Grid) -> Rows {
    let group = grid.starts_s.len().div_ceil(ROW_COLUMNS).max(1);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let thinned = |values: &[f64]| values.chunks(group).map(mean).collect();
    let rows = grid.rows.iter().take(ROWS);
    Rows {
        trial: trial.to_owned(),
        label: label.to_owned(),
        unit: grid.unit.clone(),
        starts_s: grid.starts_s.iter().copied().step_by(group).collect(),
        end_s: grid.end_s,
        rows: rows.map(|(name, values)| (name.clone(), thinned(values))).collect(),
        left_out: grid.rows.len().saturating_sub(ROWS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_holds_from_each_point_to_the_next() {
        let points = [(1.0, 4.0), (3.0, 8.0)];
        assert_eq!(mean_between(&points, 0.0, 1.0), 0.0);
        assert_eq!(mean_between(&points, 0.0, 2.0), 2.0);
        assert_eq!(mean_between(&points, 2.0, 4.0), 6.0);
        assert_eq!(mean_between(&points, 3.0, 3.0), 8.0, "the last has no length");
    }

    #[test]
    fn a_large_grid_is_thinned_to_means_and_rows_that_are_left_out_are_counted() {
        let row = |value: f64| (format!("server {value}"), vec![value; 2 * ROW_COLUMNS]);
        let grid = Grid {
            unit: "count".into(),
            starts_s: (0..2 * ROW_COLUMNS).map(|i| i as f64).collect(),
            end_s: 400.0,
            rows: (0..ROWS + 3).map(|i| row(i as f64)).collect(),
        };
        let rows = rows_of("001", "calm", &grid);
        assert_eq!((rows.rows.len(), rows.left_out), (ROWS, 3));
        assert_eq!(rows.starts_s.len(), ROW_COLUMNS);
        assert_eq!(rows.rows[7], ("server 7".to_owned(), vec![7.0; ROW_COLUMNS]));
    }
}
