//! The table of claims: the statement, the predicted and the measured figure, and a small chart of
//! both.

use std::collections::{BTreeMap, BTreeSet};

use lab_record::{How, Judgement, Outcome, as_typed};
use maud::{Markup, html};

use crate::data::Data;
use crate::page::web_link;
use crate::spoken::figure;
use lab_text::quantity::quantity;

/// The small chart's size in its own units, and the margin that its ends keep from the border.
const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 24.0;
const MARGIN: f64 = 8.0;
/// Half of what the chart spans at least, as a share of the prediction.
const LEAST_REACH: f64 = 0.25;

/// The tally, how to read the rows, the claims that this run can judge, and the others folded;
/// `links` has each source's address by its short name, and `data` the charts.
pub(crate) fn section(claims: &[Judgement], links: &BTreeMap<&str, &str>, data: &Data) -> Markup {
    let (judged, others) = split(claims);
    let chosen: Vec<Judgement> = claims.iter().filter(|claim| claim.chosen).cloned().collect();
    html! {
        p.tally { (tally(&chosen)) "." }
        (ways(claims))
        @if !judged.is_empty() { (table(&judged, links, data, &BTreeSet::new())) }
        @if !others.is_empty() {
            details.others { summary { (needs(&judged, &others)) }
                (table(&others, links, data, &judged.iter().map(|row| row.id.as_str()).collect())) }
        }
    }
}

/// `3 claims need other variants`, and the number of checks for what is left of claims that were
/// judged.
pub(crate) fn needs(judged: &[&Judgement], others: &[&Judgement]) -> String {
    let of_judged = |row: &&&Judgement| judged.iter().any(|one| one.id == row.id);
    let checks = others.iter().filter(of_judged).count();
    let claims: BTreeSet<&str> =
        others.iter().filter(|row| !of_judged(row)).map(|row| row.id.as_str()).collect();
    let one_or_more = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one} needs")),
        more => Some(format!("{more} {one}s need")),
    };
    let parts = [one_or_more(claims.len(), "claim"), one_or_more(checks, "check")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{} other variants", parts.join(" and "))
}

/// The rows of the claims that the run can judge, and the other rows. Where some variants were not
/// chosen, a formula alone says nothing of those that were.
pub(crate) fn split(claims: &[Judgement]) -> (Vec<&Judgement>, Vec<&Judgement>) {
    let some = claims.iter().any(|row| !row.chosen);
    let counts = |row: &&Judgement| row.chosen && !(some && row.how == How::ClosedForm);
    let shown: BTreeSet<&str> = claims.iter().filter(counts).map(|row| row.id.as_str()).collect();
    claims.iter().partition(|row| row.chosen && shown.contains(row.id.as_str()))
}

/// Each way to check that occurs, explained once.
fn ways(claims: &[Judgement]) -> Markup {
    let hows: BTreeSet<How> = claims.iter().map(|claim| claim.how).collect();
    html! {
        dl.ways { @for how in hows { div {
            dt { (how.words()) }
            dd { @match how {
                How::ClosedForm => "from a formula, without any run",
                How::Simulated => "the same program in simulated time: the same figure on every machine",
                How::Live => "measured on this machine",
                How::Probe => "what an eBPF probe saw in the kernel of this machine",
            } }
        } } }
    }
}

/// `taken` are the claims that stand in another table of the page.
fn table(
    claims: &[&Judgement],
    links: &BTreeMap<&str, &str>,
    data: &Data,
    taken: &BTreeSet<&str>,
) -> Markup {
    html! {
        table.claims {
            thead { tr {
                th scope="col" { "checked" }
                th scope="col" { "predicted" }
                th scope="col" { "measured (95 %)" }
                th scope="col" { "predicted ◇ and measured ●" }
                th scope="col" { "outcome" }
            } }
            @for same in claims.chunk_by(|a, b| a.id == b.id) {
                @let other = if taken.contains(same[0].id.as_str()) { "other-" } else { "" };
                tbody id=(format!("{other}claim-{}", same[0].id)) {
                    tr { th scope="rowgroup" colspan="5" {
                        b { (same[0].id) } " " (same[0].says) " "
                        cite { (web_link(links.get(same[0].source.as_str()).unwrap_or(&""), &same[0].source)) }
                        (seen_in(&same[0].id, data))
                    } }
                    @for claim in same { (row(claim)) }
                }
            }
        }
    }
}

/// Links to the charts that show a claim; the script turns on the lines that it is about.
fn seen_in(id: &str, data: &Data) -> Markup {
    let charts = data.charts.iter().enumerate().filter_map(|(index, chart)| {
        let concerned = chart.claims.iter().find(|claim| claim.id == id)?;
        Some((format!("chart-{index}"), &chart.title, concerned.variants.join(", ")))
    });
    let flames = data
        .flames
        .iter()
        .enumerate()
        .filter(|(_, flame)| flame.claims.iter().any(|claim| claim == id));
    let flames =
        flames.map(|(index, flame)| (format!("flame-{index}"), &flame.title, String::new()));
    let places: Vec<_> = charts.chain(flames).collect();
    html! {
        @if !places.is_empty() {
            span.seen { "Seen in " @for (i, (place, title, variants)) in places.iter().enumerate() {
                @if i > 0 { "; " }
                a href=(format!("#{place}")) data-claim=(id) { (title) }
                @if !variants.is_empty() { " (" (variants) ")" }
            } }
        }
    }
}

