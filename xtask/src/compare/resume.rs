//! Which trials of an interrupted comparison are complete, and whether it may be resumed here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use lab_record::{Environment, FinishedTrial, Run, State, Trial, read_json};
use lab_verdict::order::{Side, Turn};
use lab_verdict::replay::{self, ReplayError};
use lab_verdict::trial::TrialRecord;

use super::conduct::Place;
use super::directory::Directory;
use super::facts;
use super::measure::SERIES;
use super::plan::{ComparisonPlan, LabWork, Planned, profiled, timed};
use super::sides::Sides;
use crate::environment;
use crate::exit::usage;
use crate::workspace;

/// Trials that need not run again; none in a new comparison.
#[derive(Debug, Default)]
pub(super) struct Kept {
    trials: BTreeMap<PathBuf, FinishedTrial>,
    /// The number of timed pairs among them.
    pub(super) pairs: usize,
    /// The directories of other trials.
    rest: Vec<PathBuf>,
}

impl Kept {
    /// A trial, if it is kept.
    pub(super) fn trial(
        &self,
        directory: &Directory,
        side: Side,
        planned: &Planned,
        trial: &Trial,
    ) -> Option<&FinishedTrial> {
        self.trials.get(&directory.trial(side, &planned.lab, &trial.id))
    }

    /// Removes the directories of trials that are not kept.
    pub(super) fn remove_the_rest(&self, directory: &Directory) -> anyhow::Result<()> {
        // A part of the path may be a link: a stored run is linked into its comparison.
        self.rest.iter().try_for_each(|dir| {
            lab_files::remove_below(&directory.path, dir.strip_prefix(&directory.path)?)
        })
    }
}

/// Finds every pair of which both trials are complete, and every complete profile. A single trial
/// of a pair is not kept: its other half would run at another time.
///
/// # Errors
/// A run is missing, damaged or was planned otherwise; or a trial failed by itself, which is no
/// interruption: repeating it until it succeeds would hide the failure.
pub(super) fn whole_pairs(
    directory: &Directory,
    plan: &ComparisonPlan<LabWork>,
) -> anyhow::Result<Kept> {
    let mut whole = finished(directory, plan)?;
    let mut kept = Kept::default();
    for (at, planned) in plan.work.planned.iter().enumerate() {
        let dir = |side, trial: &Trial| directory.trial(side, &planned.lab, &trial.id);
        let timed: Vec<PathBuf> =
            plan.course(at).turns().map(|turn| dir(turn.side, &timed(planned, &turn))).collect();
        let profiled = profiled(planned, plan.work.profiled);
        let profiled: Vec<PathBuf> =
            profiled.iter().map(|(trial, side)| dir(*side, trial)).collect();
        for pair in timed.chunks(2) {
            if !pair.iter().all(|dir| whole.contains_key(dir)) {
                continue;
            }
            kept.pairs += 1;
            for dir in pair {
                // Finds damage before anything is touched.
                whole[dir].series(SERIES)?;
                kept.trials.extend(whole.remove_entry(dir));
            }
        }
        for dir in &profiled {
            kept.trials.extend(whole.remove_entry(dir));
        }
        let all = timed.into_iter().chain(profiled);
        kept.rest.extend(all.filter(|dir| !kept.trials.contains_key(dir)));
    }
    Ok(kept)
}

/// Trials of commands or of benches that need not run again, by quad and position; none in a new
/// comparison.
#[derive(Debug, Default)]
pub(super) struct KeptRecord(BTreeMap<(u32, u8), TrialRecord>);

impl KeptRecord {
    /// The trial of a turn, if it is kept.
    pub(super) fn trial<W>(&self, place: &Place<'_, W>, turn: &Turn) -> Option<TrialRecord> {
        let kept = self.0.get(&(turn.quad, turn.position))?;
        place.progress.borrow_mut().kept();
        Some(TrialRecord { trial: place.number, ..kept.clone() })
    }

    /// The warning that a comparison was interrupted.
    pub(super) fn warning(&self) -> String {
        format!("interrupted, and resumed after {} pairs", self.0.len() / 2)
    }
}

/// Refuses to resume if a hard key of the machine has changed since the comparison began. `built`
/// is that of [`environment::collect`].
///
/// # Errors
/// A hard key differs, or the environment cannot be read.
pub(super) fn check_environment(
    directory: &Directory,
    here: &workspace::Place,
    built: bool,
) -> anyhow::Result<()> {
    let began: Environment = read_json(&directory.path.join("environment.json"))?;
    let now = environment::collect(&here.root, built);
    facts::check(&facts::of(&began, ""), &facts::of(&now, ""), &[])
        .context("since it was interrupted (here `base` is then, and `new` is now)")?;
    Ok(())
}

/// Every complete pair of a record of commands or of benches.
///
/// # Errors
/// The record cannot be read.
pub(super) fn whole_pairs_of_record(directory: &Directory) -> anyhow::Result<KeptRecord> {
    let path = directory.path.join("trials.jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let trials = match replay::read(&text) {
        Ok(trials) => trials,
        Err(ReplayError::Empty) => Vec::new(),
        Err(error) => bail!("{}: {error}", path.display()),
    };
    let mut all: BTreeMap<(u32, u8), TrialRecord> =
        trials.into_iter().map(|trial| ((trial.quad, trial.position), trial)).collect();
    let places: BTreeSet<(u32, u8)> = all.keys().copied().collect();
    // A single trial of a pair is not kept: its other half would run at another time.
    all.retain(|(quad, position), _| places.contains(&(*quad, position ^ 1)));
    Ok(KeptRecord(all))
}

/// Every trial that ended well, by its directory.
fn finished(
    directory: &Directory,
    plan: &ComparisonPlan<LabWork>,
) -> anyhow::Result<BTreeMap<PathBuf, FinishedTrial>> {
    let mut whole = BTreeMap::new();
    for (side, lab) in plan.work.runs() {
        let run = Run::load(&directory.run(side, lab))?;
        let dir = run.dir.display();
        if run.plan.trials != plan.trials_of(side, lab) {
            bail!("{dir}: this version plans different trials: start a new comparison");
        }
        let failed = |state: &State| matches!(state, State::Crashed | State::TimedOut);
        if let Some(at) = run.states.iter().position(failed) {
            let id = &run.plan.trials[at].id;
            return Err(usage(format!(
                "{dir}: trial {id} failed: only an interrupted comparison can be resumed"
            )));
        }
        whole.extend(run.finished.into_iter().map(|finished| (finished.dir.clone(), finished)));
    }
    Ok(whole)
}

/// Refuses to resume if a hard key has changed since the comparison began.
pub(super) fn check_machine(
    directory: &Directory,
    plan: &ComparisonPlan<LabWork>,
    sides: &Sides,
) -> anyhow::Result<()> {
    for (side, lab) in plan.work.runs() {
        let began: Environment = read_json(&directory.run(side, lab).join("environment.json"))?;
        let now = sides.side(side).environment(lab);
        facts::check(&facts::of(&began, lab), &facts::of(&now, lab), &[])
            .context("since it was interrupted (here `base` is then, and `new` is now)")?;
    }
    Ok(())
}
