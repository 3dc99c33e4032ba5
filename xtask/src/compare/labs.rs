//! Compares two revisions of labs, or two variants of one lab.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::bail;
use lab_record::{
    Description, Environment, FinishedTrial, Mode, Plan, ProfileKind, Run, State, Trial, read_json,
    write_json,
};
use lab_verdict::comparison::{Comparison, ComparisonOutcome, Kind, SideName};
use lab_verdict::order::{Side, Turn};
use lab_verdict::scenario::Scenario;
use lab_verdict::trial::TrialRecord;

use super::args::Args;
use super::conduct::{self, Place, Subject};
use super::directory::Directory;
use super::facts;
use super::flames;
use super::git::Revision;
use super::measure::reduce;
use super::pilot::{self, Spans};
use super::plan::{ComparisonPlan, LabWork, Planned, profiled, timed};
use super::progress::Progress;
use super::resume::{self, Kept};
use super::scenarios;
use super::sides::{self, Built, Prepared, Sides};
use crate::build::describe;
use crate::environment;
use crate::execute::{Programs, execute, failure};
use crate::exit::usage;
use crate::process::Interrupt;
use crate::profiler::{self, Choice, Profiler};
use crate::summary::summarize;
use crate::workspace::{Workspace, shorten};

/// Both sides of a comparison, before anything has run.
pub(super) enum Ready {
    /// Checked out and built, with warnings.
    Built(Box<Bench>, Vec<String>),
    /// Nothing differs, and the comparison says so.
    Unchanged(Box<Comparison>),
}

/// Checks out and builds both sides.
pub(super) fn prepare(args: &Args) -> anyhow::Result<Ready> {
    let workspace = Workspace::discover()?;
    args.out.as_deref().map(Directory::check_free).transpose()?;
    let interrupt = Interrupt::listen()?;
    Ok(match sides::prepare(args, &workspace, &interrupt)? {
        Prepared::Built(sides, warnings) => {
            let bench = Bench { workspace, interrupt, sides: *sides, probe: None };
            Ready::Built(Box::new(bench), warnings)
        }
        Prepared::Unchanged { base, new, warnings } => {
            let comparison = conclude_unchanged(args, &workspace, [base, new], warnings)?;
            Ready::Unchanged(Box::new(comparison))
        }
    })
}

/// Compares two revisions of labs, or two variants of one lab.
pub(super) fn compare(
    args: &Args,
    bench: Bench,
    warnings: Vec<String>,
) -> anyhow::Result<Comparison> {
    let Bench { workspace, interrupt, sides, .. } = bench;
    let (bench, plan) = Bench::plan(args, workspace, interrupt, sides, warnings)?;
    bench.begin(&plan, args)
}

/// Writes a comparison in which there was nothing to measure.
fn conclude_unchanged(
    args: &Args,
    workspace: &Workspace,
    sides: [Revision; 2],
    warnings: Vec<String>,
) -> anyhow::Result<Comparison> {
    let [base, new] = sides.map(|side| SideName { name: side.name, revision: Some(side.recorded) });
    let method = args.method()?;
    let looks = method.looks(1)?;
    let kind = if args.simulated { Kind::Exact } else { Kind::Gate };
    let mut comparison = Comparison::new(kind, (base, new), method, looks, Vec::new());
    comparison.outcome = ComparisonOutcome::Unchanged;
    comparison.warnings = warnings;
    let directory = Directory::create(&workspace.runs(), args.out.as_deref())?;
    eprintln!("{}", shorten(&directory.path).display());
    directory.record()?;
    directory.conclude(&comparison, args.require_decision)?;
    directory.write_page();
    Ok(comparison)
}