/// The way back: the claims that a chart shows.
pub(crate) fn shown_here<'a>(ids: impl Iterator<Item = &'a str>) -> Markup {
    let ids: Vec<&str> = ids.collect();
    html! {
        @if !ids.is_empty() {
            p.shows { "Shows " @for (i, id) in ids.iter().enumerate() {
                @if i > 0 { ", " } a href=(format!("#claim-{id}")) { (id) }
            } }
        }
    }
}

fn row(claim: &Judgement) -> Markup {
    html! {
        tr.claim data-id=(claim.id) data-how=(claim.how.words()) {
            td data-label="checked" { (claim.how.words()) }
            td data-label="predicted" { (figure("predicted", claim.predicted, &claim.unit)) }
            td data-label="measured" {
                (figure("measured", claim.measured, &claim.unit))
                @if let (Some(_), Some(_)) = (claim.low, claim.high) {
                    span.interval {
                        " [" (figure("low", claim.low, &claim.unit)) ", "
                        (figure("high", claim.high, &claim.unit)) "]"
                    }
                }
            }
            td { (small_chart(claim)) }
            td data-label="outcome" {
                span class=(format!("outcome {}", outcome_class(claim.outcome))) { (outcome(claim.outcome)) }
                @if !claim.reason.is_empty() { small { (claim.reason) } }
                @if !claim.without.is_empty() {
                    small.without { "fails with " code { (as_typed(&claim.without)) } }
                }
            }
        }
    }
}

/// Predicted and measured on one line. The prediction stands in the middle, and the line spans at
/// least a quarter of it each way, so that only a real difference looks large.
fn small_chart(claim: &Judgement) -> Markup {
    let Some(measured) = claim.measured.filter(|value| value.is_finite()) else { return html! {} };
    let middle = claim.predicted.unwrap_or(measured);
    let figures = [claim.measured, claim.low, claim.high];
    let away = figures.into_iter().flatten().map(|value| (value - middle).abs());
    let reach = away.filter(|away| away.is_finite()).fold(LEAST_REACH * middle.abs(), f64::max);
    let room = WIDTH / 2.0 - MARGIN;
    let place = |value: f64| {
        let share = if reach > 0.0 { (value - middle) / reach } else { 0.0 };
        format!("{:.1}", WIDTH / 2.0 + share.clamp(-1.0, 1.0) * room)
    };
    let middle = HEIGHT / 2.0;
    html! {
        svg.claim viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(spoken(claim)) {
            line.axis x1="0" x2=(WIDTH) y1=(middle) y2=(middle) {}
            @if let (Some(low), Some(high)) = (claim.low, claim.high) {
                line.interval x1=(place(low)) x2=(place(high)) y1=(middle) y2=(middle) {}
            }
            circle.measured cx=(place(measured)) cy=(middle) r="5" {}
            @if let Some(predicted) = claim.predicted {
                g transform=(format!("translate({} {middle})", place(predicted))) {
                    path.predicted d="M-7 0L0 -7L7 0L0 7Z" {}
                }
            }
        }
    }
}

/// The chart in words, for those who do not see it.
fn spoken(claim: &Judgement) -> String {
    let say = |value: Option<f64>| value.map_or("none".into(), |v| quantity(v, &claim.unit));
    let (predicted, measured) = (say(claim.predicted), say(claim.measured));
    match (claim.low, claim.high) {
        (Some(_), Some(_)) => {
            let (low, high) = (say(claim.low), say(claim.high));
            format!("predicted {predicted}, measured {measured}, between {low} and {high}")
        }
        _ => format!("predicted {predicted}, measured {measured}"),
    }
}

/// An outcome in words, with a sign that does not depend on colour.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reproduced => "✓ reproduced",
        Outcome::Calibrated => "≈ calibrated",
        Outcome::NotReproduced => "✗ not reproduced",
        Outcome::Invalid => "⚠ invalid",
        Outcome::Unavailable => "– unavailable",
    }
}

fn outcome_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reproduced => "good",
        Outcome::Calibrated => "absent",
        Outcome::NotReproduced => "bad",
        Outcome::Invalid => "doubtful",
        Outcome::Unavailable => "absent",
    }
}

/// `9 of 12 checks reproduced, 1 not reproduced, 2 unavailable; 3 more only calibrated (≈)`. Calibrated checks
/// are not among the twelve.
pub fn tally(claims: &[Judgement]) -> String {
    let count = |wanted: Outcome| claims.iter().filter(|claim| claim.outcome == wanted).count();
    let calibrated = count(Outcome::Calibrated);
    let of = claims.len() - calibrated;
    let mut words = format!("{} of {of} checks reproduced", count(Outcome::Reproduced));
    for outcome in [Outcome::NotReproduced, Outcome::Invalid, Outcome::Unavailable] {
        if count(outcome) > 0 {
            words.push_str(&format!(", {} {}", count(outcome), outcome.words()));
        }
    }
    if calibrated > 0 {
        words.push_str(&format!("; {calibrated} more only calibrated (≈)"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibrated_checks_are_counted_separately() {
        let of = |outcome| Judgement::bare("EX-1", How::ClosedForm, outcome);
        use Outcome::{Calibrated, Invalid, Reproduced};
        assert_eq!(tally(&[Reproduced].map(of)), "1 of 1 checks reproduced");
        let all = [Reproduced, Calibrated, Reproduced, Calibrated, Invalid].map(of);
        assert_eq!(tally(&all), "2 of 3 checks reproduced, 1 invalid; 2 more only calibrated (≈)");
    }
}
