//! The table in the terminal, at most 80 columns.

use super::figures::{change, floor, interval, latency, verdict};
use super::lines::{self, Paint, Tone, paragraph};
use crate::comparison::{Comparison, Kind};
use crate::scenario::{DisturbedPair, Judgement, Scenario};
use crate::validity::{is_crowded_ratio, is_late_ratio};
use crate::verdict::Verdict;

/// The width of a verdict's column.
const VERDICT: usize = 12;

/// A heading, one table a scenario, what the figures mean, and the warnings.
pub fn human(comparison: &Comparison, paint: Paint) -> String {
    let (base, new) = (&comparison.base.name, &comparison.new.name);
    let mut out = String::new();
    paragraph(&mut out, "", &format!("{new} against {base}: {}", comparison.outcome.name()), 2);
    for scenario in &comparison.scenarios {
        table(&mut out, scenario, paint);
    }
    out.push('\n');
    paragraph(&mut out, "", &level(comparison), 0);
    for warning in &comparison.warnings {
        paragraph(&mut out, "warning: ", warning, 2);
    }
    out
}

/// One row: `metric base new Δ interval floor verdict n`.
fn row(row: &Judgement, paint: Paint) -> String {
    line([
        row.metric.name(),
        &latency(row.base_ns),
        &latency(row.new_ns),
        &change(row),
        &interval(row),
        &floor(row),
        &paint.tone(tone(row.verdict), &format!("{:<VERDICT$}", verdict(row))),
        &row.pairs.to_string(),
    ])
}

fn tone(verdict: Option<Verdict>) -> Tone {
    match verdict {
        Some(Verdict::Regressed) => Tone::Bad,
        Some(Verdict::Improved | Verdict::Equivalent) => Tone::Good,
        Some(Verdict::Inconclusive) | None => Tone::Doubtful,
        Some(Verdict::Quiet | Verdict::Advisory) => Tone::Faint,
    }
}

fn table(out: &mut String, scenario: &Scenario, paint: Paint) {
    out.push('\n');
    lines::row(out, &scenario.name);
    lines::row(out, &line(["metric", "base", "new", "Δ", "interval", "floor", "verdict", "n"]));
    for judgement in scenario.metrics.iter().chain(&scenario.guards) {
        lines::row(out, &row(judgement, paint));
    }
    for reason in &scenario.invalid_reasons {
        paragraph(out, "  invalid: ", reason, 4);
    }
    let undecided = scenario.metrics.iter().filter_map(undecided);
    for said in taken_again(scenario).into_iter().chain(undecided) {
        paragraph(out, "  ", &said, 4);
    }
    if let Some(look) = scenario.next_look {
        let judged = scenario.judged_pairs;
        paragraph(out, "  ", &format!("the pairs end at {judged}, before the look at {look}"), 4);
    }
}

/// Seventy-nine columns at most: an interval of four-digit percentages still fits.
fn line([metric, base, new, change, interval, floor, verdict, n]: [&str; 8]) -> String {
    format!(
        "{metric:<6} {base:>8} {new:>8} {change:>7} {interval:<18} {floor:>5} {verdict:<VERDICT$} {n:>3}"
    )
}

/// How many pairs were disturbed, by what, and on which side: the side that is disturbed more often may be the cause.
pub fn taken_again(scenario: &Scenario) -> Option<String> {
    let disturbed = &scenario.disturbed_pairs;
    let pairs = match disturbed.len() {
        0 => return None,
        1 => "1 pair does".to_owned(),
        many => format!("{many} pairs do"),
    };
    let trials = |cause: &str, is_so: fn(&DisturbedPair) -> [bool; 2]| {
        let of = |side: usize| disturbed.iter().filter(|pair| is_so(pair)[side]).count();
        let (base, new) = (of(0), of(1));
        (base + new > 0).then(|| {
            format!("for {cause} in {base} of the base's trials and {new} of the new side's")
        })
    };
    let causes = [
        trials("a late generator", |pair| {
            [pair.base_lateness_ratio, pair.new_lateness_ratio].map(is_late_ratio)
        }),
        trials("others that had over half of the CPU time", |pair| {
            [pair.base_others_cpu_ratio, pair.new_others_cpu_ratio].map(is_crowded_ratio)
        }),
    ];
    let causes: Vec<String> = causes.into_iter().flatten().collect();
    Some(format!("{pairs} not count, {}", causes.join(", and ")))
}

/// What an inconclusive row reached and what it would take.
pub(super) fn undecided(row: &Judgement) -> Option<String> {
    if row.verdict != Some(Verdict::Inconclusive) {
        return None;
    }
    let reached = row.half_width_ratio.map(|half| format!("±{:.1}%", 100.0 * half));
    let needed = row.pairs_needed.map_or_else(
        || "more pairs would not help".to_owned(),
        |n| format!("about {n} more pairs would decide"),
    );
    Some(match reached {
        Some(reached) => {
            format!("{}: reached {reached} with {} pairs; {needed}", row.metric, row.pairs)
        }
        None => format!("{}: {} pairs are too few for an interval", row.metric, row.pairs),
    })
}

const ADVISORY: &str = "Advisory: stored runs were not interleaved, so whatever changed between \
     them looks like a difference. Medians over trials, no interval, never a verdict.";

/// The level that holds: of one look when there is only one, else of all looks together.
pub(super) fn level(comparison: &Comparison) -> String {
    let percent = 100.0 * comparison.looks.level;
    let intervals = match &comparison.looks.pairs[..] {
        [one] => format!("Intervals: {percent:.1}% (fixed at {one} pairs)"),
        many => format!("Intervals: {percent:.1}% over all {} looks", many.len()),
    };
    let source = match comparison.kind {
        Kind::Advisory => return ADVISORY.to_owned(),
        Kind::Replay => ", from recorded trials",
        Kind::Aa => ", the same side twice",
        Kind::Gate => "",
    };
    format!("{intervals}, Hodges-Lehmann with exact signed ranks{source}.")
}
