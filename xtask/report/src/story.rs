//! The top of a page: the chart of the finding, the finding itself, and what to try next.

use lab_record::{ShownBy, as_typed};
use maud::{Markup, html};

use crate::data::{Data, Place};
use crate::flame::Flame;
use crate::load::Loaded;
use crate::places::{chart_place, flame_place};

/// The chart that stands first: the one that the lab names. If the run does not have it: the first
/// differential or hot-cold flame graph, else the first chart, else the first flame graph with
/// enough samples.
pub(crate) fn place(run: &Loaded, data: &mut Data) -> Option<Place> {
    let story = run.plan.as_ref()?.description.story.as_ref()?;
    let of = |flame: &Flame, variant: &str, kind: &str| {
        flame.variant == variant && flame.kind == kind && !flame.few
    };
    let flame =
        |wanted: &dyn Fn(&Flame) -> bool| data.flames.iter().position(wanted).map(Place::Flame);
    let named = match &story.chart {
        Some(ShownBy::Chart { title, variants }) => {
            let at = data.charts.iter().position(|chart| chart.title == *title);
            if let Some(at) = at {
                data.charts[at].first.clone_from(variants);
            }
            at.map(Place::Chart)
        }
        Some(ShownBy::FlameGraph { variant }) => flame(&|one| of(one, variant, "cpu")),
        Some(ShownBy::Stacks { variant, kind }) => flame(&|one| of(one, variant, kind)),
        None => None,
    };
    let flame =
        |wanted: &dyn Fn(&Flame) -> bool| data.flames.iter().position(wanted).map(Place::Flame);
    named
        .or_else(|| flame(&|one| !one.changes.is_empty() || one.hot_cold))
        .or_else(|| (!data.charts.is_empty()).then_some(Place::Chart(0)))
        .or_else(|| flame(&|one| !one.few))
}

/// The first part below the title; empty where the lab has no story.
pub(crate) fn section(run: &Loaded, data: &Data) -> Markup {
    let Some(told) = run.summary.as_ref().map(|summary| &summary.story) else { return html! {} };
    let caption = html! {
        (variants(run))
        @match &told.finding {
            Some(finding) => p.finding { (finding) },
            None if told.reason.is_empty() => {},
            None => p.finding.absent { "No finding: " (told.reason) },
        }
    };
    let says = told.finding.is_some() || !told.reason.is_empty() || told.next.is_some();
    html! {
        @if says || data.story.is_some() {
            section id="story" aria-label="The finding" {
                @match data.story {
                    Some(Place::Chart(at)) => (chart_place(at, data, caption)),
                    Some(Place::Flame(at)) => (flame_place(at, &data.flames[at], caption)),
                    None => (caption),
                }
                (next(run))
            }
        }
    }
}

/// What the lines of the chart are: the variants that the story names, of those that ran.
fn variants(run: &Loaded) -> Markup {
    let chart = run.plan.as_ref().and_then(|plan| plan.description.story.as_ref()?.chart.as_ref());
    let named: &[String] = match chart {
        Some(ShownBy::Chart { variants, .. }) => variants,
        Some(ShownBy::FlameGraph { variant } | ShownBy::Stacks { variant, .. }) => {
            std::slice::from_ref(variant)
        }
        None => &[],
    };
    let ran = |name: &str| run.trials.iter().any(|trial| trial.trial.variant == name);
    let all = run.plan.iter().flat_map(|plan| &plan.description.variants);
    let shown: Vec<_> = all.filter(|one| named.contains(&one.name) && ran(&one.name)).collect();
    html! {
        @if !shown.is_empty() {
            p.key { @for (i, variant) in shown.iter().enumerate() {
                @if i > 0 { "; " } b { (variant.name) } ": " (variant.why)
            } }
        }
    }
}

/// What to try, and to predict first.
fn next(run: &Loaded) -> Markup {
    let summary = run.summary.as_ref();
    let next = summary.and_then(|summary| Some((&summary.lab, summary.story.next.as_ref()?)));
    html! {
        @if let Some((lab, next)) = next {
            div.next { p { b { "Try next: " } (next.ask) }
                pre { code { (command(lab, &as_typed(&next.set))) } } }
        }
    }
}

/// The command of the next step.
pub(crate) fn command(lab: &str, set: &str) -> String {
    format!("cargo xtask lab {lab} {set}")
}
