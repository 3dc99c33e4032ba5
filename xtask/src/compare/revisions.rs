//! A comparison that gates: both sides built, trials interleaved, judged look by look.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use lab_record::{
    Environment, FinishedTrial, Mode, Plan, Run, State, Trial, read_json, write_json,
};
use lab_verdict::comparison::{Comparison, Kind, SideName};
use lab_verdict::looks::Looks;
use lab_verdict::method::Method;
use lab_verdict::order::{Side, Turn};
use lab_verdict::scenario::Scenario;
use lab_verdict::trial::Trial as Reduced;

use super::args::Args;
use super::directory::Directory;
use super::drive::Course;
use super::facts;
use super::flames;
use super::measure::reduce;
use super::progress::Progress;
use super::scenarios::{self, Planned};
use super::sides::{self, Built, Sides};
use crate::environment;
use crate::execute::{Programs, execute, failure};
use crate::process::Interrupt;
use crate::profiler::{self, Choice, Profiler};
use crate::summary::summarize;
use crate::workspace::Workspace;

/// Compares two revisions, or two variants of one.
pub(super) fn compare(args: &Args) -> anyhow::Result<Comparison> {
    let bench = Bench::prepare(args)?;
    bench.compare(Kind::Gate, args.seed, args.out.as_deref())
}

/// Both sides built, everything planned: what comparisons are made with.
pub(super) struct Bench<'a> {
    args: &'a Args,
    pub(super) workspace: Workspace,
    pub(super) interrupt: Interrupt,
    sides: Sides,
    probe: Option<PathBuf>,
    planned: Vec<Planned>,
    pub(super) method: Method,
    looks: Looks,
    warnings: Vec<String>,
}

impl<'a> Bench<'a> {
    /// Builds both sides, plans, and refuses sides that are not comparable.
    pub(super) fn prepare(args: &'a Args) -> anyhow::Result<Self> {
        let workspace = Workspace::discover()?;
        let interrupt = Interrupt::listen()?;
        let sides = sides::prepare(args, &workspace, &interrupt)?;
        // Once before a probe is built: what is typed wrongly should be said at once.
        let planned = scenarios::scenarios(args, &sides, None)?;
        let method = scenarios::method(args, planned.len())?;
        let looks = method.looks(planned.len())?;
        let warnings = comparable(args, &sides, &planned)?;
        let choice = sampler(args, &workspace, &interrupt)?;
        let planned = match &choice {
            Some(choice) => scenarios::scenarios(args, &sides, Some(choice.backend))?,
            None => planned,
        };
        let probe = choice.and_then(|choice| choice.probe);
        Ok(Self { args, workspace, interrupt, sides, probe, planned, method, looks, warnings })
    }

    /// Runs one comparison into a directory of its own.
    pub(super) fn compare(
        &self,
        kind: Kind,
        seed: u64,
        out: Option<&Path>,
    ) -> anyhow::Result<Comparison> {
        let mut directory = Directory::create(&self.workspace, out)?;
        eprintln!("{}", self.workspace.shorten(&directory.path).display());
        self.write_plans(&directory, seed)?;
        let mut scenarios: Vec<Scenario> = Vec::new();
        let mut number = 0;
        for at in 0..self.planned.len() {
            scenarios.push(self.measure(&mut directory, &mut number, at, seed)?);
        }
        if scenarios.iter().all(|scenario| scenario.verdict.is_some()) {
            self.profile(&directory)?;
            self.draw(&directory);
        }
        let names = (self.side_name(Side::Base), self.side_name(Side::New));
        let (method, looks) = (self.method.clone(), self.looks.clone());
        let mut comparison = Comparison::new(kind, names, method, looks, scenarios);
        comparison.seed = Some(seed);
        comparison.warnings.clone_from(&self.warnings);
        if let Some((metric, ratio)) = self.args.inject {
            let said = format!(
                "a slowness of {:.1}% was injected into {metric} of the new side",
                100.0 * ratio
            );
            comparison.warnings.push(said);
        }
        self.finish_runs(&directory)?;
        directory.conclude(&comparison, self.args.require_decision)?;
        directory.write_page(&self.workspace);
        Ok(comparison)
    }

