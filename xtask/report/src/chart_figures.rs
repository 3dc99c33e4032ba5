//! The figures of a chart as a table, for readers who cannot see it or want the digits.

use lab_text::quantity::{bounded, nanoseconds, number, quantity};
use maud::{Markup, html};

use crate::data::{Chart, ChartKind, Line};
use crate::over_time::{Rows, Stack};
use crate::spoken::spoken;
use crate::trails::Trail;

/// The figures of a chart whose drawing cannot be read to the digit; nothing where another table of
/// the page has them.
pub(crate) fn figures_of(chart: &Chart) -> Markup {
    let head: &[&str];
    let rows: Vec<(String, Vec<String>)>;
    match &chart.kind {
        ChartKind::Lines { x_unit, y_unit, lines } => {
            let with = lines.iter().filter(|line| !line.intervals.is_empty());
            head = &["point", "measured", "interval"];
            rows = with.flat_map(|line| points(line, [x_unit, y_unit])).collect();
        }
        ChartKind::Stacked(stack) => {
            head = &["part", "mean", "highest"];
            rows = stack.parts.iter().map(|(name, values)| part(name, values, stack)).collect();
        }
        ChartKind::Rows { trials } => {
            head = &["row", "mean", "lowest", "highest"];
            let many = trials.len() > 1;
            rows = trials.iter().flat_map(|map| rows_of(map, many)).collect();
        }
        ChartKind::Trails { trails } => {
            head = &["variant", "count", "mean", "p50", "p99", "max"];
            rows = trails.iter().map(trail).collect();
        }
        _ => return html! {},
    }
    html! {
        @if !rows.is_empty() {
            details.of-chart { summary { "Figures of this chart" }
                div.wide tabindex="0" role="region" aria-label=(format!("Figures of {}", chart.title)) { table.figures {
                    thead { tr { @for (i, head) in head.iter().enumerate() { th.number[i > 0] scope="col" { (head) } } } }
                    tbody { @for (name, cells) in &rows {
                        tr { th scope="row" { (name) } @for cell in cells { td.number { (cell) } } }
                    } }
                } }
            }
        }
    }
}

fn points(line: &Line, [x_unit, y_unit]: [&str; 2]) -> Vec<(String, Vec<String>)> {
    let row = |((x, y), (low, high)): (&(f64, f64), &(f64, f64))| {
        let interval = format!("{} to {}", quantity(*low, y_unit), quantity(*high, y_unit));
        let name = format!("{} · {}, {}", spoken(&line.label), line.name, quantity(*x, x_unit));
        (name, vec![quantity(*y, y_unit), interval])
    };
    line.points.iter().zip(&line.intervals).map(row).collect()
}

/// The mean over time of a part, and its highest column.
fn part(name: &str, values: &[f64], stack: &Stack) -> (String, Vec<String>) {
    let lengths = stack.xs.windows(2).map(|two| two[1] - two[0]);
    let whole: f64 = lengths.clone().sum();
    let sum: f64 = lengths.zip(values).map(|(length, value)| length * value).sum();
    let mean = if whole > 0.0 { sum / whole } else { values.first().copied().unwrap_or(0.0) };
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (name.to_owned(), [mean, highest].map(|value| quantity(value, &stack.unit)).to_vec())
}

fn rows_of(map: &Rows, many: bool) -> Vec<(String, Vec<String>)> {
    let row = |(name, values): &(String, Vec<f64>)| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let name = if many { format!("{} · {name}", map.trial) } else { name.clone() };
        (name, [mean, low, high].map(|value| quantity(value, &map.unit)).to_vec())
    };
    map.rows.iter().map(row).collect()
}

fn trail(trail: &Trail) -> (String, Vec<String>) {
    let of = &trail.figures;
    let mean = of.mean_ns.map_or("–".into(), nanoseconds);
    let [p50, _, p99, _, max] = of.columns().map(|(ns, bound)| bounded(ns, bound));
    (spoken(&trail.label), vec![number(trail.count as f64), mean, p50, p99, max])
}
