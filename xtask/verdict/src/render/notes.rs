//! The notes below a table, in whole sentences, the same in every format.

use lab_text::quantity::{percent, thousands};

use super::figures::count;
use crate::answered::Answered;
use crate::metric::{ALL_OF_THEM, Metric};
use crate::scenario::{DisturbedPair, Exact, MetricResult, Scenario};
use crate::validity::{is_crowded_ratio, is_late_ratio};
use crate::verdict::Verdict;

/// The disagreement of medians and pairs above which a note explains it.
const DISAGREEMENT: f64 = 0.02;
/// The fewest benchmarks for a note that all of them moved.
const FEWEST_OF_A_SUITE: usize = 4;
/// The most rows that a table for people shows of those that are equivalent, and of those that
/// changed; the rest are counted.
const MOST_ALIKE: usize = 12;
/// The most reasons that are shown.
const MOST_REASONS: usize = 8;

/// Why a scenario is invalid, in few enough lines to be read.
pub(super) fn invalid(scenario: &Scenario) -> Vec<String> {
    let reasons = &scenario.invalid_reasons;
    let mut lines: Vec<String> = reasons.iter().take(MOST_REASONS).cloned().collect();
    if let Some(more @ 1..) = reasons.len().checked_sub(MOST_REASONS) {
        lines.push(format!("{} more in comparison.json", count(more, "reason")));
    }
    lines
}

/// The notes on a scenario, besides its figures and why it is invalid.
pub fn notes(scenario: &Scenario) -> Vec<String> {
    let rows = || scenario.metrics.iter().chain(&scenario.guards);
    let next_look = scenario.next_look.map(|look| {
        format!("the pairs end at {}, before the look at {look}", scenario.judged_pairs)
    });
    let counted = scenario.answered.as_ref().map(answered);
    counted
        .into_iter()
        .chain(scenario.exact.as_ref().map(exact))
        .chain(shift(scenario))
        .chain(disturbed(scenario))
        .chain(shortages(rows()))
        .chain(bounds(rows()))
        .chain(disagreement(rows()))
        .chain(scenario.metrics.iter().filter_map(undecided).take(MOST_REASONS))
        .chain(unused(scenario))
        .chain(next_look)
        .collect()
}

/// How much of two simulated trials is the same, and what else differs.
fn exact(exact: &Exact) -> String {
    let Exact { figures, differing_figures, also_differing } = exact;
    if exact.is_equal() {
        return format!("equal, in all of {} and all else", count(*figures, "figure"));
    }
    let differ = format!("{differing_figures} of {} differ", count(*figures, "figure"));
    match also_differing.len() {
        0 => differ,
        1..=MOST_REASONS => format!("{differ}; also different: {}", also_differing.join(", ")),
        many => format!("{differ}, and {many} histograms, curves or gauges"),
    }
}

/// How many requests each side answered, and what follows when the new side answers fewer.
pub fn answered(answered: &Answered) -> String {
    let of = |count: u64, offered: Option<u64>| match offered {
        Some(offered) => format!("{} of {}", thousands(count), thousands(offered)),
        None => thousands(count),
    };
    let base = of(answered.base, answered.base_offered);
    let new = of(answered.new, answered.new_offered);
    let counts = format!("answered: {base} requests in base, {new} in new");
    match answered.change_ratio.filter(|_| answered.verdict == Some(Verdict::Regressed)) {
        Some(change) => {
            let percent = 100.0 * change;
            format!("{counts} ({percent:+.2}%): regressed, new answers fewer of the same requests")
        }
        None => counts,
    }
}

/// The rows that a table for people shows, and a line about those that it leaves out: if hundreds
/// of benchmarks did not move, or hundreds of figures changed, they are only counted.
pub(super) fn shown_rows(scenario: &Scenario) -> (Vec<&MetricResult>, Option<String>) {
    let mut alike = [(Verdict::Changed, "changed", 0), (Verdict::Equivalent, "are equivalent", 0)];
    let mut shown = Vec::new();
    for row in scenario.rows() {
        let same = alike.iter_mut().find(|(verdict, ..)| row.verdict == Some(*verdict));
        let before = same.map_or(0, |(.., rows)| std::mem::replace(rows, *rows + 1));
        if before < MOST_ALIKE {
            shown.push(row);
        }
    }
    let more: Vec<String> = alike
        .into_iter()
        .filter(|(.., rows)| *rows > MOST_ALIKE)
        .map(|(_, what, rows)| format!("{} more that {what}", rows - MOST_ALIKE))
        .collect();
    let said = format!("and {}: comparison.json has them", more.join(", "));
    (shown, (!more.is_empty()).then_some(said))
}

