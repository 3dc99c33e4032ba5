//! A run as Markdown, for a pull request or a job's summary.

use std::fmt::Write as _;

use lab_record::{Judgement, State, Summary, as_typed};
use lab_text::markdown::Align::{Left, Right};
use lab_text::markdown::{code, escape, table};

use crate::claims::{needs, outcome, split, tally};
use crate::facts::{repeat, state};
use crate::load::Loaded;
use crate::requests::answered;
use crate::story::command;
use lab_text::quantity::{bounded, number, quantity};

const DASH: &str = "–";

/// The question, the claims, the percentiles, and how to repeat it.
pub(crate) fn run(run: &Loaded) -> String {
    let mut text = String::new();
    if let Some(plan) = &run.plan {
        let (name, question) = (escape(&plan.description.name), escape(&plan.description.question));
        line(&mut text, &format!("## {name}: {question}\n"));
    }
    match &run.summary {
        Some(found) => text.push_str(&summary(found)),
        None => line(&mut text, "No summary: the run was not finished.\n"),
    }
    for words in &run.missing {
        line(&mut text, &format!("- missing: {}", escape(words)));
    }
    if let Some(plan) = &run.plan {
        line(&mut text, &format!("\nRepeat: {}", code(&repeat(plan))));
    }
    text
}

/// What `summary.json` holds.
pub(crate) fn summary(summary: &Summary) -> String {
    let mut text = String::new();
    if !summary.valid {
        line(&mut text, "**⚠ This run is invalid.**\n");
        for reason in &summary.invalid_reasons {
            line(&mut text, &format!("- {}", escape(reason)));
        }
        text.push('\n');
    }
    story(&mut text, summary);
    for note in &summary.notes {
        line(&mut text, &format!("- {}", escape(note)));
    }
    if !summary.notes.is_empty() {
        text.push('\n');
    }
    for limit in &summary.limits {
        let (typed, standing) = (code(&limit.limit), limit.standing.name());
        line(&mut text, &format!("- limit {typed}: {standing}: {}", escape(&limit.found())));
    }
    if !summary.limits.is_empty() {
        text.push('\n');
    }
    if !summary.claims.is_empty() {
        claims(&mut text, &summary.claims);
    }
    percentiles(&mut text, summary);
    let requests = answered(summary);
    requests.iter().for_each(|sentence| line(&mut text, &format!("- {}", escape(sentence))));
    if !requests.is_empty() {
        text.push('\n');
    }
    for trial in summary.trials.iter().filter(|trial| trial.state != State::Finished) {
        line(&mut text, &format!("- trial {}: {}", escape(&trial.id), state(trial.state)));
    }
    line(&mut text, &format!("Run: {}", code(&summary.run)));
    text
}

/// The finding, and what to try.
fn story(text: &mut String, summary: &Summary) {
    let told = &summary.story;
    match &told.finding {
        Some(finding) => line(text, &format!("**{}**\n", escape(finding))),
        None if told.reason.is_empty() => {}
        None => line(text, &format!("No finding: {}\n", escape(&told.reason))),
    }
    if let Some(next) = &told.next {
        let command = command(&summary.lab, &as_typed(&next.set));
        line(text, &format!("Try next: {} {}\n", code(&command), escape(&next.ask)));
    }
}

fn claims(text: &mut String, claims: &[Judgement]) {
    let (judged, others) = split(claims);
    let chosen: Vec<Judgement> = claims.iter().filter(|claim| claim.chosen).cloned().collect();
    line(text, &format!("{}.\n", tally(&chosen)));
    let head = [
        ("claim", Left),
        ("checked", Left),
        ("predicted", Right),
        ("measured", Right),
        ("95 %", Left),
        ("outcome", Left),
    ];
    let row = |claim: &&Judgement| {
        let figure = |value: Option<f64>| {
            value.map_or(DASH.into(), |value| escape(&quantity(value, &claim.unit)))
        };
        let interval = match (claim.low, claim.high) {
            (Some(_), Some(_)) => format!("{} to {}", figure(claim.low), figure(claim.high)),
            _ => String::new(),
        };
        let says = format!("**{}** {}", escape(&claim.id), escape(&claim.says));
        let (predicted, measured) = (figure(claim.predicted), figure(claim.measured));
        let (how, outcome) = (claim.how.words().to_owned(), outcome(claim.outcome).to_owned());
        [says, how, predicted, measured, interval, outcome]
    };
    text.push_str(&table(head, judged.iter().map(row)));
    if !others.is_empty() {
        line(text, &format!("\n{}.", needs(&judged, &others)));
    }
    text.push('\n');
}

fn percentiles(text: &mut String, summary: &Summary) {
    let shown = summary.series.iter().filter_map(|(label, all)| {
        let (name, series) = all.get_key_value("response").or_else(|| all.first_key_value())?;
        Some((label, name, series))
    });
    let mut shown = shown.peekable();
    if shown.peek().is_none() {
        return;
    }
    let head = [
        ("variant", Left),
        ("series", Left),
        ("count", Right),
        ("p50", Right),
        ("p90", Right),
        ("p99", Right),
        ("p99.9", Right),
        ("max", Right),
    ];
    let rows = shown.map(|(label, name, series)| {
        let [p50, p90, p99, p99_9, max] = series.columns().map(|(ns, bound)| bounded(ns, bound));
        let count = number(series.count as f64);
        [escape(label), escape(name), count, p50, p90, p99, p99_9, max]
    });
    text.push_str(&table(head, rows));
    text.push('\n');
}

fn line(text: &mut String, words: &str) {
    writeln!(text, "{words}").expect("a string takes all");
}