/// Resumes an interrupted comparison, with the same commits, seeds and order.
pub(super) fn resume(
    args: &Args,
    directory: Directory,
    mut plan: ComparisonPlan<LabWork>,
) -> anyhow::Result<Comparison> {
    let kept = resume::whole_pairs(&directory, &plan)?;
    let workspace = Workspace::discover()?;
    let interrupt = Interrupt::listen()?;
    let labs: Vec<String> = plan.work.labs().into_iter().map(str::to_owned).collect();
    let sides = sides::again([&plan.work.base, &plan.work.new], &labs, &workspace, &interrupt)?;
    resume::check_machine(&directory, &plan, &sides)?;
    let backend = plan.work.planned.iter().find_map(Planned::backend);
    let choice = backend
        .map(|backend| profiler::choose(ProfileKind::Cpu, backend.into(), &workspace, &interrupt));
    let probe = choice.transpose()?.and_then(|choice| choice.probe);
    kept.remove_the_rest(&directory)?;
    plan.warnings.push(format!("interrupted, and resumed after {} pairs", kept.pairs));
    directory.write_plan(&plan)?;
    let bench = Bench { workspace, interrupt, sides, probe };
    let trials = Trials { bench: &bench, kept: &kept };
    conduct::run(&trials, &plan, &directory, args.require_decision)
}

/// Both sides, built, for comparisons.
pub(super) struct Bench {
    pub(super) workspace: Workspace,
    interrupt: Interrupt,
    pub(super) sides: Sides,
    probe: Option<PathBuf>,
}

impl Bench {
    /// Builds the one side that is compared with itself.
    pub(super) fn of_one_side(args: &Args) -> anyhow::Result<(Self, ComparisonPlan<LabWork>)> {
        let workspace = Workspace::discover()?;
        args.out.as_deref().map(Directory::check_free).transpose()?;
        let interrupt = Interrupt::listen()?;
        match sides::prepare(args, &workspace, &interrupt)? {
            Prepared::Built(sides, warnings) => {
                Self::plan(args, workspace, interrupt, *sides, warnings)
            }
            Prepared::Unchanged { .. } => {
                Err(usage("--skip-unchanged leaves nothing of a side that is compared with itself"))
            }
        }
    }

    /// Plans, and refuses sides that are not comparable.
    fn plan(
        args: &Args,
        workspace: Workspace,
        interrupt: Interrupt,
        sides: Sides,
        mut warnings: Vec<String>,
    ) -> anyhow::Result<(Self, ComparisonPlan<LabWork>)> {
        warnings.extend(scenarios::left_out(args, &sides)?);
        // Once before a probe is built, so that a wrong argument is reported at once.
        let planned = scenarios::scenarios(args, &sides, None, &Spans::new())?;
        if args.inject.is_some() {
            scenarios::check_injection(&sides, &planned, built_labs(&workspace, &interrupt))?;
        }
        let method = scenarios::method(args, &scenarios::names(&planned))?;
        let looks = method.looks(planned.len())?;
        warnings.extend(comparable(args, &sides, &planned)?);
        warnings.extend(args.inject.as_ref().map(|(metric, ratio)| {
            let percent = 100.0 * ratio;
            format!("a slowness of {percent:.1}% was injected into {metric} of the new side")
        }));
        let choice = sampler(args, &workspace, &interrupt)?;
        let spans = match args.duration {
            Some(_) => Spans::new(),
            None => pilot::spans(&planned, &sides, &method, &workspace, &interrupt)?,
        };
        let backend = choice.as_ref().and_then(|choice| choice.backend);
        let scenarios = scenarios::scenarios(args, &sides, backend, &spans)?;
        let plan = ComparisonPlan {
            kind: if args.aa { Kind::Aa } else { Kind::Gate },
            seed: args.seed,
            sides: side_names(args, &sides),
            scenarios: scenarios.iter().map(|planned| planned.name.clone()).collect(),
            method,
            looks,
            warnings,
            work: LabWork {
                base: sides.base.revision.clone(),
                new: sides.new.revision.clone(),
                planned: scenarios,
                profiled: args.profiled(),
            },
        };
        let probe = choice.and_then(|choice| choice.probe);
        Ok((Self { workspace, interrupt, sides, probe }, plan))
    }

    /// Runs one comparison into a directory of its own.
    pub(super) fn begin(
        &self,
        plan: &ComparisonPlan<LabWork>,
        args: &Args,
    ) -> anyhow::Result<Comparison> {
        let directory = Directory::create(&self.workspace.runs(), args.out.as_deref())?;
        eprintln!("{}", shorten(&directory.path).display());
        self.write_plans(&directory, plan)?;
        directory.write_plan(plan)?;
        let trials = Trials { bench: self, kept: &Kept::default() };
        conduct::run(&trials, plan, &directory, args.require_decision)
    }

