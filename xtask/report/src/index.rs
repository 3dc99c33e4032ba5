//! All runs and comparisons of a checkout, and how each variant's latency went from revision to revision.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use lab_record::hlog::{Interval, Log, histogram};
use lab_record::{Mode, Outcome, SIMULATED, simulated_label};
use lab_stats::median;
use lab_verdict::comparison::Comparison;
use lab_verdict::metric::SLICES;

use crate::load::{Loaded, LoadedTrial, load};

/// Everything below a runs directory.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Newest first.
    pub(crate) runs: Vec<RunRow>,
    /// Newest first.
    pub(crate) comparisons: Vec<ComparisonRow>,
    /// By lab and label.
    pub(crate) trends: BTreeMap<(String, String), Trend>,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunRow {
    pub(crate) lab: String,
    /// Relative to the runs directory.
    pub(crate) path: String,
    /// Whether it has a page to link to.
    pub(crate) has_page: bool,
    /// The time in RFC 3339, or empty if it is unknown.
    pub(crate) created: String,
    pub(crate) mode: Option<Mode>,
    pub(crate) revision: Option<String>,
    pub(crate) valid: Option<bool>,
    /// Reproduced, of all checks.
    pub(crate) claims: (usize, usize),
    pub(crate) trouble: Option<String>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ComparisonRow {
    pub(crate) path: String,
    pub(crate) has_page: bool,
    pub(crate) sides: String,
    pub(crate) outcome: String,
}

/// The figures of a label, oldest revision first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trend {
    pub(crate) points: Vec<TrendPoint>,
}

/// The figures of one revision: the newest valid run of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrendPoint {
    pub(crate) revision: String,
    pub(crate) p50_ns: f64,
    /// The median of ten time slices' p99, as `compare` gates on.
    pub(crate) p99i_ns: f64,
}

/// Reads every run below `runs`.
///
/// # Errors
/// The directory cannot be listed.
pub(crate) fn collect(runs: &Path) -> anyhow::Result<Index> {
    let mut index = Index::default();
    let mut loaded = Vec::new();
    for home in folders(runs).with_context(|| format!("list {}", runs.display()))? {
        for dir in folders(&home)? {
            let path = relative(runs, &dir);
            if dir.join("comparison.json").is_file() {
                index.comparisons.push(comparison(&dir, path));
            } else if dir.join("plan.json").is_file() || dir.join("summary.json").is_file() {
                let run = load(&dir, None);
                index.runs.push(row(&home, &dir, path, run.as_ref()));
                loaded.extend(run);
            }
        }
    }
    index.runs.sort_by(|a, b| (&b.created, &b.path).cmp(&(&a.created, &a.path)));
    index.comparisons.sort_by(|a, b| b.path.cmp(&a.path));
    loaded.sort_by_key(created);
    for run in &loaded {
        add_trends(&mut index.trends, run);
    }
    Ok(index)
}

