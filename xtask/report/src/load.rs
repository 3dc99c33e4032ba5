//! Reads a run directory, also an incomplete one: for each missing part there is a sentence.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use lab_record::hlog::Log;
use lab_record::{
    Environment, FinishedTrial, Metrics, Mode, Plan, Schema, Summary, Trial, read_json,
};
use serde::de::DeserializeOwned;

/// What a run directory holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) dir: PathBuf,
    pub(crate) plan: Option<Plan>,
    pub(crate) summary: Option<Summary>,
    pub(crate) environment: Option<Environment>,
    /// Planned trials in the order of the plan; without a plan, those found on disk.
    pub(crate) trials: Vec<LoadedTrial>,
    /// What is missing or damaged, in whole sentences.
    pub(crate) missing: Vec<String>,
}

/// One trial, and its metrics where it wrote them.
#[derive(Debug)]
pub(crate) struct LoadedTrial {
    pub(crate) dir: PathBuf,
    pub(crate) trial: Trial,
    pub(crate) metrics: Option<Metrics>,
}

impl Loaded {
    /// Simulated where every trial is: a lab without a live variant simulates whatever was asked.
    pub(crate) fn mode(&self) -> Option<Mode> {
        if self.trials.is_empty() {
            let planned = self.plan.as_ref().map(|plan| plan.mode);
            return planned.or(self.summary.as_ref().map(|summary| summary.mode));
        }
        let live = self.trials.iter().any(|trial| trial.trial.mode == Mode::Live);
        Some(if live { Mode::Live } else { Mode::Simulated })
    }
}

/// Reads a run directory. Only one that holds nothing of a run is an error.
pub(crate) fn load(dir: &Path, summary: Option<Summary>) -> anyhow::Result<Loaded> {
    let mut missing = Vec::new();
    let plan: Option<Plan> = member(dir, "plan.json", &mut missing);
    let summary = summary.or_else(|| member(dir, "summary.json", &mut missing));
    ensure!(
        plan.is_some() || summary.is_some(),
        "{}: not a run directory: neither plan.json nor summary.json can be read",
        dir.display()
    );
    let environment = member(dir, "environment.json", &mut missing);
    let planned = plan.as_ref().map_or_else(|| found_trials(dir), |plan| plan.trials.clone());
    let trials = planned.into_iter().map(|trial| load_trial(dir, trial, &mut missing)).collect();
    Ok(Loaded { dir: dir.to_owned(), plan, summary, environment, trials, missing })
}

impl Loaded {
    /// The labels of the timed trials that have metrics, in the order of the plan.
    pub(crate) fn labels(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let labels = self.timed().map(|trial| trial.trial.label.as_str());
        labels.filter(|label| seen.insert(*label)).collect()
    }

    /// The trials whose latencies count: finished and not profiled.
    pub(crate) fn timed(&self) -> impl Iterator<Item = &LoadedTrial> {
        self.trials.iter().filter(|trial| trial.trial.is_timed() && trial.metrics.is_some())
    }
}

impl LoadedTrial {
    /// The log of a series; `None` where the trial has no such series, an error where it should
    /// have one and cannot be read.
    pub(crate) fn series(&self, name: &str) -> Option<anyhow::Result<Log>> {
        let metrics = self.metrics.as_ref().filter(|metrics| metrics.series.contains_key(name))?;
        let (dir, trial) = (self.dir.clone(), self.trial.clone());
        Some(FinishedTrial { dir, trial, metrics: metrics.clone() }.series(name))
    }
}

fn load_trial(dir: &Path, trial: Trial, missing: &mut Vec<String>) -> LoadedTrial {
    let relative = format!("trials/{}", trial.id);
    let dir = dir.join(&relative);
    let metrics = if dir.join("metrics.json").is_file() {
        read_json(&dir.join("metrics.json"))
            .map_err(|error| missing.push(format!("{relative}/metrics.json: {error:#}")))
            .ok()
    } else {
        missing.push(format!("{relative}: no metrics, so the trial did not finish"));
        None
    };
    LoadedTrial { dir, trial, metrics }
}

/// The trials on disk, by id, for a run without a plan.
fn found_trials(dir: &Path) -> Vec<Trial> {
    let Ok(entries) = fs::read_dir(dir.join("trials")) else { return Vec::new() };
    let files = entries.flatten().map(|entry| entry.path().join("trial.json"));
    let mut trials: Vec<Trial> = files.filter_map(|file| read_json(&file).ok()).collect();
    trials.sort_by(|a, b| a.id.cmp(&b.id));
    trials
}

fn member<T: Schema + DeserializeOwned>(
    dir: &Path,
    name: &str,
    missing: &mut Vec<String>,
) -> Option<T> {
    let path = dir.join(name);
    if !path.is_file() {
        missing.push(format!("{name} is not there"));
        return None;
    }
    read_json(&path).map_err(|error| missing.push(format!("{name}: {error:#}"))).ok()
}
