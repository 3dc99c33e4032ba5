//! `--assert 'hedged.p99 < 80ms'` of a lab: limits on the figures of its trials.
//!
//! A limit on live trials is judged by the interval of their median, which takes at least six
//! trials: these are planned unless the user gives a number. A simulated trial is the same each
//! time, so its figure is exact.

use std::path::Path;

use lab_record::{
    FinishedTrial, Limit, Metrics, Mode, Plan, Run, SIMULATED, Standing, Summary, Trial, hlog,
    read_json,
};
use lab_verdict::limit::{Ask, Reading, undecided};
use lab_verdict::signed_rank::fewest_pairs;

use crate::exit::{Code, usage};
use crate::nearest;
use crate::plan::Request;

/// The chance that any limit on live trials is decided wrongly.
const ALPHA: f64 = 0.05;
/// The default series of a percentile.
const RESPONSE: &str = "response";
/// The figures of a series that suggestions name.
const SUGGESTED: [&str; 4] = ["p50", "p99", "p99.9", "max"];

/// Plans enough live trials for an interval, unless the user gives a number.
pub(super) fn ask_for_trials(asks: &[Ask], request: &mut Request) {
    let live = asks.iter().filter(|ask| is_live(ask, request.mode)).count();
    if live == 0 {
        return;
    }
    let needed = fewest(live);
    match request.trials {
        None => {
            eprintln!(
                "note: {needed} live trials of each variant: a limit is judged by their spread"
            );
            request.trials = Some(needed);
        }
        Some(typed) if typed < needed => eprintln!(
            "note: {typed} live trials have no interval, so no limit on them can be decided: \
             --trials {needed}"
        ),
        Some(_) => {}
    }
}

fn is_live(ask: &Ask, mode: Mode) -> bool {
    mode == Mode::Live && !ask.of.contains(&format!("{SIMULATED}."))
}

/// The fewest trials whose median has an interval if this many limits share alpha.
fn fewest(limits: usize) -> u32 {
    fewest_pairs(ALPHA / limits as f64)
}

/// Refuses limits on variants that do not run.
pub(super) fn check_variants(asks: &[Ask], trials: &[Trial]) -> anyhow::Result<()> {
    let mut labels: Vec<&str> = Vec::new();
    for trial in trials.iter().filter(|trial| trial.is_timed()) {
        if !labels.contains(&trial.label.as_str()) {
            labels.push(&trial.label);
        }
    }
    asks.iter().try_for_each(|ask| place(ask, &labels).map(drop))
}

/// Refuses limits on figures that a trial of their variant, which has ended, does not have.
pub(super) fn check_figures(asks: &[Ask], trial: &Trial, dir: &Path) -> anyhow::Result<()> {
    let file = dir.join("metrics.json");
    if asks.is_empty() || !trial.is_timed() || !file.is_file() {
        return Ok(());
    }
    let metrics: Metrics = read_json(&file)?;
    if metrics.unavailable.is_some() {
        return Ok(());
    }
    for ask in asks {
        if let Ok((_, figure)) = place(ask, &[&trial.label]) {
            ask.rule(figure.unit(&metrics)?).map_err(usage)?;
        }
    }
    Ok(())
}

/// The label and the figure of a limit.
fn place<'a>(ask: &'a Ask, labels: &[&'a str]) -> anyhow::Result<(&'a str, Figure<'a>)> {
    let within =
        |label: &&&str| ask.of.strip_prefix(**label).is_some_and(|rest| rest.starts_with('.'));
    let Some(label) = labels.iter().filter(within).max_by_key(|label| label.len()) else {
        let typed = ask.of.split_once('.').map_or(ask.of.as_str(), |(variant, _)| variant);
        let unknown = nearest::unknown("variant", typed, labels.iter().copied());
        let form = "--assert takes VARIANT.FIGURE, such as hedged.p99";
        return Err(usage(format!("{unknown} ({form})")));
    };
    Ok((*label, Figure::named(&ask.of[label.len() + 1..])))
}

/// A number of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Figure<'a> {
    OfSeries(&'a str, Of),
    Metric(&'a str),
}

/// A number of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Of {
    Quantile(f64),
    Min,
    Mean,
    Max,
}

