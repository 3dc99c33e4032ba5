//! The page of a run: the question, the chart that answers it, the claims, then what they rest on.

use std::collections::BTreeMap;

use lab_record::{Mode, Plan};
use maud::{Markup, html};

use crate::claims;
use crate::data::{self, Chart, Data, Place};
use crate::facts;
use crate::flame::Flame;
use crate::load::Loaded;
use crate::page::page;
use crate::places::{chart_place, flame_place, of_profiles};
use crate::probes;
use crate::requests::answered;
use crate::story;

/// The HTML.
pub(crate) fn render(run: &Loaded) -> String {
    let mut data = data::of_run(run);
    data.story = story::place(run, &mut data);
    let lab = name(run);
    let body = html! {
        header { (heading(run, lab)) }
        main {
            (invalid(run))
            (story::section(run, &data))
            (contents(run, &data))
            (troubles(run, &data))
            (limits(run))
            (findings(run, &data))
            (charts(&data))
            (flames(&data))
            (probes::section(run))
            (absent(&data))
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
    let mode = run.mode().map(|mode| match mode {
        Mode::Live => "live run",
        Mode::Simulated => "simulated run",
    });
    html! {
        p.kicker { (lab) @if let Some(mode) = mode { " · " (mode) }
            @if let Some(plan) = &run.plan { " · " time { (plan.created) } } }
        h1 { @if question(run).is_empty() { (lab) } @else { (question(run)) } }
    }
}

/// Links to the sections of the page.
fn contents(run: &Loaded, data: &Data) -> Markup {
    let probed = run.trials.iter().any(|trial| trial.trial.probe.is_some());
    let summary = run.summary.as_ref();
    let parts = [
        ("limits", "Limits", summary.is_some_and(|summary| !summary.limits.is_empty())),
        ("claims", "Claims", summary.is_some_and(|summary| !summary.claims.is_empty())),
        ("charts", "Charts", other_charts(data).next().is_some()),
        ("flames", "Flame graphs", has_flames(data)),
        ("probes", "Probes", probed),
        ("figures", "Figures", summary.is_some_and(facts::has_figures)),
        ("trials", "Trials", summary.is_some()),
        ("environment", "Machine", true),
        ("repeat", "Repeat", true),
        ("files", "Files", true),
    ];
    html! {
        nav aria-label="On this page" { ul {
            @for (id, words, _) in parts.iter().filter(|(_, _, has)| *has) {
                li { a href=(format!("#{id}")) { (words) } }
            }
        } }
    }
}

/// Why the figures must not be used.
fn invalid(run: &Loaded) -> Markup {
    let reasons = run.summary.as_ref().map_or(&[][..], |summary| &summary.invalid_reasons);
    html! {
        @if !reasons.is_empty() {
            section.trouble.invalid { h2 { "⚠ This run is invalid" }
                ul { @for reason in reasons { li { (reason) } } } }
        }
    }
}

/// What a reader should know of the run, what is missing, and what was left out.
fn troubles(run: &Loaded, data: &Data) -> Markup {
    html! {
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

/// Limits that were set, and whether they are kept.
fn limits(run: &Loaded) -> Markup {
    let limits = run.summary.as_ref().map_or(&[][..], |summary| &summary.limits);
    html! {
        @if !limits.is_empty() {
            section id="limits" { h2 { "Limits" }
                div.wide tabindex="0" role="region" aria-label="Limits" { table.figures {
                    thead { tr { @for head in ["limit", "outcome", "measured"] { th scope="col" { (head) } } } }
                    tbody { @for limit in limits { tr.limit data-standing=(limit.standing.name()) {
                        th scope="row" { code { (limit.limit) } }
                        td { (limit.standing.name()) }
                        td { (limit.found()) }
                    } } }
                } }
            }
        }
    }
}

fn findings(run: &Loaded, data: &Data) -> Markup {
    let claims = run.summary.as_ref().map_or(&[][..], |summary| &summary.claims);
    let sources = run.plan.iter().flat_map(|plan| &plan.description.sources);
    let links: BTreeMap<&str, &str> =
        sources.map(|source| (source.short.as_str(), source.link.as_str())).collect();
    html! {
        @if !claims.is_empty() {
            section id="claims" { h2 { "What was expected, and what was found" }
                (claims::section(claims, &links, data))
                @if let Some(plan) = &run.plan { (variants(plan)) }
            }
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

fn charts(data: &Data) -> Markup {
    let mut others = other_charts(data).peekable();
    html! {
        @if others.peek().is_some() {
            section id="charts" { h2 { "Charts" }
                @for (index, _) in others { (chart_place(index, data, html! {})) }
            }
        }
    }
}

/// The charts of timed trials but the one that stands first.
fn other_charts(data: &Data) -> impl Iterator<Item = (usize, &Chart)> {
    let all = data.charts.iter().enumerate().filter(|(_, chart)| !of_profiles(chart));
    all.filter(|(index, _)| data.story != Some(Place::Chart(*index)))
}

/// What the page lacks, and why, in a sentence each.
fn absent(data: &Data) -> Markup {
    html! {
        @if data.series.is_empty() { p.absent { "This run has no histograms, so there is no latency to draw." } }
        @if data.flames.is_empty() {
            p.absent { "This run has no profile: it was made with --profile none, or no variant is profiled." }
        }
        @if !data.absent.is_empty() {
            p.absent { "This run has no data for: " (data.absent.join("; ")) "." }
        }
    }
}

fn flames(data: &Data) -> Markup {
    html! {
        @if has_flames(data) {
            section id="flames" { h2 { "Flame graphs" }
                p { "Wider is more; a frame stands on its caller; scroll up for what ran. Click or Enter zooms, arrows walk, Esc zooms out." }
                @for (index, flame) in other_flames(data) { (flame_place(index, flame, html! {})) }
                @for (index, _) in data.charts.iter().enumerate().filter(|(_, chart)| of_profiles(chart)) {
                    (chart_place(index, data, html! {}))
                }
            }
        }
    }
}

fn has_flames(data: &Data) -> bool {
    other_flames(data).next().is_some() || data.charts.iter().any(of_profiles)
}

fn other_flames(data: &Data) -> impl Iterator<Item = (usize, &Flame)> {
    let all = data.flames.iter().enumerate();
    all.filter(|(index, _)| data.story != Some(Place::Flame(*index)))
}

/// What the charts rest on.
fn grounds(run: &Loaded, data: &Data) -> Markup {
    html! {
        @if let Some(summary) = &run.summary {
            @if facts::has_figures(summary) { section id="figures" { h2 { "Figures" }
                @for sentence in answered(summary) { p.answered { (sentence) } }
                @if summary.series.values().flat_map(|all| all.values()).any(|series| series.censored > 0) {
                    p { "≥ marks a lower bound: requests without an answer count with the time that they had waited." }
                }
                @if !summary.series.is_empty() { (facts::series(summary)) }
                @if !summary.metrics.is_empty() { (facts::metrics(run, summary)) } } }
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

/// Notes of the trials.
fn notes(run: &Loaded) -> Markup {
    let notes = run.trials.iter().filter_map(|trial| {
        let notes = &trial.metrics.as_ref()?.notes;
        (!notes.is_empty()).then_some((trial.trial.id.as_str(), notes))
    });
    html! { ul { @for (id, notes) in notes { @for note in notes { li { b { (id) } ": " (note) } } } } }
}
