//! The table for a pull request or a job summary.

use std::fmt::Write as _;

use lab_record::Standing;
use lab_text::markdown::Align::{Left, Right};
use lab_text::markdown::{code, escape, table};

use super::figures::{change, floor, interval, median, verdict};
use super::human::level;
use super::notes::{invalid, notes, shown_rows};
use crate::comparison::{Comparison, ComparisonOutcome};
use crate::scenario::{MetricResult, Scenario};

/// GitHub-flavoured Markdown; every name from outside is escaped.
pub fn markdown(comparison: &Comparison) -> String {
    let broken = comparison.limits().any(|limit| limit.standing == Standing::Broken);
    let mark = match comparison.outcome {
        _ if broken => "🔴",
        ComparisonOutcome::Regressed => "🔴",
        ComparisonOutcome::Invalid
        | ComparisonOutcome::Inconclusive
        | ComparisonOutcome::Changed => "🟡",
        ComparisonOutcome::Improved
        | ComparisonOutcome::Equivalent
        | ComparisonOutcome::Unchanged => "🟢",
        ComparisonOutcome::Advisory => "⚪",
    };
    let (base, new) = (escape(&comparison.base.name), escape(&comparison.new.name));
    let mut out = format!("### {mark} {new} against {base}: {}\n", comparison.words());
    for scenario in &comparison.scenarios {
        of_scenario(&mut out, scenario);
    }
    let _ = writeln!(out, "\n{}", level(comparison));
    for warning in &comparison.warnings {
        let _ = writeln!(out, "\n> ⚠ {}", escape(warning));
    }
    out
}

fn of_scenario(out: &mut String, scenario: &Scenario) {
    let _ = writeln!(out, "\n**{}**\n", escape(&scenario.name));
    let head = [
        ("metric", Left),
        ("base", Right),
        ("new", Right),
        ("Δ", Right),
        ("interval", Left),
        ("floor", Right),
        ("verdict", Left),
        ("n", Right),
    ];
    let cells = |row: &MetricResult| {
        [
            escape(row.metric.name()),
            median(row.base, row.metric.unit(), row.base_is_bound),
            median(row.new, row.metric.unit(), row.new_is_bound),
            change(row),
            escape(&interval(row)),
            floor(row),
            verdict(row).to_owned(),
            row.pairs.to_string(),
        ]
    };
    let (shown, more) = shown_rows(scenario);
    if !shown.is_empty() {
        out.push_str(&table(head, shown.into_iter().map(cells)));
    }
    if let Some(more) = more {
        let _ = writeln!(out, "\n{more}");
    }
    for limit in &scenario.limits {
        let (typed, standing) = (code(&limit.limit), limit.standing.name());
        let _ = writeln!(out, "\n- limit {typed}: {standing}: {}", escape(&limit.found()));
    }
    let reasons = invalid(scenario).into_iter().map(|reason| format!("invalid: {reason}"));
    for note in reasons.chain(notes(scenario)) {
        let _ = writeln!(out, "\n- {}", escape(&note));
    }
}
