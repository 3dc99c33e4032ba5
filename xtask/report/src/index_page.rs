//! The page of all runs of a checkout, newest first.

use std::collections::BTreeSet;

use lab_record::Mode;
use maud::{Markup, html};

use crate::data::Data;
use crate::index::{Index, RunRow, Trend};
use crate::page::{file_link, file_link_as, page};
use lab_text::quantity::nanoseconds;

/// A sparkline's size in its own units.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;
const MARGIN: f64 = 4.0;

/// The HTML.
pub(crate) fn render(index: &Index) -> String {
    let labs: BTreeSet<&str> = index.runs.iter().map(|run| run.lab.as_str()).collect();
    let body = html! {
        header { p.kicker { "perf-lab" } h1 { "All runs of this checkout" } }
        main {
            p.controls { label { "lab " select id="lab-filter" {
                option value="" { "all" }
                @for lab in &labs { option value=(lab) { (lab) } }
            } } }
            section id="trends" { h2 { "From revision to revision" } (trends(index)) }
            section id="runs" { h2 { (index.runs.len()) " runs" } (runs(&index.runs)) }
            @if !index.comparisons.is_empty() {
                section id="comparisons" { h2 { "Comparisons" } (comparisons(index)) }
            }
        }
    };
    page("perf-lab: all runs", &Data::default(), body)
}

fn trends(index: &Index) -> Markup {
    html! {
        @if index.trends.is_empty() { p { "No valid run of a known revision yet." } } @else {
            p { "Oldest to newest revision, of each its newest valid run; the dot and the figure are the latest. p99i is the median of ten time slices' p99." }
            div.wide tabindex="0" role="region" aria-label="Trends" { table.figures {
                thead { tr { @for head in ["lab", "variant", "revisions", "p50", "latest p50", "p99i", "latest p99i"] { th scope="col" { (head) } } } }
                tbody { @for ((lab, label), trend) in &index.trends {
                    tr data-lab=(lab) {
                        th scope="row" { (lab) } td { (label) } td { (trend.points.len()) }
                        (sparkline(trend, "p50", |point| point.p50_ns))
                        (sparkline(trend, "p99i", |point| point.p99i_ns))
                    }
                } }
            } }
        }
    }
}

fn sparkline(trend: &Trend, name: &str, pick: fn(&crate::index::TrendPoint) -> f64) -> Markup {
    let values: Vec<f64> = trend.points.iter().map(pick).collect();
    let (low, high) = values.iter().fold((f64::MAX, 0.0_f64), |(l, h), v| (l.min(*v), h.max(*v)));
    let place = |(i, value): (usize, &f64)| {
        let across = if values.len() > 1 { i as f64 / (values.len() - 1) as f64 } else { 1.0 };
        let up = if high > low { (value - low) / (high - low) } else { 0.5 };
        (MARGIN + across * (WIDTH - 2.0 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2.0 * MARGIN))
    };
    let places: Vec<(f64, f64)> = values.iter().enumerate().map(place).collect();
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let said: Vec<String> = trend
        .points
        .iter()
        .map(|point| format!("{} {}", point.revision, nanoseconds(pick(point))))
        .collect();
    html! {
        td {
            svg.sparkline viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("{name}: {}", said.join(", "))) {
                title { (said.join("\n")) }
                polyline points=(points.join(" ")) {}
                @if let Some((x, y)) = places.last() { circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3.5" {} }
            }
        }
        td { @if let Some(latest) = values.last() { data value=(latest) { (nanoseconds(*latest)) } } }
    }
}

fn runs(runs: &[RunRow]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Runs" { table.figures {
            thead { tr { @for head in ["started", "lab", "run", "mode", "revision", "checks reproduced", "state"] {
                th scope="col" { (head) } } } }
            tbody { @for run in runs { tr.run data-lab=(run.lab) {
                td { time { (run.created) } }
                td { (run.lab) }
                td { (link(&run.path, run.has_page)) }
                td { @match run.mode { Some(Mode::Live) => "live", Some(Mode::Simulated) => "simulated", None => "–" } }
                td { code { (run.revision.as_deref().unwrap_or("unknown")) } }
                td { @if run.claims.1 > 0 { (run.claims.0) " of " (run.claims.1) } @else { "–" } }
                td { @match (&run.trouble, run.valid) {
                    (Some(trouble), _) => span.bad { (trouble) },
                    (None, Some(true)) => span.good { "✓ valid" },
                    (None, _) => span.doubtful { "⚠ invalid" },
                } }
            } } }
        } }
    }
}

fn comparisons(index: &Index) -> Markup {
    html! { ul { @for one in &index.comparisons {
        li { (link(&one.path, one.has_page)) ": " (one.sides) ", " b { (one.outcome) } }
    } } }
}

/// To the page where there is one, else to the directory.
fn link(path: &str, has_page: bool) -> Markup {
    let name = path.rsplit('/').next().unwrap_or(path);
    if has_page {
        file_link_as(&format!("{path}/{}", crate::PAGE), name)
    } else {
        file_link(&format!("{path}/"))
    }
}
