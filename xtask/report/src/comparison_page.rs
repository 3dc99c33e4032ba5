//! The page of a comparison: the verdict in words, pairs as points, the shift curve, moved frames.

use lab_text::quantity::percent;
use lab_verdict::comparison::{Comparison, ComparisonOutcome, Kind, SideName};
use lab_verdict::render::lines::Paint;
use lab_verdict::render::{self, count, limit, median, notes};
use lab_verdict::scenario::{MetricResult, PairRecord, Scenario};
use lab_verdict::verdict::Verdict;
use maud::{Markup, html};

use crate::comparison::Loaded;
use crate::data::{Chart, ChartKind, Data, Line};
use crate::page::{file_link, page};
use crate::places::{DIFFERENTIAL_KEY, flame_place};
use crate::shift::Shift;
use crate::strip;
use lab_text::quantity::number;

/// The HTML.
pub(crate) fn render(loaded: &Loaded) -> String {
    let comparison = &loaded.comparison;
    let title =
        format!("{} against {}: {}", comparison.new.name, comparison.base.name, comparison.words());
    let data = Data {
        charts: loaded.shifts.iter().map(|shift| shift_chart(shift.as_ref().ok())).collect(),
        flames: loaded.flames.iter().map(|(_, flame)| flame.clone()).collect(),
        ..Data::default()
    };
    let body = html! {
        header {
            p.kicker { "comparison · " (kind(comparison.kind)) }
            h1 { (title) }
            p.tally { (side("base", &comparison.base)) "; " (side("new", &comparison.new)) "." }
        }
        main {
            @if comparison.warnings.len() + loaded.missing.len() > 0 {
                section.trouble { h2 { "To know" } ul {
                    @for warning in &comparison.warnings { li { (warning) } }
                    @for words in &loaded.missing { li { "Missing: " (words) } }
                } }
            }
            @for (index, one) in comparison.scenarios.iter().enumerate() {
                (scenario(index, one, &loaded.shifts[index]))
            }
            @if comparison.kind != Kind::Exact { section id="flames" { h2 { "Frames that moved" }
                @if loaded.flames.is_empty() { p { "No differential flame graph: " (unprofiled(comparison)) "." } }
                @else { p { (DIFFERENTIAL_KEY) } }
                @for (index, (folder, flame)) in loaded.flames.iter().enumerate() {
                    (flame_place(index, flame, html! {}))
                    p { "Tables and all figures: " (file_link(&format!("{folder}/diff.html"))) ", " (file_link(&format!("{folder}/diff.json"))) }
                }
            } }
            section id="method" { h2 { "Method" } (method(loaded)) }
            section id="files" { h2 { "Raw files" } ul { @for name in &loaded.files { li { (file_link(name)) } }
                @if comparison.scenarios.iter().any(has_runs) {
                    li { (file_link("a/")) ", " (file_link("b/")) ": the runs of the base and of the new side" }
                } } }
        }
    };
    page(&title, &data, body)
}

/// A command has no run directory.
fn has_runs(scenario: &Scenario) -> bool {
    scenario.answered.is_some() || scenario.exact.is_some()
}

fn unprofiled(comparison: &Comparison) -> &'static str {
    if comparison.outcome == ComparisonOutcome::Unchanged {
        return "nothing that is built differs";
    }
    let valid = comparison.scenarios.iter().all(|scenario| scenario.verdict.is_some());
    if valid { "no side was profiled" } else { "no side of an invalid comparison is profiled" }
}

fn side(which: &str, side: &SideName) -> Markup {
    html! { (which) " " b { (side.name) }
    @if let Some(revision) = &side.revision { " (" code { (revision) } ")" } }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Gate => "interleaved pairs, this gates",
        Kind::Aa => "the same side twice",
        Kind::Replay => "recorded trials, judged again",
        Kind::Exact => "simulated trials: exact",
        Kind::Advisory => "stored runs: shown, never judged",
    }
}

