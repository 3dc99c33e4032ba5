//! The table in the terminal, at most 80 columns.

use lab_record::{Limit, Standing};

use super::figures::{change, floor, interval, median, verdict};
use super::lines::{self, Paint, Tone, paragraph};
use super::notes::{invalid, notes, shown_rows};
use crate::comparison::{Comparison, ComparisonOutcome, Kind};
use crate::scenario::{Exact, MetricResult, Scenario};
use crate::verdict::Verdict;

/// The width of a metric's column.
const METRIC: usize = 6;
/// The width of a verdict's column.
const VERDICT: usize = 12;

/// A heading, a table for each scenario, what the figures mean, and the warnings.
pub fn human(comparison: &Comparison, paint: Paint) -> String {
    let (base, new) = (&comparison.base.name, &comparison.new.name);
    let mut out = String::new();
    paragraph(&mut out, "", &format!("{new} against {base}: {}", comparison.words()), 2);
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
fn row(out: &mut String, row: &MetricResult, paint: Paint) {
    let (mut name, unit) = (row.metric.name(), row.metric.unit());
    if name.chars().count() > METRIC {
        // A name that is too wide for its column has a line of its own.
        lines::row(out, name);
        name = "";
    }
    let figures = line([
        name,
        &median(row.base, unit, row.base_is_bound),
        &median(row.new, unit, row.new_is_bound),
        &change(row),
        &interval(row),
        &floor(row),
        &paint.tone(tone(row.verdict), &format!("{:<VERDICT$}", verdict(row))),
        &row.pairs.to_string(),
    ]);
    lines::row(out, &figures);
}

fn tone(verdict: Option<Verdict>) -> Tone {
    match verdict {
        Some(Verdict::Regressed) => Tone::Bad,
        Some(Verdict::Improved | Verdict::Equivalent) => Tone::Good,
        Some(Verdict::TooFew | Verdict::Inconclusive | Verdict::Changed) | None => Tone::Doubtful,
        Some(Verdict::Quiet | Verdict::Shown | Verdict::Advisory) => Tone::Faint,
    }
}

fn table(out: &mut String, scenario: &Scenario, paint: Paint) {
    let is_equal = scenario.exact.as_ref().is_some_and(Exact::is_equal);
    if is_equal && scenario.limits.is_empty() && scenario.invalid_reasons.is_empty() {
        let said = notes(scenario).join("; ");
        return paragraph(out, "", &format!("{}: {said}", scenario.name), 2);
    }
    out.push('\n');
    lines::row(out, &scenario.name);
    let (shown, more) = shown_rows(scenario);
    if !shown.is_empty() {
        lines::row(out, &line(["metric", "base", "new", "Δ", "interval", "floor", "verdict", "n"]));
    }
    shown.into_iter().for_each(|judgement| row(out, judgement, paint));
    if let Some(more) = more {
        lines::row(out, &more);
    }
    for one in &scenario.limits {
        paragraph(out, "  ", &limit(one, paint), 4);
    }
    for reason in invalid(scenario) {
        paragraph(out, "  invalid: ", &reason, 4);
    }
    for said in notes(scenario) {
        paragraph(out, "  ", &said, 4);
    }
}

/// `limit hedged.p99 < 80ms: broken: 92.1 ms, …`.
pub fn limit(limit: &Limit, paint: Paint) -> String {
    let tone = match limit.standing {
        Standing::Broken => Tone::Bad,
        Standing::Undecided => Tone::Doubtful,
        Standing::Kept => Tone::Good,
    };
    let standing = paint.tone(tone, limit.standing.name());
    format!("limit {}: {standing}: {}", limit.limit, limit.found())
}

/// Seventy-nine columns at most: an interval of four-digit percentages still fits.
fn line([metric, base, new, change, interval, floor, verdict, n]: [&str; 8]) -> String {
    format!(
        "{metric:<METRIC$} {base:>8} {new:>8} {change:>7} {interval:<18} {floor:>5} \
         {verdict:<VERDICT$} {n:>3}"
    )
}

const UNCHANGED: &str = "Nothing that is built differs between the sides, so nothing was measured.";

const EXACT: &str = "Exact: one simulated trial of each side with the same seed, without noise. A \
     figure is the same number, or the sides behave differently.";

const ADVISORY: &str = "Advisory: stored runs were not interleaved, so what changed between \
     them looks like a difference. Medians over trials, no interval, never a verdict.";

/// The confidence level, that of the only look or of all looks together; or why there is none.
pub fn level(comparison: &Comparison) -> String {
    let percent = 100.0 * comparison.looks.level;
    let intervals = match &comparison.looks.pairs[..] {
        [one] => format!("Intervals: {percent:.1}% (fixed at {one} pairs)"),
        many => format!("Intervals: {percent:.1}% over all {} looks", many.len()),
    };
    let source = match comparison.kind {
        _ if comparison.outcome == ComparisonOutcome::Unchanged => return UNCHANGED.to_owned(),
        Kind::Exact => return EXACT.to_owned(),
        Kind::Advisory => return ADVISORY.to_owned(),
        Kind::Replay => ", from recorded trials",
        Kind::Aa => ", the same side twice",
        Kind::Gate => "",
    };
    format!("{intervals}, Hodges-Lehmann with exact signed ranks{source}.")
}
