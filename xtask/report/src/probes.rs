//! What eBPF probes left in a run's trials: histograms in powers of two, tables, losses and cost.

use std::collections::BTreeMap;

use lab_record::probe::{ProbeHistogram, ProbeRecord};
use lab_record::read_json;
use lab_record::shell;
use lab_record::table::{Cell, Column, Table};
use maud::{Markup, html};

use crate::load::Loaded;
use crate::page::file_link;
use lab_text::quantity::{nanoseconds, number, quantity};

/// A bar's widest.
const BAR_PX: f64 = 220.0;
/// Rows of a table that a page shows; the record holds all.
const ROWS_SHOWN: usize = 100;

/// The section, or nothing where no probe ran.
pub(crate) fn section(run: &Loaded) -> Markup {
    let observed = run.trials.iter().filter_map(|trial| {
        let name = trial.trial.probe.as_ref()?;
        let record = read_json(&trial.dir.join("probe").join(name).with_extension("json"));
        Some((format!("trials/{}/probe/{name}.json", trial.trial.id), &trial.trial.variant, record))
    });
    let observed: Vec<_> = observed.collect();
    html! {
        @if !observed.is_empty() {
            section id="probes" { h2 { "Probes" } p { "Each observed a trial of its own, beside the timed ones: a probe has its cost, so what it slows is in no other figure." }
                div.probes { @for (path, variant, record) in &observed { figure.probe {
                    @match record {
                        Ok(record) => (probe(path, variant, record)),
                        Err(error) => figcaption { (file_link(path)) ": " (format!("{error:#}")) },
                    }
                } } }
            }
        }
    }
}

fn probe(path: &str, variant: &str, record: &ProbeRecord) -> Markup {
    html! {
        figcaption { h3 { (record.probe) " of " (variant) } (file_link(path)) }
        dl {
            div { dt { "events" } dd { (number(record.cost.events as f64)) } }
            div { dt { "lost" } dd { (number(record.losses.total() as f64)) } }
            @if let (Some(runs), Some(ns)) = (record.cost.runs, record.cost.run_ns) {
                div { dt { "cost" } dd {
                    (nanoseconds(ns as f64)) " in " (number(runs as f64)) " runs, "
                    (format!("{:.2} % of a CPU", ns as f64 / 1e7 / record.duration_s.max(1e-9)))
                } }
            }
        }
        @for histogram in &record.histograms { (drawn(histogram)) }
        @for table in &record.tables { (rows(table)) }
        @for note in &record.notes { p { (note) } }
    }
}

fn drawn(histogram: &ProbeHistogram) -> Markup {
    let rows = powers_of_two(histogram);
    let most = rows.values().copied().max().unwrap_or(1) as f64;
    let bound = |value: u64| quantity(value as f64, &histogram.unit);
    html! {
        table.histogram {
            caption { (histogram.name)
                @if let Some(thread) = &histogram.thread { " of " (thread) }
                @if histogram.count == 0 { ": nothing was counted" }
            }
            @if !rows.is_empty() {
                thead { tr { th.number scope="col" { "from" } th.number scope="col" { "count" } td {} } }
            }
            tbody { @for (power, count) in &rows { tr {
                th.number scope="row" { (bound(1 << power)) }
                td.number { (number(*count as f64)) }
                td { svg.bar viewBox=(format!("0 0 {BAR_PX} 12")) aria-hidden="true" {
                    rect height="12" width=(format!("{:.1}", BAR_PX * *count as f64 / most)) {}
                } }
            } } }
        }
    }
}

/// Counts by the power of two of what they count, from the lowest to the highest without a gap.
fn powers_of_two(histogram: &ProbeHistogram) -> BTreeMap<u32, u64> {
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    for &(low, _, count) in &histogram.buckets {
        *rows.entry(low.max(1).ilog2()).or_default() += count;
    }
    if let (Some(&first), Some(&last)) = (rows.keys().next(), rows.keys().next_back()) {
        (first..=last).for_each(|power| {
            rows.entry(power).or_default();
        });
    }
    rows
}

fn rows(table: &Table) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(table.name) { table {
            caption { (table.name)
                @if table.rows.len() > ROWS_SHOWN { ": the first " (ROWS_SHOWN) " of " (table.rows.len()) }
            }
            thead { tr { @for column in &table.columns { th scope="col" { (column.name) } } } }
            tbody { @for row in table.rows.iter().take(ROWS_SHOWN) { tr {
                @for (cell, column) in row.iter().zip(&table.columns) { td { (words(cell, column)) } }
            } } }
        } }
    }
}

fn words(cell: &Cell, column: &Column) -> String {
    match cell {
        Cell::Text(words) => words.clone(),
        Cell::Words(words) => shell::words(words),
        Cell::Count(value) if column.unit.is_empty() => value.to_string(),
        Cell::Count(value) => quantity(*value as f64, &column.unit),
        Cell::Signed(value) => value.to_string(),
        Cell::Number(value) => quantity(*value, &column.unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: Vec<(u64, u64, u64)>) -> ProbeHistogram {
        let (name, unit) = ("runqlat".to_owned(), "ns".to_owned());
        ProbeHistogram { name, thread: None, unit, count: 1, sum: 0, buckets }
    }

    #[test]
    fn powers_of_two_have_no_gap() {
        let rows = powers_of_two(&histogram(vec![(0, 0, 1), (1, 1, 2), (8, 8, 3)]));
        assert_eq!(rows.into_iter().collect::<Vec<_>>(), [(0, 3), (1, 0), (2, 0), (3, 3)]);
        assert!(powers_of_two(&histogram(Vec::new())).is_empty());
    }

    #[test]
    fn what_a_program_called_itself_is_escaped() {
        let table = Table {
            name: "programs".into(),
            columns: vec![Column { name: "ARGS".into(), unit: String::new() }],
            rows: vec![vec![Cell::Text("<script>".into())]],
        };
        let drawn = rows(&table).into_string();
        assert!(drawn.contains("&lt;script>") || drawn.contains("&lt;script&gt;"), "{drawn}");
    }
}
