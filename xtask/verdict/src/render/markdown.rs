//! The table for a pull request or a job summary.

use std::fmt::Write as _;

use super::figures::{change, floor, interval, median, verdict};
use super::human::level;
use super::notes::{invalid, notes};
use crate::comparison::{Comparison, Outcome};
use crate::scenario::Scenario;

/// GitHub-flavoured Markdown; every name from outside is escaped.
pub fn markdown(comparison: &Comparison) -> String {
    let mark = match comparison.outcome {
        Outcome::Regressed => "🔴",
        Outcome::Invalid | Outcome::Inconclusive => "🟡",
        Outcome::Improved | Outcome::Equivalent | Outcome::Unchanged => "🟢",
        Outcome::Advisory => "⚪",
    };
    let (base, new) = (escape(&comparison.base.name), escape(&comparison.new.name));
    let mut out = format!("### {mark} {new} against {base}: {}\n", comparison.outcome.name());
    for scenario in &comparison.scenarios {
        table(&mut out, scenario);
    }
    let _ = writeln!(out, "\n{}", level(comparison));
    for warning in &comparison.warnings {
        let _ = writeln!(out, "\n> ⚠ {}", escape(warning));
    }
    out
}

fn table(out: &mut String, scenario: &Scenario) {
    let _ = writeln!(out, "\n**{}**\n", escape(&scenario.name));
    out.push_str("| metric | base | new | Δ | interval | floor | verdict | n |\n|---|--:|--:|--:|---|--:|---|--:|\n");
    for row in scenario.metrics.iter().chain(&scenario.guards) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row.metric,
            median(row.base_ns, row.base_is_bound),
            median(row.new_ns, row.new_is_bound),
            change(row),
            escape(&interval(row)),
            floor(row),
            verdict(row),
            row.pairs
        );
    }
    let reasons = invalid(scenario).into_iter().map(|reason| format!("invalid: {reason}"));
    for note in reasons.chain(notes(scenario)) {
        let _ = writeln!(out, "\n- {}", escape(&note));
    }
}

/// Makes any text literal, on one line, inside a table cell too.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
