//! A comparison that gates: both sides built, trials interleaved, judged look by look.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::bail;
use lab_record::{
    Description, Environment, FinishedTrial, Mode, Plan, ProfileKind, Run, State, Trial, read_json,
    write_json,
};
use lab_verdict::comparison::{Comparison, ComparisonOutcome, Kind, SideName};
use lab_verdict::order::Side;
use lab_verdict::scenario::Scenario;

use super::args::Args;
use super::directory::{Directory, Record};
use super::facts;
use super::flames;
use super::git::Revision;
use super::measure::reduce;
use super::pilot::{self, Spans};
use super::plan::{ComparisonPlan, Planned, profiled, timed};
use super::progress::Progress;
use super::resume::{self, Kept};
use super::scenarios;
use super::sides::{self, Built, Prepared, Sides};
use crate::build::describe;
use crate::busy::Busy;
use crate::environment;
use crate::execute::{Programs, execute, failure};
use crate::exit::usage;
use crate::process::Interrupt;
use crate::profiler::{self, Choice, Profiler};
use crate::summary::summarize;
use crate::workspace::Workspace;

/// Compares two revisions, or two variants of one.
pub(super) fn compare(args: &Args) -> anyhow::Result<Comparison> {
    let workspace = Workspace::discover()?;
    args.out.as_deref().map(Directory::check_free).transpose()?;
    let interrupt = Interrupt::listen()?;
    match sides::prepare(args, &workspace, &interrupt)? {
        Prepared::Built(sides, warnings) => {
            let (bench, plan) = Bench::plan(args, workspace, interrupt, *sides, warnings)?;
            bench.begin(&plan, args)
        }
        Prepared::Unchanged { base, new, warnings } => {
            conclude_unchanged(args, &workspace, [base, new], warnings)
        }
    }
}

/// Writes that there was nothing to measure.
fn conclude_unchanged(
    args: &Args,
    workspace: &Workspace,
    sides: [Revision; 2],
    warnings: Vec<String>,
) -> anyhow::Result<Comparison> {
    let [base, new] = sides.map(|side| SideName { name: side.name, revision: Some(side.recorded) });
    let method = args.method()?;
    let looks = method.looks(1)?;
    let mut comparison = Comparison::new(Kind::Gate, (base, new), method, looks, Vec::new());
    comparison.outcome = ComparisonOutcome::Unchanged;
    comparison.warnings = warnings;
    let directory = Directory::create(workspace, args.out.as_deref())?;
    eprintln!("{}", workspace.shorten(&directory.path).display());
    directory.record()?;
    directory.conclude(&comparison, args.require_decision)?;
    directory.write_page(workspace);
    Ok(comparison)
}

/// Goes on with a comparison that was interrupted: the same commits, seeds and order.
pub(super) fn resume(args: &Args, dir: &Path) -> anyhow::Result<Comparison> {
    let (directory, mut plan) = Directory::reopen(dir)?;
    let kept = resume::whole_pairs(&directory, &plan)?;
    let workspace = Workspace::discover()?;
    let interrupt = Interrupt::listen()?;
    let labs: Vec<String> = plan.labs().into_iter().map(str::to_owned).collect();
    let sides = sides::again([&plan.base, &plan.new], &labs, &workspace, &interrupt)?;
    resume::check_machine(&directory, &plan, &sides)?;
    let backend = plan.scenarios.iter().find_map(Planned::backend);
    let choice = backend
        .map(|backend| profiler::choose(ProfileKind::Cpu, backend.into(), &workspace, &interrupt));
    let probe = choice.transpose()?.and_then(|choice| choice.probe);
    kept.remove_the_rest(&directory)?;
    plan.warnings.push(format!("interrupted, and resumed after {} pairs", kept.pairs));
    directory.write_plan(&plan)?;
    let bench = Bench { workspace, interrupt, sides, probe };
    bench.run(&plan, &directory, &kept, args.require_decision)
}

/// Both sides built: what comparisons are made with.
pub(super) struct Bench {
    workspace: Workspace,
    interrupt: Interrupt,
    sides: Sides,
    probe: Option<PathBuf>,
}

