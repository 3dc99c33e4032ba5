//! The elements into which the script draws charts and flame graphs, with headings and captions.

use maud::{Markup, html};

use crate::bars;
use crate::chart_figures::figures_of;
use crate::claims;
use crate::data::{Chart, ChartKind, Data};
use crate::flame::Flame;
use crate::flames::FEW_SAMPLES;

/// Whether a chart is of the trials that were profiled.
pub(crate) fn of_profiles(chart: &Chart) -> bool {
    matches!(chart.kind, ChartKind::Heat { profiled: true, .. })
}

/// Where the script puts a chart; `caption` stands below it.
pub(crate) fn chart_place(index: usize, data: &Data, caption: Markup) -> Markup {
    let chart = &data.charts[index];
    let of_label = |label: &str| data.labels.iter().find(|known| known.name == label);
    let color = |label: &str| of_label(label).map_or(0, |label| label.color);
    html! {
        figure id=(format!("chart-{index}")) data-kind=(kind(&chart.kind)) {
            div.head { h3 { (chart.title) }
                (claims::shown_here(chart.claims.iter().map(|claim| claim.id.as_str()))) }
            @if of_profiles(chart) {
                p { "The latencies of trials that were profiled: a profiler has its cost, so they are in no figure. "
                    "A request stands where it was meant to start, a sample of the flame graph at its own time." }
            }
            @match &chart.kind {
                ChartKind::Bars { bars } => (bars::table(&chart.title, bars, color)),
                _ => div.chart data-chart=(index) {},
            }
            (captioned(caption))
            (figures_of(chart))
        }
    }
}

fn captioned(caption: Markup) -> Markup {
    html! { @if !caption.0.is_empty() { figcaption { (caption) } } }
}

fn kind(kind: &ChartKind) -> &'static str {
    match kind {
        ChartKind::Percentiles { .. } => "percentiles",
        ChartKind::Ecdf { .. } => "ecdf",
        ChartKind::Heat { .. } => "heat",
        ChartKind::Lines { .. } => "lines",
        ChartKind::Shift { .. } => "shift",
        ChartKind::Bars { .. } => "bars",
        ChartKind::Stacked(_) => "stacked",
        ChartKind::Rows { .. } => "rows",
        ChartKind::Trails { .. } => "trails",
    }
}

/// What the colours of a differential say.
pub(crate) const DIFFERENTIAL_KEY: &str = "Orange costs more, blue less, grey is no real change. Before and after share one set of frames; elided shows what vanished.";

/// Where the script puts a flame graph; `caption` stands below it.
pub(crate) fn flame_place(index: usize, flame: &Flame, caption: Markup) -> Markup {
    let place = html! { div.flame data-flame=(index) {} };
    html! {
        figure id=(format!("flame-{index}")) data-kind="flame" {
            div.head { h3 { (flame.title) }
                (claims::shown_here(flame.claims.iter().map(String::as_str))) }
            @if flame.hot_cold {
                p.key { "Orange ran on a CPU, blue waited, grey holds both: together they are all of the time." }
            }
            @if !flame.variant.is_empty() && !flame.changes.is_empty() { p.key { (DIFFERENTIAL_KEY) } }
            @if flame.few {
                details.few { summary { "Closed: with fewer than " (FEW_SAMPLES) " samples, a width says little. Open it all the same" }
                    (place) }
            } @else { (place) }
            (captioned(caption))
            @for why in &flame.no_window { p.absent { (why) } }
        }
    }
}
