//! Runs a comparison of any kind from its first trial to its page. A lab's trial and a command's
//! are both a side's turn, which ends as a line in `trials.jsonl`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::bail;
use lab_record::write_json;
use lab_text::program;
use lab_verdict::comparison::Comparison;
use lab_verdict::order::Turn;
use lab_verdict::scenario::Scenario;
use lab_verdict::trial::TrialRecord;

use super::directory::{Directory, Record};
use super::plan::{ComparisonPlan, Work};
use super::progress::Progress;
use crate::busy::Busy;
use crate::environment;
use crate::process::Interrupt;
use crate::workspace::{self, shorten};

/// What is compared.
pub(super) trait Subject {
    /// What its trials run.
    type Work: Clone + Into<Work>;

    fn interrupt(&self) -> &Interrupt;

    /// The directory of runs and comparisons.
    fn runs(&self) -> PathBuf;

    /// Runs the trial of a turn, or takes it from an interrupted comparison; `None` if Ctrl-C ended
    /// it.
    fn trial(
        &self,
        place: &Place<'_, Self::Work>,
        turn: &Turn,
    ) -> anyhow::Result<Option<TrialRecord>>;

    /// Adds what explains the judgement, and finishes what was started.
    fn end(
        &self,
        plan: &ComparisonPlan<Self::Work>,
        directory: &Directory,
        judged: &mut [Scenario],
    ) -> anyhow::Result<()>;
}

/// The place of a trial in a comparison.
pub(super) struct Place<'a, W> {
    pub(super) plan: &'a ComparisonPlan<W>,
    pub(super) directory: &'a Directory,
    /// The index of its scenario.
    pub(super) at: usize,
    /// Its number in `trials.jsonl`.
    pub(super) number: u64,
    pub(super) progress: &'a RefCell<Progress>,
}

/// Makes the directory of a comparison of commands or of benches, complete before the first trial.
/// `built` is that of [`environment::collect`].
///
/// # Errors
/// The directory is taken or cannot be written.
pub(super) fn begin<W: Clone + Into<Work>>(
    here: &workspace::Place,
    out: Option<&Path>,
    built: bool,
    plan: &ComparisonPlan<W>,
) -> anyhow::Result<Directory> {
    let directory = Directory::create(&here.runs, out)?;
    eprintln!("{}", shorten(&directory.path).display());
    let environment = environment::collect(&here.root, built);
    write_json(&directory.path.join("environment.json"), &environment)?;
    directory.write_plan(plan)?;
    Ok(directory)
}

/// Runs and judges every scenario, and writes the results.
pub(super) fn run<S: Subject>(
    subject: &S,
    plan: &ComparisonPlan<S::Work>,
    directory: &Directory,
    require_decision: bool,
) -> anyhow::Result<Comparison> {
    let busy = Busy::begin(&subject.runs())?;
    let mut record = directory.record()?;
    let mut scenarios: Vec<Scenario> = Vec::new();
    for at in 0..plan.scenarios.len() {
        scenarios.push(measure(subject, plan, directory, &mut record, at)?);
    }
    subject.end(plan, directory, &mut scenarios)?;
    let (method, looks) = (plan.method.clone(), plan.looks.clone());
    let names = plan.sides.clone().into();
    let mut comparison = Comparison::new(plan.kind, names, method, looks, scenarios);
    comparison.seed = Some(plan.seed);
    comparison.warnings.clone_from(&plan.warnings);
    directory.conclude(&comparison, require_decision)?;
    directory.write_page();
    busy.tell();
    Ok(comparison)
}

/// Runs one scenario from look to look.
fn measure<S: Subject>(
    subject: &S,
    plan: &ComparisonPlan<S::Work>,
    directory: &Directory,
    record: &mut Record,
    at: usize,
) -> anyhow::Result<Scenario> {
    let trials = 2 * u64::from(plan.looks.last());
    let progress = &RefCell::new(Progress::start(&plan.scenarios[at], trials));
    let judged = plan.course(at).drive(
        |turn| {
            let place = Place { plan, directory, at, number: record.trials, progress };
            let Some(trial) = subject.trial(&place, turn)? else { return Ok(None) };
            record.keep(&trial)?;
            Ok(Some(trial))
        },
        |judged| progress.borrow_mut().judged(judged),
    )?;
    if subject.interrupt().raised() {
        let path = shorten(&directory.path).display();
        bail!(
            "interrupted: {} trials are kept and nothing is judged; \
             to go on: {} compare --resume {path}",
            record.trials,
            program::name()
        );
    }
    Ok(judged)
}