impl Bench {
    /// Builds the one side that is compared with itself.
    pub(super) fn of_one_side(args: &Args) -> anyhow::Result<(Self, ComparisonPlan)> {
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
    ) -> anyhow::Result<(Self, ComparisonPlan)> {
        warnings.extend(scenarios::left_out(args, &sides)?);
        // Once before a probe is built: what is typed wrongly should be said at once.
        let planned = scenarios::scenarios(args, &sides, None, &Spans::new())?;
        if args.inject.is_some() {
            scenarios::check_injection(&sides, &planned, built_labs(&workspace, &interrupt))?;
        }
        let method = scenarios::method(args, planned.len())?;
        let looks = method.looks(planned.len())?;
        warnings.extend(comparable(args, &sides, &planned)?);
        warnings.extend(args.inject.map(|(metric, ratio)| {
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
            base: sides.base.revision.clone(),
            new: sides.new.revision.clone(),
            variants: args.variant_pair().map(|(base, new)| [base.to_owned(), new.to_owned()]),
            scenarios,
            method,
            looks,
            profiled: args.profiled(),
            warnings,
        };
        let probe = choice.and_then(|choice| choice.probe);
        Ok((Self { workspace, interrupt, sides, probe }, plan))
    }

    /// Runs one comparison into a directory of its own.
    pub(super) fn begin(&self, plan: &ComparisonPlan, args: &Args) -> anyhow::Result<Comparison> {
        let directory = Directory::create(&self.workspace, args.out.as_deref())?;
        eprintln!("{}", self.workspace.shorten(&directory.path).display());
        self.write_plans(&directory, plan)?;
        directory.write_plan(plan)?;
        self.run(plan, &directory, &Kept::default(), args.require_decision)
    }

    /// Runs the trials that are not kept, and judges all.
    fn run(
        &self,
        plan: &ComparisonPlan,
        directory: &Directory,
        kept: &Kept,
        require_decision: bool,
    ) -> anyhow::Result<Comparison> {
        let busy = Busy::begin(&self.workspace)?;
        let mut record = directory.record()?;
        let mut scenarios: Vec<Scenario> = Vec::new();
        for at in 0..plan.scenarios.len() {
            scenarios.push(self.measure(plan, directory, kept, &mut record, at)?);
        }
        if scenarios.iter().all(|scenario| scenario.verdict.is_some()) {
            self.profile(plan, directory, kept)?;
            self.draw(plan, directory, &mut scenarios);
        }
        let names = (plan.side_name(Side::Base), plan.side_name(Side::New));
        let (method, looks) = (plan.method.clone(), plan.looks.clone());
        let mut comparison = Comparison::new(plan.kind, names, method, looks, scenarios);
        comparison.seed = Some(plan.seed);
        comparison.warnings.clone_from(&plan.warnings);
        self.finish_runs(plan, directory)?;
        directory.conclude(&comparison, require_decision)?;
        directory.write_page(&self.workspace);
        busy.tell();
        Ok(comparison)
    }

    /// Runs one scenario from look to look.
    fn measure(
        &self,
        plan: &ComparisonPlan,
        directory: &Directory,
        kept: &Kept,
        record: &mut Record,
        at: usize,
    ) -> anyhow::Result<Scenario> {
        let planned = &plan.scenarios[at];
        let course = plan.course(at);
        let progress =
            RefCell::new(Progress::start(&planned.name, 2 * u64::from(plan.looks.last())));
        let judged = course.drive(
            |turn| {
                let trial = timed(planned, turn);
                let done = match kept.trial(directory, turn.side, planned, &trial) {
                    Some(finished) => {
                        progress.borrow_mut().kept();
                        Some(finished.clone())
                    }
                    None => self.execute(directory, &trial, turn.side, planned, &progress)?,
                };
                let Some(finished) = done else { return Ok(None) };
                let expects =
                    self.side(turn.side).labs[&planned.lab].expects(&finished.trial.variant);
                let reduced = reduce(&finished, expects, record.trials, &planned.name, turn)?;
                record.keep(&reduced)?;
                Ok(Some(reduced))
            },
            |judged| progress.borrow_mut().judged(judged),
        )?;
        if self.interrupt.raised() {
            let path = self.workspace.shorten(&directory.path).display();
            bail!(
                "interrupted: {} trials are kept and nothing is judged; \
                 to go on: cargo xtask compare --resume {path}",
                record.trials
            );
        }
        Ok(judged)
    }

    /// Runs one trial; nothing when Ctrl-C ended it.
    fn execute(
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

    /// Profiles both sides in trials apart, taking turns.
    fn profile(
        &self,
        plan: &ComparisonPlan,
        directory: &Directory,
        kept: &Kept,
    ) -> anyhow::Result<()> {
        for planned in plan.scenarios.iter().filter(|planned| planned.profiled.is_some()) {
            let name = format!("{}, profiled", planned.name);
            let progress = RefCell::new(Progress::start(&name, 2 * u64::from(plan.profiled)));
            for (trial, side) in profiled(planned, plan.profiled) {
                if kept.trial(directory, side, planned, &trial).is_none() {
                    self.execute(directory, &trial, side, planned, &progress)?;
                }
            }
        }
        Ok(())
    }

    /// Draws what moved, and counts it. A chart that fails costs no verdict.
    fn draw(&self, plan: &ComparisonPlan, directory: &Directory, judged: &mut [Scenario]) {
        for (planned, judged) in plan.scenarios.iter().zip(judged) {
            if planned.profiled.is_none() {
                continue;
            }
            let [base, new] = [Side::Base, Side::New].map(|side| directory.run(side, &planned.lab));
            let [of_base, of_new] = planned.trials.each_ref().map(|trial| trial.variant.as_str());
            let names = [Side::Base, Side::New].map(|side| plan.revision(side).name.as_str());
            let drawn = flames::draw((&base, of_base), (&new, of_new), names, &directory.path);
            match drawn {
                Ok(Some(drawn)) => {
                    judged.moved_frames = drawn.moved;
                    eprintln!("{}", self.workspace.shorten(&drawn.page).display());
                }
                Ok(None) => {}
                Err(error) => eprintln!("note: no differential of {}: {error:#}", planned.name),
            }
        }
    }

    fn side(&self, side: Side) -> &Built {
        self.sides.side(side)
    }

    /// Makes the run directory of each lab on each side, whole before the first trial.
    fn write_plans(&self, directory: &Directory, plan: &ComparisonPlan) -> anyhow::Result<()> {
        for (side, lab) in plan.runs() {
            let path = directory.run(side, lab);
            lab_files::dir_below(&directory.path, path.strip_prefix(&directory.path)?)?;
            lab_files::dir_below(&path, "trials")?;
            let run = Plan {
                command: std::env::args().collect(),
                created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
                mode: Mode::Live,
                seed: plan.seed,
                description: self.side(side).labs[lab].description.clone(),
                set: Default::default(),
                trials: plan.trials_of(side, lab),
                without_probes: BTreeMap::new(),
            };
            write_json(&path.join("plan.json"), &run)?;
            let environment =
                Environment { before: environment::read(), ..self.side(side).environment(lab) };
            write_json(&path.join("environment.json"), &environment)?;
        }
        Ok(())
    }

    /// Adds what a run has after its last trial.
    fn finish_runs(&self, plan: &ComparisonPlan, directory: &Directory) -> anyhow::Result<()> {
        for (side, lab) in plan.runs() {
            let path = directory.run(side, lab);
            let file = path.join("environment.json");
            let mut environment: Environment = read_json(&file)?;
            environment.after = Some(environment::read());
            write_json(&file, &environment)?;
            let summary =
                summarize(&Run::load(&path)?, Default::default(), self.workspace.shorten(&path))?;
            write_json(&path.join("summary.json"), &summary)?;
        }
        Ok(())
    }
}

/// Who takes the profiles, if any are asked for.
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

/// What the labs of the workspace say that happen to be built.
fn built_labs(workspace: &Workspace, interrupt: &Interrupt) -> impl Iterator<Item = Description> {
    let labs = workspace.labs().into_iter();
    let binaries = labs.filter_map(|lab| lab.release_binary(&workspace.target));
    binaries.filter_map(|binary| describe(&binary, interrupt).ok())
}

/// Refuses sides whose difference would explain itself; returns the warnings.
fn comparable(args: &Args, sides: &Sides, planned: &[Planned]) -> anyhow::Result<Vec<String>> {
    let mut warnings: Vec<String> = Vec::new();
    for planned in planned {
        let mut base = facts::of(&sides.base.environment(&planned.lab), &planned.lab);
        let mut new = facts::of(&sides.new.environment(&planned.lab), &planned.lab);
        // Two variants differ in what they run: that is what is compared.
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
