//! The page of a run: the question and its answer first, then the pictures, then what they rest on.

use std::collections::BTreeMap;

use lab_record::{Mode, Plan};
use maud::{Markup, html};

use crate::claims;
use crate::data::{self, Chart, ChartKind, Data};
use crate::facts;
use crate::flame::Flame;
use crate::load::Loaded;
use crate::page::page;
use crate::probes;
use crate::requests::answered;

/// The HTML.
pub(crate) fn render(run: &Loaded) -> String {
    let data = data::of_run(run);
    let lab = name(run);
    let body = html! {
        header { (heading(run, lab)) }
        main {
            (troubles(run, &data))
            (findings(run, &data))
            (pictures(&data))
            (flames(&data))
            (probes::section(run))
            (grounds(run, &data))
        }
    };
    page(&format!("{lab}: {}", question(run)), &data, body)
}

fn name(run: &Loaded) -> &str {
    let planned = run.plan.as_ref().map(|plan| plan.description.name.as_str());
    planned.or(run.summary.as_ref().map(|summary| summary.lab.as_str())).unwrap_or("a lab")
}

fn question(run: &Loaded) -> &str {
    run.plan.as_ref().map_or("", |plan| plan.description.question.as_str())
}

fn heading(run: &Loaded, lab: &str) -> Markup {
    let mode = run.plan.as_ref().map(|plan| match plan.mode {
        Mode::Live => "live run",
        Mode::Virtual => "virtual run",
    });
    html! {
        p.kicker { (lab) @if let Some(mode) = mode { " · " (mode) }
            @if let Some(plan) = &run.plan { " · " time { (plan.created) } } }
        h1 { @if question(run).is_empty() { (lab) } @else { (question(run)) } }
        @if let Some(summary) = run.summary.as_ref().filter(|summary| !summary.claims.is_empty()) {
            p.tally { (claims::tally(&summary.claims)) "." }
        }
        nav aria-label="On this page" { ul {
            @for (id, words) in [("claims", "Claims"), ("pictures", "Pictures"), ("flames", "Flame graphs"), ("probes", "Probes"),
                ("figures", "Figures"), ("trials", "Trials"), ("environment", "Machine"), ("repeat", "Repeat"), ("files", "Files")] {
                @if id != "probes" || run.trials.iter().any(|trial| trial.trial.probe.is_some()) {
                    li { a href=(format!("#{id}")) { (words) } }
                }
            }
        } }
    }
}

/// Why the figures must not be used, what is missing, and what was left out.
fn troubles(run: &Loaded, data: &Data) -> Markup {
    let reasons = run.summary.as_ref().map_or(&[][..], |summary| &summary.invalid_reasons);
    html! {
        @if !reasons.is_empty() {
            section.trouble.invalid { h2 { "⚠ This run is invalid" }
                ul { @for reason in reasons { li { (reason) } } } }
        }
        @let notes = run.summary.as_ref().map_or(&[][..], |summary| &summary.notes);
        @if !notes.is_empty() {
            section.trouble { h2 { "To know" } ul { @for note in notes { li { (note) } } } }
        }
        @if run.missing.len() + data.notes.len() > 0 {
            section.trouble.missing { h2 { "Missing from this page" }
                ul { @for words in run.missing.iter().chain(&data.notes) { li { (words) } } } }
        }
    }
}

fn findings(run: &Loaded, data: &Data) -> Markup {
    let claims = run.summary.as_ref().map_or(&[][..], |summary| &summary.claims);
    let sources = run.plan.iter().flat_map(|plan| &plan.description.sources);
    let links: BTreeMap<&str, &str> =
        sources.map(|source| (source.short.as_str(), source.link.as_str())).collect();
    html! {
        section id="claims" { h2 { "What was expected, and what was found" }
            @if claims.is_empty() { p { "No claim was judged in this run." } }
            @else { (claims::table(claims, &links, data)) }
            @if let Some(plan) = &run.plan { (variants(plan)) }
        }
    }
}

fn variants(plan: &Plan) -> Markup {
    html! {
        details { summary { "The variants, and the sources" }
            dl { @for variant in &plan.description.variants { div { dt { (variant.name) } dd { (variant.why) } } } }
            ul { @for source in &plan.description.sources {
                li { (crate::page::web_link(&source.link, &source.title)) }
            } }
        }
    }
}

fn pictures(data: &Data) -> Markup {
    html! {
        section id="pictures" { h2 { "Pictures" }
            @if data.series.is_empty() {
                p { "This run has no histograms, so there is no latency to draw." }
            }
            @for (index, chart) in data.charts.iter().enumerate().filter(|(_, chart)| !of_profiles(chart)) {
                (chart_place(index, chart, data))
            }
        }
    }
}

