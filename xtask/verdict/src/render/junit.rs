//! JUnit XML, for systems that show test results: a suite for each scenario, with a case for each
//! metric, one for the requests answered, and one for each limit.

use std::fmt::Write as _;

use lab_record::{Limit, Standing};

use super::figures::{change, count, floor, interval};
use super::notes::{self, undecided};
use crate::answered::Answered;
use crate::comparison::Comparison;
use crate::scenario::{MetricResult, Scenario};
use crate::verdict::Verdict;

/// The document. A regressed metric is a failure, an invalid scenario's are errors, and an
/// inconclusive one is skipped, or a failure too when a decision is required.
pub fn junit(comparison: &Comparison, require_decision: bool) -> String {
    let suites: Vec<Suite> =
        comparison.scenarios.iter().map(|scenario| suite(scenario, require_decision)).collect();
    let total = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        escape(&format!("{} against {}", comparison.new.name, comparison.base.name)),
        total(|s| s.tests),
        total(|s| s.failures),
        total(|s| s.errors),
    );
    for suite in &suites {
        out.push_str(&suite.xml);
    }
    out.push_str("</testsuites>\n");
    out
}

struct Suite {
    tests: usize,
    failures: usize,
    errors: usize,
    xml: String,
}

/// The result of one test case.
enum Case {
    Passed,
    Failure(String),
    Error(String),
    Skipped(String),
}

fn suite(scenario: &Scenario, require_decision: bool) -> Suite {
    let rows: Vec<&MetricResult> = scenario.rows().collect();
    let mut cases: Vec<(&str, Case)> =
        rows.iter().map(|row| (row.metric.name(), case(row, scenario, require_decision))).collect();
    if let Some(counted) = &scenario.answered {
        cases.push(("answered", answered(counted, scenario)));
    }
    let limits = scenario.limits.iter();
    cases.extend(limits.map(|one| (one.limit.as_str(), limit(one, require_decision))));
    let of = |is: fn(&Case) -> bool| cases.iter().filter(|(_, case)| is(case)).count();
    let failures = of(|c| matches!(c, Case::Failure(_)));
    let errors = of(|c| matches!(c, Case::Error(_)));
    let skipped = of(|c| matches!(c, Case::Skipped(_)));
    let name = escape(&scenario.name);
    let mut xml = format!(
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" \
         skipped=\"{skipped}\">\n",
        cases.len(),
    );
    for (metric, case) in &cases {
        let _ = write!(xml, "    <testcase name=\"{}\" classname=\"{name}\"", escape(metric));
        let _ = match case {
            Case::Passed => writeln!(xml, "/>"),
            Case::Failure(why) => {
                writeln!(xml, "><failure message=\"{0}\">{0}</failure></testcase>", escape(why))
            }
            Case::Error(why) => {
                writeln!(xml, "><error message=\"{0}\">{0}</error></testcase>", escape(why))
            }
            Case::Skipped(why) => {
                writeln!(xml, "><skipped message=\"{}\"/></testcase>", escape(why))
            }
        };
    }
    let counts = scenario.answered.as_ref().map(notes::answered).unwrap_or_default();
    let counts = escape(&counts);
    let _ = writeln!(xml, "    <system-out>{counts}</system-out>");
    xml.push_str("  </testsuite>\n");
    Suite { tests: cases.len(), failures, errors, xml }
}

fn answered(counted: &Answered, scenario: &Scenario) -> Case {
    match counted.verdict {
        Some(Verdict::Regressed) => Case::Failure(notes::answered(counted)),
        _ if !scenario.invalid_reasons.is_empty() => {
            Case::Error(scenario.invalid_reasons.join("; "))
        }
        _ => Case::Passed,
    }
}

fn limit(limit: &Limit, require_decision: bool) -> Case {
    let said = format!("{}: {}", limit.standing.name(), limit.found());
    match limit.standing {
        Standing::Broken => Case::Failure(said),
        Standing::Undecided if require_decision => Case::Failure(said),
        Standing::Undecided => Case::Skipped(said),
        Standing::Kept => Case::Passed,
    }
}

fn case(row: &MetricResult, scenario: &Scenario, require_decision: bool) -> Case {
    match row.verdict {
        None => Case::Error(scenario.invalid_reasons.join("; ")),
        Some(Verdict::Regressed) => {
            let figures = format!(
                "{} {} {} over a floor of {}",
                row.metric,
                change(row),
                interval(row),
                floor(row)
            );
            Case::Failure(format!("regressed: {figures}, {}", count(row.pairs, "pair")))
        }
        Some(Verdict::TooFew) => {
            let why = "too few requests for a figure".to_owned();
            if require_decision && row.margin_ratio.is_some() {
                Case::Failure(why)
            } else {
                Case::Skipped(why)
            }
        }
        Some(Verdict::Inconclusive) => {
            let why = format!("inconclusive: {}", undecided(row).unwrap_or_default());
            if require_decision { Case::Failure(why) } else { Case::Skipped(why) }
        }
        Some(Verdict::Changed) => {
            let why = format!("changed: {}", change(row));
            if require_decision { Case::Failure(why) } else { Case::Skipped(why) }
        }
        Some(Verdict::Advisory) => Case::Skipped("advisory: stored runs cannot gate".to_owned()),
        Some(Verdict::Improved | Verdict::Equivalent | Verdict::Quiet | Verdict::Shown) => {
            Case::Passed
        }
    }
}

/// Escapes for text and for attributes; characters that XML 1.0 cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