    /// Runs one trial; `None` if Ctrl-C ended it.
    pub(super) fn execute(
        &self,
        directory: &Directory,
        trial: &Trial,
        side: Side,
        planned: &Planned,
        progress: &RefCell<Progress>,
    ) -> anyhow::Result<Option<FinishedTrial>> {
        if self.interrupt.raised() {
            return Ok(None);
        }
        let dir = directory.trial(side, &planned.lab, &trial.id);
        let built = self.side(side);
        let lab = built.labs[&planned.lab].binary.clone();
        let programs = Programs { lab, probe: self.probe.clone(), observer: None };
        let exit = execute(&programs, &dir, trial, &self.interrupt, |_| progress.borrow().tick())?;
        if self.interrupt.raised() {
            return Ok(None);
        }
        if exit.state != State::Finished {
            bail!("{} side: {}", built.revision.name, failure(&dir, trial, &exit));
        }
        progress.borrow_mut().ran();
        let metrics = read_json(&dir.join("metrics.json"))?;
        Ok(Some(FinishedTrial { dir, trial: trial.clone(), metrics }))
    }

    /// Profiles both sides in turn, in trials of their own.
    fn profile(
        &self,
        plan: &ComparisonPlan<LabWork>,
        directory: &Directory,
        kept: &Kept,
    ) -> anyhow::Result<()> {
        for planned in plan.work.planned.iter().filter(|planned| planned.profiled.is_some()) {
            let name = format!("{}, profiled", planned.name);
            let progress = RefCell::new(Progress::start(&name, 2 * u64::from(plan.work.profiled)));
            for (trial, side) in profiled(planned, plan.work.profiled) {
                if kept.trial(directory, side, planned, &trial).is_none() {
                    self.execute(directory, &trial, side, planned, &progress)?;
                }
            }
        }
        Ok(())
    }

    /// Draws the differentials, and counts the frames that moved. A failure leaves the verdict
    /// intact.
    fn draw(&self, plan: &ComparisonPlan<LabWork>, directory: &Directory, judged: &mut [Scenario]) {
        for (planned, judged) in plan.work.planned.iter().zip(judged) {
            if planned.profiled.is_none() {
                continue;
            }
            let [base, new] = [Side::Base, Side::New].map(|side| directory.run(side, &planned.lab));
            let [of_base, of_new] = planned.trials.each_ref().map(|trial| trial.variant.as_str());
            let names = [Side::Base, Side::New].map(|side| plan.work.revision(side).name.as_str());
            let drawn = flames::draw((&base, of_base), (&new, of_new), names, &directory.path);
            match drawn {
                Ok(Some(drawn)) => {
                    judged.moved_frames = drawn.moved;
                    eprintln!("{}", shorten(&drawn.page).display());
                }
                Ok(None) => {}
                Err(error) => eprintln!("note: no differential of {}: {error:#}", planned.name),
            }
        }
    }

    fn side(&self, side: Side) -> &Built {
        self.sides.side(side)
    }

    /// Makes the run directory of each lab on each side, complete before the first trial.
    fn write_plans(
        &self,
        directory: &Directory,
        plan: &ComparisonPlan<LabWork>,
    ) -> anyhow::Result<()> {
        plan.work.runs().try_for_each(|(side, lab)| {
            self.write_plan(directory, side, lab, Mode::Live, plan.seed, plan.trials_of(side, lab))
        })
    }

    /// Makes the run directory of a side's lab.
    pub(super) fn write_plan(
        &self,
        directory: &Directory,
        side: Side,
        lab: &str,
        mode: Mode,
        seed: u64,
        trials: Vec<Trial>,
    ) -> anyhow::Result<()> {
        let path = directory.run(side, lab);
        lab_files::dir_below(&directory.path, path.strip_prefix(&directory.path)?)?;
        lab_files::dir_below(&path, "trials")?;
        let run = Plan {
            command: std::env::args().collect(),
            created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            mode,
            seed,
            description: self.side(side).labs[lab].description.clone(),
            set: Default::default(),
            trials,
            without_probes: BTreeMap::new(),
            limits: Vec::new(),
        };
        write_json(&path.join("plan.json"), &run)?;
        let environment =
            Environment { before: environment::read(), ..self.side(side).environment(lab) };
        write_json(&path.join("environment.json"), &environment)
    }