    /// Runs one scenario from look to look.
    fn measure(
        &self,
        directory: &mut Directory,
        number: &mut u64,
        at: usize,
        seed: u64,
    ) -> anyhow::Result<Scenario> {
        let planned = &self.planned[at];
        let course = self.course(at, seed);
        let progress = std::cell::RefCell::new(Progress::start(&planned.name, self.looks.last()));
        let judged = course.drive(
            |turn| {
                let trial = timed(planned, turn);
                let done = self.execute(directory, &trial, turn.side, planned, &progress)?;
                let Some(finished) = done else { return Ok(None) };
                let reduced: Reduced = reduce(&finished, *number, &planned.name, turn)?;
                *number += 1;
                directory.keep(&reduced)?;
                progress.borrow_mut().trial();
                Ok(Some(reduced))
            },
            |judged| progress.borrow().judged(judged),
        )?;
        if self.interrupt.raised() {
            bail!(
                "interrupted: {number} trials are kept and nothing is judged; a comparison is never taken up again, \
                 but what there is can be looked at: cargo xtask compare --replay {}",
                self.workspace.shorten(&directory.path.join("trials.jsonl")).display()
            );
        }
        Ok(judged)
    }

    fn course(&self, at: usize, seed: u64) -> Course<'_> {
        Course {
            scenario: &self.planned[at].name,
            sides: (self.name(Side::Base), self.name(Side::New)),
            method: &self.method,
            looks: &self.looks,
            seed,
            first_quad: at as u32 * self.looks.last() / 2,
        }
    }

    /// Runs one trial; nothing when Ctrl-C ended it.
    fn execute(
        &self,
        directory: &Directory,
        trial: &Trial,
        side: Side,
        planned: &Planned,
        progress: &std::cell::RefCell<Progress>,
    ) -> anyhow::Result<Option<FinishedTrial>> {
        if self.interrupt.raised() {
            return Ok(None);
        }
        let dir = directory.run(side, &planned.lab).join("trials").join(&trial.id);
        let lab = self.side(side).labs[&planned.lab].binary.clone();
        let programs = Programs { lab, probe: self.probe.clone() };
        let exit = execute(&programs, &dir, trial, &self.interrupt, |_| progress.borrow().tick())?;
        if self.interrupt.raised() {
            return Ok(None);
        }
        if exit.state != State::Finished {
            bail!("{} side: {}", self.side(side).revision.name, failure(&dir, trial, &exit));
        }
        let metrics = read_json(&dir.join("metrics.json"))?;
        Ok(Some(FinishedTrial { dir, trial: trial.clone(), metrics }))
    }

    /// Profiles both sides in trials apart, taking turns.
    fn profile(&self, directory: &Directory) -> anyhow::Result<()> {
        for planned in self.planned.iter().filter(|planned| planned.profiled.is_some()) {
            let name = format!("{}, profiled", planned.name);
            let progress = std::cell::RefCell::new(Progress::start(&name, self.args.profiled));
            for (trial, side) in profiled(planned, self.args.profiled) {
                self.execute(directory, &trial, side, planned, &progress)?;
                progress.borrow_mut().trial();
            }
        }
        Ok(())
    }

    /// Draws what moved. A picture that fails costs no verdict.
    fn draw(&self, directory: &Directory) {
        for planned in self.planned.iter().filter(|planned| planned.profiled.is_some()) {
            let [base, new] = [Side::Base, Side::New].map(|side| directory.run(side, &planned.lab));
            let [of_base, of_new] = planned.trials.each_ref().map(|trial| trial.variant.as_str());
            let names = [Side::Base, Side::New].map(|side| self.side(side).revision.name.as_str());
            let out = directory.path.join("flame");
            let drawn = flames::draw((&base, of_base), (&new, of_new), names, &out);
            match drawn {
                Ok(Some(page)) => eprintln!("{}", self.workspace.shorten(&page).display()),
                Ok(None) => {}
                Err(error) => eprintln!("note: no differential of {}: {error:#}", planned.name),
            }
        }
    }

    fn side(&self, side: Side) -> &Built {
        match side {
            Side::Base => &self.sides.base,
            Side::New => &self.sides.new,
        }
    }

    /// What a side is called: its variant where two are compared, else its revision.
    fn name(&self, side: Side) -> &str {
        match self.args.variant_pair() {
            Some((base, _)) if side == Side::Base => base,
            Some((_, new)) => new,
            None => &self.side(side).revision.name,
        }
    }

    fn side_name(&self, side: Side) -> SideName {
        let revision = Some(self.side(side).revision.recorded.clone());
        SideName { name: self.name(side).to_owned(), revision }
    }

    /// Makes the run directory of each lab on each side, whole before the first trial.
    fn write_plans(&self, directory: &Directory, seed: u64) -> anyhow::Result<()> {
        for (side, lab) in self.runs() {
            let path = directory.run(side, lab);
            fs::create_dir_all(path.join("trials"))
                .with_context(|| format!("make {}", path.display()))?;
            let plan = Plan {
                command: std::env::args().collect(),
                created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
                mode: Mode::Live,
                seed,
                description: self.side(side).labs[lab].description.clone(),
                trials: self.trials_of(side, lab, seed),
            };
            write_json(&path.join("plan.json"), &plan)?;
            let environment =
                Environment { before: environment::read(), ..self.side(side).environment.clone() };
            write_json(&path.join("environment.json"), &environment)?;
        }
        Ok(())
    }

    /// Adds what a run has after its last trial.
    fn finish_runs(&self, directory: &Directory) -> anyhow::Result<()> {
        for (side, lab) in self.runs() {
            let path = directory.run(side, lab);
            let file = path.join("environment.json");
            let mut environment: Environment = read_json(&file)?;
            environment.after = Some(environment::read());
            write_json(&file, &environment)?;
            let summary = summarize(&Run::load(&path)?, Vec::new(), self.workspace.shorten(&path))?;
            write_json(&path.join("summary.json"), &summary)?;
        }
        Ok(())
    }

    fn runs(&self) -> impl Iterator<Item = (Side, &String)> {
        self.sides.base.labs.keys().flat_map(|lab| [(Side::Base, lab), (Side::New, lab)])
    }

    /// Every trial that a side's run of a lab may come to.
    fn trials_of(&self, side: Side, lab: &str, seed: u64) -> Vec<Trial> {
        let of_lab = (0..self.planned.len()).filter(|&at| self.planned[at].lab == lab);
        of_lab
            .flat_map(|at| {
                let planned = &self.planned[at];
                let turns = self.course(at, seed).turns().filter(move |turn| turn.side == side);
                let profiled = profiled(planned, self.args.profiled);
                let profiled = profiled.into_iter().filter(move |(_, of)| *of == side);
                turns.map(|turn| timed(planned, &turn)).chain(profiled.map(|(trial, _)| trial))
            })
            .collect()
    }
}