/// A note that a whole suite of benchmarks moved alike, which suggests a single cause.
fn shift(scenario: &Scenario) -> Option<String> {
    let moved =
        |row: &&MetricResult| matches!(row.verdict, Some(Verdict::Regressed | Verdict::Improved));
    let all = scenario.metrics.iter().find(|row| row.metric == ALL_OF_THEM).filter(moved)?;
    let of_all = all.change_ratio?.ln_1p();
    let each: Vec<&MetricResult> =
        scenario.metrics.iter().filter(|row| row.metric != ALL_OF_THEM).collect();
    let alike = |row: &&&MetricResult| {
        row.change_ratio.is_some_and(|one| (one.ln_1p() - of_all).abs() <= row.floor_ratio.ln_1p())
    };
    let alike = each.iter().filter(alike).count();
    (each.len() >= FEWEST_OF_A_SUITE && 4 * alike >= 3 * each.len()).then(|| {
        format!(
            "a shift of the whole suite by {}: {alike} of {} moved by that, give or take their \
             floor; look for one cause of all, such as a build flag, an allocator or a dependency",
            percent(of_all.exp_m1()),
            count(each.len(), "benchmark")
        )
    })
}

/// A note on pairs of a record that no look included.
fn unused(scenario: &Scenario) -> Option<String> {
    let all = scenario.judged_pairs + scenario.unused_pairs;
    let judged = scenario.judged_pairs;
    (scenario.unused_pairs > 0).then(|| {
        format!(
            "judged {} of {}: the looks end there, and the rest is in no figure",
            thousands(judged.into()),
            count(all, "pair")
        )
    })
}

/// A note on which metrics have no figure, and how long trials must be for them.
fn shortages<'a>(rows: impl Iterator<Item = &'a MetricResult>) -> Option<String> {
    let lacks: Vec<String> = rows
        .filter_map(|row| {
            let lack = row.shortage?;
            let place = if row.metric == Metric::P99I { "a slice" } else { "a trial" };
            let has = thousands(lack.requests);
            let needed = thousands(lack.needed);
            let enough = lack.suffices_s.map(|s| format!(" (--duration {s}s suffices)"));
            let enough = enough.unwrap_or_default();
            Some(format!("{} takes {needed} {place}, and one has {has}{enough}", row.metric))
        })
        .collect();
    (!lacks.is_empty()).then(|| format!("too few requests: {}", lacks.join("; ")))
}

/// A note on which figures are lower bounds.
fn bounds<'a>(rows: impl Iterator<Item = &'a MetricResult>) -> Option<String> {
    let bound: Vec<&str> = rows
        .filter(|row| row.base_is_bound || row.new_is_bound)
        .map(|row| row.metric.name())
        .collect();
    (!bound.is_empty()).then(|| {
        format!(
            "≥ ({}): a lower bound, since requests that were never answered belong there; \
             a side with a bound is never called faster",
            bound.join(", ")
        )
    })
}

/// A note on metrics where the medians of the sides differ otherwise than the pairs do.
fn disagreement<'a>(rows: impl Iterator<Item = &'a MetricResult>) -> Option<String> {
    let apart: Vec<String> = rows
        .filter_map(|row| {
            let (base, new, change) = (row.base?, row.new?, row.change_ratio?);
            let quotient = new / base - 1.0;
            row.low_ratio?;
            let differs = (quotient - change).abs() > DISAGREEMENT;
            differs.then(|| format!("{} by {}", row.metric, percent(quotient)))
        })
        .collect();
    (!apart.is_empty()).then(|| {
        format!(
            "base and new are medians over all trials, and differ otherwise than the pairs do \
             ({}); Δ is of pairs, which share their arrivals and their minute: trust Δ",
            apart.join(", ")
        )
    })
}

/// A note on how many pairs were disturbed, by what, and on which side: a side that is disturbed
/// more often may be the cause.
fn disturbed(scenario: &Scenario) -> Option<String> {
    let disturbed = &scenario.disturbed_pairs;
    let do_not = match disturbed.len() {
        0 => return None,
        1 => "does not",
        _ => "do not",
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
    Some(format!("{} {do_not} count, {}", count(disturbed.len(), "pair"), causes.join(", and ")))
}

/// A note on what an inconclusive row reached, and what it would take to decide.
pub(super) fn undecided(row: &MetricResult) -> Option<String> {
    if row.verdict != Some(Verdict::Inconclusive) {
        return None;
    }
    let pairs = count(row.pairs, "pair");
    let needed = row.pairs_needed.map_or_else(
        || "more pairs would not help".to_owned(),
        |n| format!("about {} would decide", count(n, "more pair")),
    );
    Some(match (row.half_width_ratio, row.low_ratio.or(row.high_ratio)) {
        (Some(half), _) => {
            format!("{}: reached ±{:.1}% with {pairs}; {needed}", row.metric, 100.0 * half)
        }
        (None, Some(_)) => {
            format!("{}: requests without an answer leave its interval open", row.metric)
        }
        (None, None) if row.base_is_bound || row.new_is_bound => {
            format!("{}: requests without an answer leave it open", row.metric)
        }
        (None, None) => format!("{}: {pairs}, too few for an interval", row.metric),
    })
}
