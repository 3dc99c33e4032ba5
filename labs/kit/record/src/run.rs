//! A run directory, as a value: what was planned, and what each trial left behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::description::Description;
use crate::hlog::Log;
use crate::knob::Knobs;
use crate::metrics::Metrics;
use crate::schema::{Schema, read_json};
use crate::trial::{Exit, Mode, State, Trial};

/// `plan.json`: what was asked, complete before the first trial starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The command that made the run, word for word.
    pub command: Vec<String>,
    /// When it was made, as RFC 3339 in UTC.
    pub created: String,
    /// `live`, or `simulated` where nothing runs in real time.
    pub mode: Mode,
    /// The seed that the seeds of all trials are drawn from.
    pub seed: u64,
    /// The lab, as it described itself.
    pub description: Description,
    /// The knobs that were typed, over those of the lab and of every variant.
    #[serde(default, skip_serializing_if = "Knobs::is_empty")]
    pub set: Knobs,
    /// The trials, in the order in which they run.
    pub trials: Vec<Trial>,
    /// Probes that the lab names and that are left out, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without_probes: BTreeMap<String, String>,
    /// Limits on figures, as they were typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
}

/// A run read from its directory.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its directory.
    pub dir: PathBuf,
    /// What was asked.
    pub plan: Plan,
    /// How each planned trial ended, in the order of the plan.
    pub states: Vec<State>,
    /// The trials that count, in the order of the plan.
    pub finished: Vec<FinishedTrial>,
}

/// A trial that ran to its end and wrote its metrics.
#[derive(Debug, Clone)]
pub struct FinishedTrial {
    /// Its directory.
    pub dir: PathBuf,
    /// Its parameters.
    pub trial: Trial,
    /// Its results.
    pub metrics: Metrics,
}

impl Plan {
    /// The knobs in force for a variant: the lab's defaults, turned by the variant, turned by the
    /// user; with `None`, only the lab's and the user's.
    pub fn knobs_of(&self, variant: Option<&str>) -> Knobs {
        let lab = &self.description;
        let defaults = lab.knobs.iter().map(|knob| (knob.name.clone(), knob.default.clone()));
        let own = lab.variants.iter().find(|known| Some(known.name.as_str()) == variant);
        let own = own.map(|variant| variant.set.clone()).unwrap_or_default();
        defaults.chain(own).chain(self.set.clone()).collect()
    }
}

impl Run {
    /// Reads a run directory; unfinished trials are known by their state and never counted.
    ///
    /// # Errors
    /// The directory is not a run, or a file in it is damaged or of a foreign schema.
    pub fn load(dir: &Path) -> anyhow::Result<Self> {
        ensure!(
            dir.join("plan.json").is_file(),
            "{}: not a run directory: no plan.json",
            dir.display()
        );
        let plan: Plan = read_json(&dir.join("plan.json"))?;
        let mut run = Self { dir: dir.to_owned(), plan, states: Vec::new(), finished: Vec::new() };
        for trial in &run.plan.trials {
            let trial_dir = run.trial_dir(&trial.id);
            let state = state_of(&trial_dir)?;
            run.states.push(state);
            if state == State::Finished {
                let metrics = read_json(&trial_dir.join("metrics.json"))?;
                run.finished.push(FinishedTrial { dir: trial_dir, trial: trial.clone(), metrics });
            }
        }
        Ok(run)
    }

    /// The directory of a trial.
    pub fn trial_dir(&self, id: &str) -> PathBuf {
        self.dir.join("trials").join(id)
    }
}

impl FinishedTrial {
    /// The interval log of a series, checked against the trial's own count of it.
    ///
    /// # Errors
    /// The trial has no such series, or its log is missing, damaged or cut off.
    pub fn series(&self, name: &str) -> anyhow::Result<Log> {
        let path = self.dir.join(format!("{name}.hlog"));
        let facts = self
            .metrics
            .series
            .get(name)
            .with_context(|| format!("trial {} has no series `{name}`", self.trial.id))?;
        let log = Log::read(&path)?;
        let counted = log.total().len() + facts.over_range;
        ensure!(
            counted == facts.count,
            "{}: holds {counted} values where the trial counted {}: cut off?",
            path.display(),
            facts.count
        );
        Ok(log)
    }
}

/// How a trial ended, from what lies in its directory.
fn state_of(dir: &Path) -> anyhow::Result<State> {
    let exit_file = dir.join("exit.json");
    if !dir.join("trial.json").is_file() {
        return Ok(State::NotRun);
    }
    if !exit_file.is_file() {
        // The runner itself ended before the trial did.
        return Ok(State::Killed);
    }
    let exit: Exit = read_json(&exit_file)?;
    let whole = dir.join("metrics.json").is_file();
    Ok(if exit.state == State::Finished && !whole { State::Crashed } else { exit.state })
}

impl Schema for Plan {
    const NAME: &'static str = "perf-lab.run";
}
