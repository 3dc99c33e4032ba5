//! A summary as tables for a terminal of eighty columns.

use std::collections::{BTreeMap, BTreeSet};

use lab_record::{
    Judgement, Mode, Outcome, ProbeSummary, SeriesSummary, State, Summary, simulated_label,
};

use crate::output::{Paint, Tone, paragraph, row};
use crate::quantity::{number, quantity};
use crate::sparkline;

/// Shown in place of a missing figure.
const DASH: &str = "–";
/// The width of a figure's column.
const FIGURE: usize = 11;

/// The whole summary: claims, variants, what went wrong, and where the files are.
pub(crate) fn render(summary: &Summary, paint: Paint) -> String {
    let mut text = String::new();
    claims(&mut text, summary, paint);
    variants(&mut text, summary);
    sentences(&mut text, &lab_report::answered(summary));
    probes(&mut text, summary);
    limits(&mut text, summary, paint);
    troubles(&mut text, summary);
    files(&mut text, summary);
    text
}

fn claims(text: &mut String, summary: &Summary, paint: Paint) {
    if summary.claims.is_empty() {
        return;
    }
    let (how, outcome) = ("claim", "outcome");
    row(
        text,
        &format!(
            "{how:<13} {:>FIGURE$} {:>FIGURE$}  {:<22} {outcome}",
            "predicted", "measured", "95 %"
        ),
    );
    for same in summary.claims.chunk_by(|a, b| a.id == b.id) {
        paragraph(text, &format!("{}: ", same[0].id), &same[0].says, 2);
        for (at, judgement) in same.iter().enumerate() {
            claim(text, judgement, paint);
            // Of consecutive rows with the same reason, only the last shows it.
            let repeated = same.get(at + 1).is_some_and(|next| {
                (next.outcome, &next.reason) == (judgement.outcome, &judgement.reason)
            });
            if !judgement.outcome.agrees() && !judgement.reason.is_empty() && !repeated {
                paragraph(text, "      ", &judgement.reason, 8);
            }
        }
    }
    row(text, &format!("{}.", lab_report::tally(&summary.claims)));
    text.push('\n');
}

fn claim(text: &mut String, judgement: &Judgement, paint: Paint) {
    let how = judgement.how.words();
    let figure =
        |value: Option<f64>| value.map_or(DASH.into(), |v| short(v, &judgement.unit, FIGURE));
    let interval = match (judgement.low, judgement.high) {
        (Some(_), Some(_)) => format!("{} to {}", figure(judgement.low), figure(judgement.high)),
        _ => String::new(),
    };
    let (predicted, measured) = (figure(judgement.predicted), figure(judgement.measured));
    let outcome = outcome(judgement.outcome, paint);
    row(
        text,
        &format!("  {how:<11} {predicted:>FIGURE$} {measured:>FIGURE$}  {interval:<22} {outcome}"),
    );
}

pub(crate) fn outcome(outcome: Outcome, paint: Paint) -> String {
    let words = outcome.words();
    match outcome {
        Outcome::Reproduced => paint.tone(Tone::Good, words),
        Outcome::NotReproduced => paint.tone(Tone::Bad, words),
        Outcome::Invalid => paint.tone(Tone::Doubtful, words),
        Outcome::Calibrated | Outcome::Unavailable => paint.tone(Tone::Faint, words),
    }
}

/// A figure with its unit, or without it if the unit does not fit.
pub(crate) fn short(value: f64, unit: &str, width: usize) -> String {
    let whole = quantity(value, unit);
    if whole.chars().count() <= width { whole } else { number(value) }
}

fn variants(text: &mut String, summary: &Summary) {
    let rows = rows_in_order(summary);
    let words =
        rows.iter().flat_map(|(label, name, _)| [label.chars().count(), name.chars().count()]);
    let width = words.max().unwrap_or(0);
    for of_a_series in rows.chunk_by(|(_, a, _), (_, b, _)| a == b) {
        series_table(text, of_a_series, width);
    }
}