/// The trial of a turn. Its name tells the turn alone, so that both sides' paths have one length.
fn timed(planned: &Planned, turn: &Turn) -> Trial {
    let template = &planned.trials[turn.side as usize];
    let id = format!("{:03}-{}", turn.quad, turn.position);
    Trial { id, seed: turn.seed, ..template.clone() }
}

/// The profiled trials of a scenario: base and new in turns, the first of each with one seed.
fn profiled(planned: &Planned, each: u32) -> Vec<(Trial, Side)> {
    let Some([base, new]) = &planned.profiled else { return Vec::new() };
    let trial = |template: &Trial, n: u32| Trial {
        id: format!("{}-profiled-{n:02}", planned.trials[0].variant),
        seed: template.seed + u64::from(n),
        ..template.clone()
    };
    (0..each).flat_map(|n| [(trial(base, n), Side::Base), (trial(new, n), Side::New)]).collect()
}

/// Who takes the profiles, if any are asked for.
fn sampler(
    args: &Args,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Choice>> {
    if args.profiled == 0 || args.aa {
        return Ok(None);
    }
    let choice = profiler::choose(Profiler::Auto, workspace, interrupt)?;
    if let Some(note) = &choice.note {
        eprintln!("note: {note}");
    }
    Ok(Some(choice))
}

/// Refuses sides whose difference would explain itself; returns the warnings.
fn comparable(args: &Args, sides: &Sides, planned: &[Planned]) -> anyhow::Result<Vec<String>> {
    let mut warnings: Vec<String> = Vec::new();
    for planned in planned {
        let mut base = facts::of(&sides.base.environment, &planned.lab);
        let mut new = facts::of(&sides.new.environment, &planned.lab);
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