fn of_profiles(chart: &Chart) -> bool {
    matches!(chart.kind, ChartKind::Heat { profiled: true, .. })
}

/// Where the script puts a chart; without the script, or without data, the words remain.
fn chart_place(index: usize, chart: &Chart, data: &Data) -> Markup {
    let absent = match &chart.kind {
        ChartKind::Percentiles { series, .. } | ChartKind::Ecdf { series, .. } => {
            (!data.series.contains_key(series))
                .then(|| format!("No histogram of {series} in this run."))
        }
        ChartKind::Heat { series, trials, .. } => {
            trials.is_empty().then(|| format!("No log of {series} for this map in this run."))
        }
        ChartKind::Lines { lines, .. } | ChartKind::Shift { lines } => lines
            .iter()
            .all(|line| line.points.is_empty())
            .then(|| "No such curve or gauge in this run.".into()),
    };
    html! {
        figure id=(format!("chart-{index}")) data-kind=(kind(&chart.kind)) {
            figcaption { h3 { (chart.title) }
                (claims::shown_here(chart.claims.iter().map(|claim| claim.id.as_str()))) }
            @if of_profiles(chart) {
                p { "The latencies of trials that were profiled: a profiler has its cost, so they are in no figure. "
                    "A request stands where it was meant to start, a sample of the flame graph at its own time." }
            }
            @if let Some(words) = absent { p.absent { (words) } } @else { div.chart data-chart=(index) {} }
        }
    }
}

fn kind(kind: &ChartKind) -> &'static str {
    match kind {
        ChartKind::Percentiles { .. } => "percentiles",
        ChartKind::Ecdf { .. } => "ecdf",
        ChartKind::Heat { .. } => "heat",
        ChartKind::Lines { .. } => "lines",
        ChartKind::Shift { .. } => "shift",
    }
}

fn flames(data: &Data) -> Markup {
    html! {
        section id="flames" { h2 { "Flame graphs" }
            @if data.flames.is_empty() {
                p { "This run has no profile: it was made with --profile none, or no variant is profiled." }
            } @else {
                p { "Wider is more; a frame stands on its caller; scroll up for what ran. Click or Enter zooms, arrows walk, Esc zooms out." }
            }
            @for (index, flame) in data.flames.iter().enumerate() { (flame_place(index, flame)) }
            @for (index, chart) in data.charts.iter().enumerate().filter(|(_, chart)| of_profiles(chart)) {
                (chart_place(index, chart, data))
            }
        }
    }
}

/// Where the script puts a flame graph.
pub(crate) fn flame_place(index: usize, flame: &Flame) -> Markup {
    html! {
        figure id=(format!("flame-{index}")) data-kind="flame" {
            figcaption { h3 { (flame.title) }
                (claims::shown_here(flame.claims.iter().map(String::as_str))) }
            div.flame data-flame=(index) {}
            @for why in &flame.no_window { p.absent { (why) } }
        }
    }
}

/// What the pictures rest on.
fn grounds(run: &Loaded, data: &Data) -> Markup {
    html! {
        @if let Some(summary) = &run.summary {
            section id="figures" { h2 { "Figures" }
                @for sentence in answered(summary) { p.answered { (sentence) } }
                @if summary.series.values().flat_map(|all| all.values()).any(|series| series.censored > 0) {
                    p { "≥ marks a lower bound: requests without an answer count with the time that they had waited." }
                }
                (facts::series(summary)) (facts::metrics(run, summary)) }
            section id="trials" { h2 { "Trials, generator and validity" }
                p { @if summary.valid { "Every trial that counts is valid." } @else { "This run is invalid: see above." }
                    " A generator later at its p99 than a tenth of the measured p50 makes a run invalid." }
                (facts::trials(run, data, summary)) (notes(run)) }
        }
        section id="environment" { h2 { "The machine" }
            @match &run.environment {
                Some(environment) => (facts::environment(environment)),
                None => p { "Unknown: environment.json is missing." },
            }
        }
        section id="repeat" { h2 { "To repeat it" }
            @match &run.plan {
                Some(plan) => (facts::command(plan)),
                None => p { "Unknown: plan.json is missing." },
            }
        }
        section id="files" { h2 { "Raw files" } (facts::files(run)) }
    }
}

/// What the trials themselves want a reader to know.
fn notes(run: &Loaded) -> Markup {
    let notes = run.trials.iter().filter_map(|trial| {
        let notes = &trial.metrics.as_ref()?.notes;
        (!notes.is_empty()).then_some((trial.trial.id.as_str(), notes))
    });
    html! { ul { @for (id, notes) in notes { @for note in notes { li { b { (id) } ": " (note) } } } } }
}