    /// Adds to each run what it has after its last trial.
    pub(super) fn finish_runs(&self, work: &LabWork, directory: &Directory) -> anyhow::Result<()> {
        for (side, lab) in work.runs() {
            let path = directory.run(side, lab);
            let file = path.join("environment.json");
            let mut environment: Environment = read_json(&file)?;
            environment.after = Some(environment::read());
            write_json(&file, &environment)?;
            let summary = summarize(&Run::load(&path)?, Default::default(), shorten(&path))?;
            write_json(&path.join("summary.json"), &summary)?;
        }
        Ok(())
    }
}

/// The trials of one comparison of labs.
struct Trials<'a> {
    bench: &'a Bench,
    /// Trials that need not run again.
    kept: &'a Kept,
}

impl Subject for Trials<'_> {
    type Work = LabWork;

    fn interrupt(&self) -> &Interrupt {
        &self.bench.interrupt
    }

    fn runs(&self) -> PathBuf {
        self.bench.workspace.runs()
    }

    fn trial(
        &self,
        place: &Place<'_, LabWork>,
        turn: &Turn,
    ) -> anyhow::Result<Option<TrialRecord>> {
        let Place { plan, directory, at, number, progress } = *place;
        let planned = &plan.work.planned[at];
        let trial = timed(planned, turn);
        let done = match self.kept.trial(directory, turn.side, planned, &trial) {
            Some(finished) => {
                progress.borrow_mut().kept();
                Some(finished.clone())
            }
            None => self.bench.execute(directory, &trial, turn.side, planned, progress)?,
        };
        let Some(finished) = done else { return Ok(None) };
        let lab = &self.bench.side(turn.side).labs[&planned.lab];
        let expects = lab.expects(&finished.trial.variant);
        reduce(&finished, expects, number, &planned.name, turn).map(Some)
    }

    fn end(
        &self,
        plan: &ComparisonPlan<LabWork>,
        directory: &Directory,
        judged: &mut [Scenario],
    ) -> anyhow::Result<()> {
        if judged.iter().all(|scenario| scenario.verdict.is_some()) {
            self.bench.profile(plan, directory, self.kept)?;
            self.bench.draw(plan, directory, judged);
        }
        self.bench.finish_runs(&plan.work, directory)
    }
}

/// The names of the sides: their variants if two are compared, else their revisions.
pub(super) fn side_names(args: &Args, sides: &Sides) -> [SideName; 2] {
    let revisions = [&sides.base.revision, &sides.new.revision];
    let names = match args.variant_pair() {
        Some((base, new)) => [base, new],
        None => revisions.map(|revision| revision.name.as_str()),
    };
    [0, 1].map(|side| SideName {
        name: names[side].to_owned(),
        revision: Some(revisions[side].recorded.clone()),
    })
}

/// The profiler, if profiles are asked for.
fn sampler(
    args: &Args,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Choice>> {
    if args.profiled() == 0 {
        return Ok(None);
    }
    let choice = profiler::choose(ProfileKind::Cpu, Profiler::Auto, workspace, interrupt)?;
    if let Some(note) = &choice.note {
        eprintln!("note: {note}");
    }
    Ok(Some(choice))
}

/// The descriptions of those labs of the workspace that are built already.
fn built_labs(workspace: &Workspace, interrupt: &Interrupt) -> impl Iterator<Item = Description> {
    let labs = workspace.labs().into_iter();
    let binaries = labs.filter_map(|lab| lab.release_binary(&workspace.target));
    binaries.filter_map(|binary| describe(&binary, interrupt).ok())
}

/// Refuses sides that are not comparable; returns the warnings.
pub(super) fn comparable(
    args: &Args,
    sides: &Sides,
    planned: &[Planned],
) -> anyhow::Result<Vec<String>> {
    let mut warnings: Vec<String> = Vec::new();
    for planned in planned {
        let mut base = facts::of(&sides.base.environment(&planned.lab), &planned.lab);
        let mut new = facts::of(&sides.new.environment(&planned.lab), &planned.lab);
        // Two variants differ in what they run, since that is what is compared.
        let [of_base, of_new] = &planned.trials;
        let asked = if args.variants.is_empty() { [of_base, of_new] } else { [of_base, of_base] };
        facts::add_scenario(&mut base, &mut new, asked);
        for warning in facts::check(&base, &new, &args.allow_diff)? {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    Ok(warnings)
}