impl<'a> Figure<'a> {
    /// `p99` of the responses, `queue-wait.p99.9` of another series, or a metric.
    fn named(name: &'a str) -> Self {
        if let Some(of) = Of::named(name) {
            return Self::OfSeries(RESPONSE, of);
        }
        let dots = name.match_indices('.').map(|(at, _)| at);
        let mut series = dots.filter_map(|at| Some((&name[..at], Of::named(&name[at + 1..])?)));
        series.next().map_or(Self::Metric(name), |(series, of)| Self::OfSeries(series, of))
    }

    /// The unit that it has in a trial.
    ///
    /// # Errors
    /// A usage error: the trial has no such figure.
    fn unit<'m>(&self, metrics: &'m Metrics) -> anyhow::Result<&'m str> {
        let (typed, found) = match self {
            Self::OfSeries(series, _) => {
                (*series, metrics.series.contains_key(*series).then_some("ns"))
            }
            Self::Metric(name) => (*name, metrics.metrics.get(*name).map(|m| m.unit.as_str())),
        };
        found.ok_or_else(|| {
            let of_series = |series: &String| {
                let named = if series == RESPONSE { String::new() } else { format!("{series}.") };
                SUGGESTED.map(|of| format!("{named}{of}"))
            };
            let known = metrics.series.keys().flat_map(of_series);
            let known: Vec<String> = known.chain(metrics.metrics.keys().cloned()).collect();
            let (what, words): (_, Vec<&str>) = match self {
                Self::OfSeries(..) => {
                    ("series", metrics.series.keys().map(String::as_str).collect())
                }
                Self::Metric(_) => ("figure", known.iter().map(String::as_str).collect()),
            };
            usage(nearest::unknown(what, typed, words))
        })
    }

    /// Its value in a trial; `None` if that has too few samples.
    fn reading(&self, finished: &FinishedTrial) -> anyhow::Result<Option<Reading>> {
        let (series, of) = match self {
            Self::Metric(name) => {
                let value = finished.metrics.metrics.get(*name).map(|metric| metric.value);
                return Ok(value.map(|value| Reading { value, is_bound: false }));
            }
            Self::OfSeries(series, of) => (*series, *of),
        };
        let Some(facts) = finished.metrics.series.get(series).filter(|facts| facts.count > 0)
        else {
            return Ok(None);
        };
        Ok(match of {
            Of::Min => Some((facts.min_ns as f64, facts.is_bound(facts.min_ns))),
            Of::Mean => Some((facts.mean_ns, facts.censored > 0)),
            Of::Max => Some((facts.max_ns as f64, facts.censored > 0)),
            Of::Quantile(quantile) => {
                let ns = hlog::quantile_ns(&finished.series(series)?.total(), quantile);
                ns.map(|ns| (ns as f64, facts.is_bound(ns)))
            }
        }
        .map(|(value, is_bound)| Reading { value, is_bound }))
    }
}

impl Of {
    fn named(name: &str) -> Option<Self> {
        match name {
            "min" => Some(Self::Min),
            "mean" => Some(Self::Mean),
            "max" => Some(Self::Max),
            _ => {
                let digits = name
                    .strip_prefix('p')
                    .filter(|it| it.starts_with(|c: char| c.is_ascii_digit()))?;
                // Parsed from the digits: 99.9 / 100 is slightly more than 0.999.
                let quantile: f64 = format!("{digits}e-2").parse().ok()?;
                (quantile > 0.0 && quantile < 1.0).then_some(Self::Quantile(quantile))
            }
        }
    }
}

/// Judges the limits of a run by its trials.
///
/// # Errors
/// A finished trial has no such figure, which is a usage error; or one of its logs is damaged.
pub(super) fn judge(asks: &[Ask], run: &Run) -> anyhow::Result<Vec<Limit>> {
    let live = asks.iter().filter(|ask| is_live(ask, run.plan.mode)).count();
    asks.iter().map(|ask| judge_one(ask, live.max(1), run)).collect()
}