fn series_table(text: &mut String, rows: &[(String, &str, &SeriesSummary)], width: usize) {
    let Some((_, name, _)) = rows.first() else { return };
    // A bound needs room for its sign, and has no known rise.
    let bounds = rows.iter().any(|(_, _, series)| series.censored > 0);
    let (wide, rise) = if bounds { (9, "") } else { (8, " rise") };
    let heads = ["p50", "p90", "p99", "p99.9", "max"];
    let heading = heads.map(|head| format!("{head:>wide$}")).concat();
    row(text, &format!("{name:<width$} {:>9}{heading}{rise}", "count"));
    let all: Vec<&SeriesSummary> = rows.iter().map(|(_, _, series)| *series).collect();
    for (label, _, series) in rows {
        let figure = |(ns, bound)| {
            let words = crate::quantity::bounded(ns, bound).replace("≥ ", "≥");
            format!("{words:>wide$}")
        };
        let figures = series.columns().map(figure).concat();
        let count = number(series.count as f64);
        let rise = if bounds { String::new() } else { sparkline::rise(series, &all) };
        row(text, format!("{label:<width$} {count:>9}{figures} {rise}").trim_end());
    }
    text.push('\n');
}

/// Each sentence on a line of its own, and an empty line below them.
pub(crate) fn sentences(text: &mut String, sentences: &[String]) {
    sentences.iter().for_each(|sentence| paragraph(text, "", sentence, 2));
    if !sentences.is_empty() {
        text.push('\n');
    }
}

/// Label, series name and percentiles: variants in the order of their trials, each followed by its
/// simulated companion.
fn rows_in_order(summary: &Summary) -> Vec<(String, &str, &SeriesSummary)> {
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for variant in summary.trials.iter().map(|trial| &trial.variant) {
        if !seen.insert(variant) {
            continue;
        }
        let companion = simulated_label(variant);
        for (label, show_as) in [(variant, variant.as_str()), (&companion, "  @simulated")] {
            if let Some((name, series)) = summary.series.get(label).and_then(shown) {
                rows.push((show_as.to_owned(), name.as_str(), series));
            }
        }
    }
    rows
}

/// `response` if there is one, else the first of the lab's own series.
fn shown(all: &BTreeMap<String, SeriesSummary>) -> Option<(&String, &SeriesSummary)> {
    let own = || all.iter().find(|(name, _)| !EVERY_LAB_HAS.contains(&name.as_str()));
    all.get_key_value("response").or_else(own)
}

/// Series that the kit records in each live trial, about the machine.
const EVERY_LAB_HAS: [&str; 1] = ["hiccup"];

/// The cost of each probe: it slows what it observes, so its trials enter no figure above.
fn probes(text: &mut String, summary: &Summary) {
    if summary.probes.is_empty() {
        return;
    }
    row(text, &format!("{:<13} {:<24} {:>11} {:>6}  cost", "probe", "variant", "events", "lost"));
    for ProbeSummary { variant, probe, duration_s, lost, cost, .. } in &summary.probes {
        let share = |ns: u64| ns as f64 / 1e9 / duration_s.max(1e-9) * 100.0;
        let cost_of = cost.run_ns.map_or(DASH.into(), |ns| format!("{:.2} % of a CPU", share(ns)));
        let (events, lost) = (number(cost.events as f64), number(*lost as f64));
        row(text, &format!("{probe:<13} {variant:<24} {events:>11} {lost:>6}  {cost_of}"));
    }
    text.push('\n');
}

/// Limits that were set, each in a line.
pub(crate) fn limits(text: &mut String, summary: &Summary, paint: Paint) {
    for limit in &summary.limits {
        paragraph(text, "", &lab_verdict::render::limit(limit, paint), 2);
    }
    if !summary.limits.is_empty() {
        text.push('\n');
    }
}

pub(crate) fn troubles(text: &mut String, summary: &Summary) {
    let before = text.len();
    for reason in &summary.invalid_reasons {
        paragraph(text, "invalid: ", reason, 2);
    }
    for note in &summary.notes {
        paragraph(text, "note: ", note, 2);
    }
    for trial in summary.trials.iter().filter(|trial| trial.state != State::Finished) {
        let state = match trial.state {
            State::Killed => "killed",
            State::Crashed => "crashed",
            State::TimedOut => "timed out",
            State::NotRun | State::Finished => "not run",
        };
        row(text, &format!("{state}: {}", trial.id));
    }
    if text.len() > before {
        text.push('\n');
    }
}

fn files(text: &mut String, summary: &Summary) {
    for artifact in &summary.artifacts {
        row(text, &format!("{}/{artifact}", summary.run));
    }
    let mode = if summary.mode == Mode::Simulated { "simulated run" } else { "run" };
    row(text, &format!("{mode}: {}", summary.run));
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
