//! Compares two commands, or one command in two revisions of any repository.
//!
//! A trial is one fresh process of one side: how long it took, what it and its children used, and
//! the numbers that it printed. Its standard output is a pipe, as it often is in use: some programs
//! skip their work if it is `/dev/null`.

pub(super) mod args;
mod line;
mod metrics;
mod own;
pub(super) mod sides;
pub(super) mod trial;
pub(super) mod work;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use lab_verdict::comparison::{Comparison, Kind};
use lab_verdict::method::Method;
use lab_verdict::order::{Side, Turn};
use lab_verdict::scenario::Scenario;
use lab_verdict::trial::TrialRecord;

use super::args::Args;
use super::conduct::{self, Place, Subject};
use super::directory::Directory;
use super::limits::{self, Named};
use super::plan::ComparisonPlan;
use super::resume::{self, KeptRecord};
use crate::exit::{Disagreement, usage};
use crate::process::Interrupt;
use crate::workspace;
use line::Program;
use metrics::MEMORY;
use sides::Checkouts;
pub(super) use sides::toplevel;
use trial::Found;
use work::CommandWork;

/// The number of shell starts whose median is the cost of a shell.
const SHELL_STARTS: usize = 21;

/// Looks of a comparison whose pairs are short: it takes more of them.
const SHORT_LOOKS: [u32; 4] = [32, 48, 64, 96];
/// The most time that these may take together.
const SHORT: Duration = Duration::from_secs(30);

/// Compares two commands, or two revisions with one command.
pub(super) fn compare(args: &Args) -> anyhow::Result<Comparison> {
    let (bench, plan) = Bench::prepare(args)?;
    bench.begin(&plan, args)
}

/// Resumes an interrupted comparison.
pub(super) fn resume(
    args: &Args,
    directory: Directory,
    mut plan: ComparisonPlan<CommandWork>,
) -> anyhow::Result<Comparison> {
    let kept = resume::whole_pairs_of_record(&directory)?;
    let here = workspace::Place::here()?;
    resume::check_environment(&directory, &here, false)?;
    let interrupt = Interrupt::listen()?;
    let checkouts = checkouts(&plan.work, &here, &interrupt)?;
    let mut bench = Bench { here, interrupt, checkouts, outputs: [None; 2], least_memory: None };
    bench.warm_up(&plan.work)?;
    plan.warnings.push(kept.warning());
    directory.write_plan(&plan)?;
    conduct::run(&Trials { bench: &bench, kept }, &plan, &directory, args.require_decision)
}

/// What comparisons of commands need.
pub(super) struct Bench {
    here: workspace::Place,
    interrupt: Interrupt,
    checkouts: Option<Checkouts>,
    /// A hash of each side's first output.
    outputs: [Option<u64>; 2],
    /// The least memory of a run, in bytes.
    least_memory: Option<f64>,
}

impl Bench {
    /// Builds what has to be built, warms up both sides, and plans.
    pub(super) fn prepare(args: &Args) -> anyhow::Result<(Self, ComparisonPlan<CommandWork>)> {
        let here = workspace::Place::here()?;
        args.out.as_deref().map(Directory::check_free).transpose()?;
        let mut work = work(args)?;
        let named = [Named::plain(work.scenario())];
        let limits = limits::resolve(&args.limits, &named, &args.known(true))?;
        let method = Method { limits, ..args.method()? };
        let interrupt = Interrupt::listen()?;
        let checkouts = checkouts(&work, &here, &interrupt)?;
        if work.programs.iter().any(|program| program.is_shell) {
            work.shell = Some(trial::of_empty_shell(SHELL_STARTS, &interrupt)?);
        }
        let mut bench = Self { here, interrupt, checkouts, outputs: [None; 2], least_memory: None };
        let mut warnings = bench.checkouts.as_ref().map_or_else(Vec::new, Checkouts::warnings);
        let pair = bench.warm_up(&work)?;
        warnings.extend(bench.checkouts.as_ref().and_then(Checkouts::written));
        warnings.extend(bench.disagreement(&work)?);
        warnings.extend(bench.hidden_memory()?);
        if let Some(shell) = &work.shell {
            let start = lab_verdict::render::latency(shell.wall_ns);
            warnings.push(format!("the start of a shell, {start}, is subtracted from its trials"));
        }
        let method = match pair {
            Some(pair) if args.looks.is_empty() && pair * SHORT_LOOKS[3] <= SHORT => {
                Method { looks: SHORT_LOOKS.to_vec(), ..method }
            }
            _ => method,
        };
        let method = super::scenarios::with_looks_that_reject(args, method, 1)?;
        let plan = ComparisonPlan {
            kind: if args.aa { Kind::Aa } else { Kind::Gate },
            seed: args.seed,
            sides: work.names(),
            scenarios: vec![work.scenario()],
            looks: method.looks(1)?,
            method,
            warnings,
            work,
        };
        Ok((bench, plan))
    }

