//! Two stored runs. Live ones: a table, a reason why it cannot gate, and never exit code 3.
//! Simulated ones are as good as new ones, and are compared exactly.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use lab_record::{Environment, Mode, Run, Trial, read_json};
use lab_verdict::advisory::advise;
use lab_verdict::comparison::{Comparison, Kind, SideName};
use lab_verdict::order::{Side, Turn};
use lab_verdict::trial::TrialRecord;

use super::args::Args;
use super::directory::Directory;
use super::exact;
use super::facts;
use super::flames;
use super::measure::reduce;
use super::sides::expects;
use crate::exit::usage;
use crate::workspace::{Place, shorten};

/// The two run directories, if the arguments name such.
pub(super) fn runs_of(args: &Args) -> Option<(PathBuf, PathBuf)> {
    let [base, new] = &args.sides[..] else { return None };
    if args.command.are_asked_for() {
        return None;
    }
    let is_run =
        |text: &str| text.contains('/') && Path::new(text).is_dir() || is_run(Path::new(text));
    (is_run(base) && is_run(new)).then(|| (base.into(), new.into()))
}

fn is_run(dir: &Path) -> bool {
    dir.join("plan.json").is_file()
}

/// Shows two runs of one lab side by side.
pub(super) fn compare(args: &Args, base: &Path, new: &Path) -> anyhow::Result<Comparison> {
    let (of_base, of_new) = (Run::load(base)?, Run::load(new)?);
    let names = [base, new].map(|dir| SideName::new(dir.display().to_string()));
    if [&of_base, &of_new].iter().all(|run| run.plan.mode == Mode::Simulated) {
        let comparison = exact::stored(args, names, [&of_base, &of_new])?;
        return keep(args, comparison, [(base, &of_base), (new, &of_new)], &[]);
    }
    if !args.limits.is_empty() {
        return Err(usage("--assert needs new trials: stored live runs are not judged"));
    }
    let mut base_facts = facts::of(&environment(base)?, &of_base.plan.description.name);
    let mut new_facts = facts::of(&environment(new)?, &of_new.plan.description.name);
    if let Some(asked) = first_in_common(&of_base, &of_new) {
        facts::add_scenario(&mut base_facts, &mut new_facts, asked);
    }
    let warnings = facts::check(&base_facts, &new_facts, &args.allow_diff)?;
    let [base_name, new_name] = names;
    let (base_trials, new_trials) = (trials(&of_base)?, trials(&of_new)?);
    let method = args.method()?;
    let mut comparison = advise((base_name, new_name), &base_trials, &new_trials, &method)?;
    if comparison.scenarios.is_empty() {
        return Err(usage("the runs have no live variant in common"));
    }
    comparison.warnings = warnings;
    let sides = [(base, &of_base), (new, &of_new)];
    keep(args, comparison, sides, &[base_trials, new_trials].concat())
}

/// Writes the comparison, and draws what moved between the profiles of the runs.
fn keep(
    args: &Args,
    comparison: Comparison,
    [base, new]: [(&Path, &Run); 2],
    trials: &[TrialRecord],
) -> anyhow::Result<Comparison> {
    let directory = Directory::create(&Place::here()?.runs, args.out.as_deref())?;
    eprintln!("{}", shorten(&directory.path).display());
    if comparison.kind != Kind::Exact {
        let mut record = directory.record()?;
        trials.iter().try_for_each(|trial| record.keep(trial))?;
    }
    for (side, (run, of_run)) in [(Side::Base, base), (Side::New, new)] {
        link(run, &directory.run(side, &of_run.plan.description.name))?;
    }
    draw(base, new, &directory.path);
    directory.conclude(&comparison, args.require_decision)?;
    directory.write_page();
    Ok(comparison)
}

/// Links a stored run into the comparison; the run stays where it is.
fn link(run: &Path, from: &Path) -> anyhow::Result<()> {
    let link = || -> std::io::Result<()> {
        fs::create_dir_all(from.parent().unwrap_or(from))?;
        symlink(run.canonicalize()?, from)
    };
    link().with_context(|| format!("link {}", from.display()))
}

/// Draws the differential of each variant of which both runs have a profile.
fn draw((base, of_base): (&Path, &Run), (new, of_new): (&Path, &Run), out: &Path) {
    let variants = |run: &Run| -> BTreeSet<String> {
        let profiled = run.finished.iter().filter(|finished| finished.trial.profile.is_some());
        profiled.map(|finished| finished.trial.variant.clone()).collect()
    };
    let names = [base, new].map(|dir| dir.to_string_lossy().into_owned());
    for variant in variants(of_base).intersection(&variants(of_new)) {
        let names = names.each_ref().map(String::as_str);
        match flames::draw((base, variant), (new, variant), names, out) {
            Ok(Some(drawn)) => eprintln!("{}", drawn.page.display()),
            Ok(None) => {}
            Err(error) => eprintln!("note: no differential of {variant}: {error:#}"),
        }
    }
}

fn environment(run: &Path) -> anyhow::Result<Environment> {
    let file = run.join("environment.json");
    ensure!(file.is_file(), "{}: it has no environment.json", run.display());
    read_json(&file)
}

/// The first timed trials of both runs with the same label: their settings must be the same.
fn first_in_common<'a>(base: &'a Run, new: &'a Run) -> Option<[&'a Trial; 2]> {
    let timed = |run: &'a Run| run.plan.trials.iter().filter(|trial| trial.is_timed());
    timed(base).find_map(|a| timed(new).find(|b| b.label == a.label).map(|b| [a, b]))
}

/// The finished, timed trials of a run that have responses to compare: not every variant sends
/// requests.
fn trials(run: &Run) -> anyhow::Result<Vec<TrialRecord>> {
    let timed = run.finished.iter().filter(|finished| finished.trial.is_timed());
    timed
        .filter(|finished| finished.metrics.series.contains_key("response"))
        .enumerate()
        .map(|(number, finished)| {
            let seed = finished.trial.seed;
            let turn = Turn { quad: number as u32, position: 0, side: Side::Base, seed };
            let scenario = format!("{}/{}", finished.trial.lab, finished.trial.label);
            let expects = expects(&run.plan.description, &finished.trial.variant);
            reduce(finished, expects, number as u64, &scenario, &turn)
        })
        .collect()
}
