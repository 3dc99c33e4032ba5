//! A run as Markdown, for a pull request or a job's summary.

use std::fmt::Write as _;

use lab_record::{Judgement, State, Summary};

use crate::claims::{outcome, tally};
use crate::facts::{repeat, state};
use crate::load::Loaded;
use crate::quantity::{bounded, number, quantity};
use crate::requests::answered;

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
    for note in &summary.notes {
        line(&mut text, &format!("- {}", escape(note)));
    }
    if !summary.notes.is_empty() {
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

fn claims(text: &mut String, claims: &[Judgement]) {
    line(text, &format!("{}.\n", tally(claims)));
    line(text, "| claim | checked | predicted | measured | 95 % | outcome |");
    line(text, "|---|---|--:|--:|---|---|");
    for claim in claims {
        let figure = |value: Option<f64>| {
            value.map_or(DASH.into(), |value| escape(&quantity(value, &claim.unit)))
        };
        let interval = match (claim.low, claim.high) {
            (Some(_), Some(_)) => format!("{} to {}", figure(claim.low), figure(claim.high)),
            _ => String::new(),
        };
        let says = format!("**{}** {}", escape(&claim.id), escape(&claim.says));
        let (predicted, measured) = (figure(claim.predicted), figure(claim.measured));
        let (how, outcome) = (claim.how.words(), outcome(claim.outcome));
        line(
            text,
            &format!("| {says} | {how} | {predicted} | {measured} | {interval} | {outcome} |"),
        );
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
    line(text, "| variant | series | count | p50 | p90 | p99 | p99.9 | max |");
    line(text, "|---|---|--:|--:|--:|--:|--:|--:|");
    for (label, name, series) in shown {
        let figures = series.columns().map(|(ns, bound)| bounded(ns, bound)).join(" | ");
        let count = number(series.count as f64);
        line(text, &format!("| {} | {} | {count} | {figures} |", escape(label), escape(name)));
    }
    text.push('\n');
}

fn line(text: &mut String, words: &str) {
    writeln!(text, "{words}").expect("a string takes all");
}

/// Makes any text literal, on one line, in a table cell too.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text in code quotes, whatever backticks it has.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        assert_eq!(escape("<b>|`x`\n@me"), "&lt;b&gt;\\|\\`x\\` \\@me");
        assert_eq!(code("a ``b`` c"), "``` a ``b`` c ```");
        assert_eq!(code("plain"), "`plain`");
    }
}