    /// Runs one comparison into a directory of its own.
    pub(super) fn begin(
        &self,
        plan: &ComparisonPlan<CommandWork>,
        args: &Args,
    ) -> anyhow::Result<Comparison> {
        let directory = conduct::begin(&self.here, args.out.as_deref(), false, plan)?;
        let trials = Trials { bench: self, kept: KeptRecord::default() };
        conduct::run(&trials, plan, &directory, args.require_decision)
    }

    /// Warms up both sides, and returns how long the last pair took; `None` without a warm-up.
    fn warm_up(&mut self, work: &CommandWork) -> anyhow::Result<Option<Duration>> {
        let mut last = None;
        for _ in 0..work.warmup {
            let mut pair = Duration::ZERO;
            for side in [Side::Base, Side::New] {
                let began = std::time::Instant::now();
                let found = self.run(work, side, || ())?.context("interrupted while warming up")?;
                self.outputs[side as usize].get_or_insert(found.output);
                let memory = found.memory().min(self.least_memory.unwrap_or(f64::INFINITY));
                self.least_memory = Some(memory);
                pair += began.elapsed();
            }
            last = Some(pair);
        }
        Ok(last)
    }

    /// A warning that the sides print different things; an error if they must not.
    fn disagreement(&self, work: &CommandWork) -> anyhow::Result<Option<String>> {
        match self.outputs {
            [Some(base), Some(new)] if base != new && work.check => {
                Err(Disagreement("the sides print different things".into()).into())
            }
            [Some(base), Some(new)] if base != new => {
                Ok(Some("the sides print different things; --check would refuse them".to_owned()))
            }
            _ => Ok(None),
        }
    }

    /// A warning that a side takes no more memory than a process begins with, which is a copy of
    /// this one.
    fn hidden_memory(&self) -> anyhow::Result<Option<String>> {
        let Some(least) = self.least_memory else { return Ok(None) };
        let copy = trial::of_empty_shell(1, &self.interrupt)?.memory_bytes;
        let shown = lab_verdict::render::median(Some(copy), MEMORY.unit(), false);
        Ok((least <= 1.02 * copy).then(|| {
            format!("memory below {shown} is not seen: each process begins as a copy of this one")
        }))
    }

    /// Runs one side once; `None` if Ctrl-C ended it.
    fn run(
        &self,
        work: &CommandWork,
        side: Side,
        tick: impl FnMut(),
    ) -> anyhow::Result<Option<Found>> {
        let dir = self.checkouts.as_ref().map(|checkouts| checkouts.dir(side));
        trial::run(work, side, dir.as_deref(), &self.interrupt, tick)
    }
}

/// The trials of one comparison of commands.
struct Trials<'a> {
    bench: &'a Bench,
    kept: KeptRecord,
}

impl Subject for Trials<'_> {
    type Work = CommandWork;

    fn interrupt(&self) -> &Interrupt {
        &self.bench.interrupt
    }

    fn runs(&self) -> PathBuf {
        self.bench.here.runs.clone()
    }

    fn trial(
        &self,
        place: &Place<'_, CommandWork>,
        turn: &Turn,
    ) -> anyhow::Result<Option<TrialRecord>> {
        let Place { plan, at, number, progress, .. } = *place;
        if let Some(kept) = self.kept.trial(place, turn) {
            return Ok(Some(kept));
        }
        let found = self.bench.run(&plan.work, turn.side, || progress.borrow().tick())?;
        let Some(found) = found else { return Ok(None) };
        let expected = self.bench.outputs[turn.side as usize];
        if plan.work.check && expected.is_some_and(|output| output != found.output) {
            let said = format!("{} prints different output each time", plan.name(turn.side));
            return Err(Disagreement(said).into());
        }
        progress.borrow_mut().ran();
        Ok(Some(found.trial(number, &plan.scenarios[at], turn)))
    }

    fn end(
        &self,
        _: &ComparisonPlan<CommandWork>,
        _: &Directory,
        _: &mut [Scenario],
    ) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Both sides, checked out and built, if revisions are compared.
fn checkouts(
    work: &CommandWork,
    here: &workspace::Place,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Checkouts>> {
    let program = &work.programs[0];
    let of = work.revisions.as_ref();
    of.map(|of| sides::check_out(of, Some(program), here, interrupt)).transpose()
}

/// What the trials run. Needs the repository if revisions are named.
fn work(args: &Args) -> anyhow::Result<CommandWork> {
    let asked = &args.command;
    let of_line = |line: &String| Program::of_line(line, asked.shell).map_err(usage);
    let (programs, revisions) = match &asked.a {
        Some(a) => ([of_line(a)?, of_line(asked.b.as_ref().unwrap_or(a))?], None),
        None => {
            let program = Program { words: asked.run.clone(), is_shell: false };
            let revisions = sides::named(args, asked.build.clone())?;
            ([program.clone(), program], Some(revisions))
        }
    };
    Ok(CommandWork {
        programs,
        prepare: asked.prepare.clone(),
        check: asked.check,
        warmup: asked.warmup,
        deadline_ms: asked.deadline.as_millis() as u64,
        own: asked.metric.clone(),
        shell: None,
        revisions,
    })
}