/// The folders in a folder, links apart: `latest` is no run of its own.
fn folders(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn relative(runs: &Path, dir: &Path) -> String {
    dir.strip_prefix(runs).unwrap_or(dir).to_string_lossy().into_owned()
}

fn created(run: &Loaded) -> String {
    run.plan.as_ref().map_or_else(String::new, |plan| plan.created.clone())
}

fn row(home: &Path, dir: &Path, path: String, run: Result<&Loaded, &anyhow::Error>) -> RunRow {
    let summary = run.ok().and_then(|run| run.summary.as_ref());
    let claims = summary.map_or(&[][..], |summary| &summary.claims);
    let count = |outcome| claims.iter().filter(|claim| claim.outcome == outcome).count();
    let judged = claims.len() - count(Outcome::Calibrated);
    let trouble = match run {
        Ok(run) if run.summary.is_none() => Some("unfinished".to_owned()),
        Ok(_) => None,
        Err(error) => Some(format!("{error:#}")),
    };
    RunRow {
        lab: home.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        path,
        has_page: dir.join(crate::PAGE).is_file(),
        created: run.map_or_else(|_| String::new(), created),
        mode: run.ok().and_then(Loaded::mode),
        revision: run.ok().and_then(revision),
        valid: summary.map(|summary| summary.valid),
        claims: (count(Outcome::Reproduced), judged),
        trouble,
    }
}

/// Twelve digits of the commit, with a + where the checkout differed from it.
fn revision(run: &Loaded) -> Option<String> {
    let environment = run.environment.as_ref()?;
    let short: String = environment.git_revision.as_ref()?.chars().take(12).collect();
    Some(if environment.git_dirty == Some(true) { format!("{short}+") } else { short })
}

fn comparison(dir: &Path, path: String) -> ComparisonRow {
    let text = lab_files::read_text(&dir.join("comparison.json")).unwrap_or_default();
    let (sides, outcome) = match Comparison::from_json(&text) {
        Ok(found) => {
            (format!("{} against {}", found.new.name, found.base.name), found.outcome.name().into())
        }
        Err(error) => (String::new(), error.to_string()),
    };
    ComparisonRow { path, has_page: dir.join(crate::PAGE).is_file(), sides, outcome }
}

/// Adds the figures of a run; a later run of a revision replaces an earlier one, an invalid one
/// counts for nothing.
fn add_trends(trends: &mut BTreeMap<(String, String), Trend>, run: &Loaded) {
    let (Some(revision), Some(summary)) = (revision(run), &run.summary) else { return };
    if !summary.valid {
        return;
    }
    for label in run.labels() {
        let Some((p50_ns, p99i_ns)) = figures(run, label) else { continue };
        let trend = trends.entry((summary.lab.clone(), trend_name(run, label))).or_default();
        trend.points.retain(|point| point.revision != revision);
        trend.points.push(TrendPoint { revision: revision.clone(), p50_ns, p99i_ns });
    }
}

/// Real and simulated time never share a trend: in a simulated run, labels do not say which it is.
fn trend_name(run: &Loaded, label: &str) -> String {
    let simulated =
        |trial: &LoadedTrial| trial.trial.label == label && trial.trial.mode == Mode::Simulated;
    let named = label.ends_with(SIMULATED);
    if !named && run.timed().any(simulated) { simulated_label(label) } else { label.to_owned() }
}

/// p50 and p99i of a label's response, the medians over its trials.
fn figures(run: &Loaded, label: &str) -> Option<(f64, f64)> {
    let of_label = run.timed().filter(|trial| trial.trial.label == label);
    let logs = of_label.filter_map(|trial| trial.series("response")?.ok());
    let (p50s, p99is): (Vec<f64>, Vec<f64>) =
        logs.filter(|log| !log.total().is_empty()).map(|log| of_log(&log)).unzip();
    Some((median(p50s)?, median(p99is)?))
}

fn of_log(log: &Log) -> (f64, f64) {
    let slice = log.steady.len().div_ceil(SLICES).max(1);
    let p99 = |slice: &[Interval]| {
        let sum = sum(slice);
        (!sum.is_empty()).then(|| sum.value_at_quantile(0.99) as f64)
    };
    let p99i = median(log.steady.chunks(slice).filter_map(p99)).unwrap_or(0.0);
    (log.total().value_at_quantile(0.5) as f64, p99i)
}

fn sum(intervals: &[Interval]) -> Histogram<u64> {
    let mut sum = histogram();
    for interval in intervals {
        sum.add(&interval.histogram).expect("all logs have the same bounds");
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p99i_is_not_moved_by_one_burst() {
        let interval = |i: u64| {
            let mut filled = histogram();
            (0..200).for_each(|_| filled.record(if i == 3 { 50_000 } else { 1_000 + i }).unwrap());
            let second = std::time::Duration::from_secs(1);
            Interval { start: second * i as u32, length: second, histogram: filled }
        };
        let log = Log { warmup: vec![], steady: (0..20).map(interval).collect() };
        let (p50, p99i) = of_log(&log);
        assert!((1_000.0..1_030.0).contains(&p50) && p99i < 1_100.0, "{p50} {p99i}");
    }
}