/// Judges one of the limits; `sharing` of them share alpha.
fn judge_one(ask: &Ask, sharing: usize, run: &Run) -> anyhow::Result<Limit> {
    let labels: Vec<&str> = run.plan.trials.iter().map(|trial| trial.label.as_str()).collect();
    let (label, figure) = place(ask, &labels)?;
    let of_label = |trial: &Trial| trial.is_timed() && trial.label == label;
    let planned = run.plan.trials.iter().filter(|trial| of_label(trial)).count();
    let trials: Vec<&FinishedTrial> =
        run.finished.iter().filter(|finished| of_label(&finished.trial)).collect();
    if trials.len() < planned {
        let ended = trials.len();
        return Ok(undecided(&ask.typed, "", format!("{ended} of {planned} trials ended well")));
    }
    for FinishedTrial { metrics, .. } in &trials {
        if let Some(lack) = &metrics.unavailable {
            return Ok(undecided(&ask.typed, "", lack.reason.clone()));
        }
        if let Some(reason) = metrics.invalid_reasons.first() {
            return Ok(undecided(&ask.typed, "", format!("a trial is invalid: {reason}")));
        }
    }
    let Some(first) = trials.first() else {
        return Ok(undecided(&ask.typed, "", "no trial ended well"));
    };
    let unit = figure.unit(&first.metrics)?;
    let rule = ask.rule(unit).map_err(usage)?;
    let readings = trials.iter().map(|finished| figure.reading(finished));
    let Some(readings) = readings.collect::<anyhow::Result<Option<Vec<Reading>>>>()? else {
        return Ok(undecided(&ask.typed, unit, "a trial has too few samples for it"));
    };
    Ok(match &readings[..] {
        [one] if first.trial.mode == Mode::Simulated => rule.judge_exact(unit, *one),
        _ => {
            let limit = rule.judge(unit, &readings, ALPHA / sharing as f64);
            let why = match limit.level {
                Some(_) => String::new(),
                None => {
                    format!("too few trials for an interval: --trials {}", fewest(sharing))
                }
            };
            Limit { why, ..limit }
        }
    })
}

/// The limits of a plan, which were read when they were typed.
pub(super) fn asks_of(plan: &Plan) -> Vec<Ask> {
    plan.limits.iter().filter_map(|typed| typed.parse().ok()).collect()
}

/// The exit code that the limits require; `None` if all are kept.
pub(super) fn code(summary: &Summary, require_decision: bool) -> Option<Code> {
    match summary.limits.iter().map(|limit| limit.standing).min()? {
        Standing::Broken => Some(Code::Regression),
        Standing::Undecided => require_decision.then_some(Code::Inconclusive),
        Standing::Kept => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_percentile_of_responses_or_of_a_series_or_a_metric() {
        for (name, figure) in [
            ("p99", Figure::OfSeries("response", Of::Quantile(0.99))),
            ("p99.9", Figure::OfSeries("response", Of::Quantile(0.999))),
            ("max", Figure::OfSeries("response", Of::Max)),
            ("queue-wait.p99.9", Figure::OfSeries("queue-wait", Of::Quantile(0.999))),
            ("queue-wait.mean", Figure::OfSeries("queue-wait", Of::Mean)),
            ("amplification", Figure::Metric("amplification")),
            ("p100", Figure::Metric("p100")),
            ("pages", Figure::Metric("pages")),
        ] {
            assert_eq!(Figure::named(name), figure, "{name}");
        }
    }

    #[test]
    fn a_limit_belongs_to_the_longest_label_that_it_begins_with() {
        let ask = |of: &str| format!("{of} < 80ms").parse::<Ask>().unwrap();
        let labels = ["hedged", "hedged.tied", "single@simulated"];
        let placed = |of: &str| place(&ask(of), &labels).map(|(label, _)| label.to_owned());
        assert_eq!(placed("hedged.p99").unwrap(), "hedged");
        assert_eq!(placed("hedged.tied.p99").unwrap(), "hedged.tied");
        assert_eq!(placed("single@simulated.p99").unwrap(), "single@simulated");
        let said = placed("hedgd.p99").unwrap_err().to_string();
        assert!(said.contains("no variant `hedgd`: did you mean `hedged`?"), "{said}");
        let said = placed("p99").unwrap_err().to_string();
        assert!(said.contains("--assert takes VARIANT.FIGURE"), "{said}");
    }

    #[test]
    fn one_limit_takes_six_trials_and_two_take_seven() {
        assert_eq!([1, 2, 4].map(fewest), [6, 7, 8]);
    }
}