fn scenario(index: usize, scenario: &Scenario, shift: &anyhow::Result<Shift>) -> Markup {
    html! {
        section.scenario id=(format!("scenario-{index}")) {
            h2 { (scenario.name) ": " (scenario.verdict.map_or("invalid", Verdict::name)) }
            @for reason in &scenario.invalid_reasons { p.bad { "⚠ " (reason) } }
            @for one in &scenario.limits { p.limit data-standing=(one.standing.name()) { (limit(one, Paint::Plain)) "." } }
            @for note in notes(scenario) { p { (note) "." } }
            ul { @for row in scenario.rows() { li { (sentence(row)) } } }
            (table(scenario))
            @if !scenario.pairs.is_empty() { p.absent { "In the charts: a dot is a pair, ◆ the estimate on its interval, the shade the floor that a change must reach." } }
            @for row in scenario.rows() {
                @let pairs = differences(&scenario.pairs, row);
                @if !pairs.is_empty() { figure data-kind="pairs" {
                    figcaption { h3 { (row.metric.name()) ": each pair's difference" } }
                    (strip::strip(row, &pairs))
                } }
            }
            // A command has no percentiles.
            @if scenario.answered.is_some() { figure id=(format!("chart-{index}")) data-kind="shift" {
                figcaption { h3 { "How far each percentile moved, p10 to p99.9" } }
                @match shift {
                    Ok(_) => div.chart data-chart=(index) {},
                    Err(error) => p.absent { "No shift curve: " (format!("{error:#}")) },
                }
            } }
        }
    }
}

fn table(scenario: &Scenario) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(format!("Verdicts of {}", scenario.name)) { table.figures {
            thead { tr { th scope="col" { "metric" }
                @for head in ["base", "new", "change", "interval", "floor"] { th.number scope="col" { (head) } }
                th scope="col" { "verdict" } th.number scope="col" { "pairs" } } }
            tbody { @for row in scenario.rows() {
                tr.verdict data-metric=(row.metric.name()) {
                    th scope="row" { (row.metric.name()) }
                    td.number { @if let Some(value) = row.base { data.base value=(value) { (median(row.base, row.metric.unit(), row.base_is_bound)) } } @else { "–" } }
                    td.number { @if let Some(value) = row.new { data.new value=(value) { (median(row.new, row.metric.unit(), row.new_is_bound)) } } @else { "–" } }
                    td.number { @match row.change_ratio { Some(change) => (ratio("change", change)), None => "–" } }
                    td.number { @match (row.low_ratio, row.high_ratio) {
                        (Some(low), Some(high)) => { (ratio("low", low)) " to " (ratio("high", high)) },
                        (Some(low), None) => { "≥ " (ratio("low", low)) },
                        (None, Some(high)) => { "≤ " (ratio("high", high)) },
                        (None, None) => "–",
                    } }
                    td.number { @if row.floor_ratio > 0.0 { data.floor value=(row.floor_ratio) { (number(100.0 * row.floor_ratio)) " %" } } @else { "–" } }
                    td { (row.verdict.map_or("invalid", Verdict::name)) }
                    td.number { data.pairs value=(row.pairs) { (row.pairs) } }
                }
            } }
        } }
    }
}

/// A signed change as people read it, with the exact one for programs.
fn ratio(class: &str, ratio: f64) -> Markup {
    html! { data class=(class) value=(ratio) { (percent(ratio)) } }
}

/// The verdict of a row in words.
fn sentence(row: &MetricResult) -> String {
    let name = row.metric.name();
    let floor = format!("{:.0} %", 100.0 * row.floor_ratio);
    let change = row.change_ratio.map_or_else(|| "unknown".into(), percent);
    let interval = match (row.low_ratio, row.high_ratio) {
        (Some(low), Some(high)) => {
            format!("{change}, between {} and {}", percent(low), percent(high))
        }
        (Some(low), None) => format!("{change}, at least {}", percent(low)),
        (None, Some(high)) => format!("{change}, at most {}", percent(high)),
        (None, None) => format!("{change}, without an interval"),
    };
    match row.verdict {
        Some(Verdict::Regressed) => {
            format!("{name} got worse: {interval}, at or above the floor of {floor}.")
        }
        Some(Verdict::Improved) => {
            format!("{name} got better: {interval}, beyond the floor of {floor}.")
        }
        Some(Verdict::Equivalent) => {
            let margin = 100.0 * row.margin_ratio.unwrap_or(row.floor_ratio);
            format!("{name} is the same for all purposes: {interval}, inside ± {margin:.0} %.")
        }
        Some(Verdict::TooFew) => format!("{name} has no figure: too few requests."),
        Some(Verdict::Inconclusive) => {
            let more = row.pairs_needed.map_or_else(
                || "more pairs would not help".into(),
                |pairs| format!("about {} would decide", count(pairs, "more pair")),
            );
            let pairs = count(row.pairs, "pair");
            format!("{name} is undecided after {pairs}: {interval}; {more}.")
        }
        Some(Verdict::Changed) => format!("{name} changed by {change}, exactly."),
        Some(Verdict::Shown) => format!("{name} is shown, and decides nothing: {interval}."),
        Some(Verdict::Quiet) => {
            format!("{name} shows no burst: {interval}; it warns from {floor} on.")
        }
        Some(Verdict::Advisory) => {
            format!(
                "{name} differs by {change} between runs that were not interleaved: no verdict."
            )
        }
        None => format!("{name} may not be judged: {interval}."),
    }
}

/// The pairs' own differences of a row's metric, as ratios, and whether the base ran first.
fn differences(pairs: &[PairRecord], row: &MetricResult) -> Vec<(f64, bool)> {
    let logarithm = |pair: &PairRecord| pair.differences.get(row.metric.name()).copied().flatten();
    let ratio = |pair: &PairRecord| Some((logarithm(pair)?.exp_m1(), pair.order == "AB"));
    pairs.iter().filter_map(ratio).collect()
}

fn shift_chart(shift: Option<&Shift>) -> Chart {
    let line = |name: &str, points: &[(f64, f64)]| Line {
        name: name.to_owned(),
        label: String::new(),
        theory: false,
        points: points.to_vec(),
        intervals: Vec::new(),
    };
    let lines = shift.map_or_else(Vec::new, |shift| {
        let all = [
            line("median", &shift.median),
            line("lower quartile", &shift.lower),
            line("upper quartile", &shift.upper),
            line("all trials pooled", &shift.pooled),
        ];
        all.into_iter().filter(|line| !line.points.is_empty()).collect()
    });
    Chart {
        title: "Shift".into(),
        kind: ChartKind::Shift { lines },
        claims: Vec::new(),
        first: Vec::new(),
    }
}

fn method(loaded: &Loaded) -> Markup {
    let comparison = &loaded.comparison;
    let level = 100.0 * comparison.looks.level;
    if comparison.kind == Kind::Exact {
        return html! { p { (render::level(comparison)) } };
    }
    html! {
        p { "Differences are of pairs of trials that ran beside each other, of a lab with the same arrivals; the estimate is Hodges and Lehmann's, the interval from exact signed ranks, at "
            (format!("{level:.1} %")) " over " (comparison.looks.pairs.len()) @if comparison.looks.pairs.len() == 1 { " look at " } @else { " looks at " }
            (comparison.looks.pairs.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")) " pairs." }
        @if let Some(seed) = comparison.seed { p { "Seed " code { (seed) } "." } }
        @for scenario in &comparison.scenarios { (every_pair(scenario)) }
    }
}

fn every_pair(scenario: &Scenario) -> Markup {
    let names = || scenario.rows().map(|row| row.metric.name());
    html! {
        details { summary { "Every pair of " (scenario.name) }
            div.wide tabindex="0" role="region" aria-label=(format!("Every pair of {}", scenario.name)) { table.figures {
            thead { tr { @for head in ["scenario", "quad", "order", "seed"] { th scope="col" { (head) } }
                @for name in names() { th.number scope="col" { (name) } } } }
            tbody { @for pair in &scenario.pairs { tr.pair data-seed=(pair.seed) {
                th scope="row" { (scenario.name) } td { (pair.quad) } td { (pair.order) } td { (pair.seed) }
                @for name in names() {
                    td.number { @match pair.differences.get(name).copied().flatten() { Some(difference) => (ratio(name, difference.exp_m1())), None => "–" } }
                }
            } } }
        } } }
    }
}
