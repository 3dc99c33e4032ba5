//! `cargo xtask compare BASE NEW`: is the new side slower than the noise allows?
//!
//! The method is in `lab-verdict`; here are the worktrees, the processes and the files. Only trials
//! that were interleaved in one comparison may gate: two revisions, or two variants of one lab.
//! Stored live runs are shown and never judged, simulated ones are compared exactly; recorded
//! trials can be judged again with `--replay`.

mod aa;
mod advisory;
mod args;
mod bench;
pub(crate) mod bisect;
mod command;
mod conduct;
mod directory;
mod drive;
mod exact;
mod facts;
mod flames;
mod git;
mod labs;
mod limits;
mod measure;
mod pilot;
mod plan;
mod progress;
mod resume;
mod scenarios;
mod sides;
mod unchanged;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use lab_record::SchemaError;
use lab_record::hlog::ForeignHistogram;
use lab_verdict::comparison::Comparison;
use lab_verdict::method::Method;
use lab_verdict::render;
use lab_verdict::replay::{self, ReplayError};

pub(crate) use args::Args;
use args::Format;
use directory::Directory;
use labs::Ready;
use limits::Named;
use plan::Work;

use crate::exit::{Code, ForeignFormat, usage};
use crate::output::{paint, print};

/// Compares what the arguments name, prints the table, and returns the exit code of the outcome.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    args.check()?;
    compare(args).map_err(name_format)
}

/// Marks an error about a foreign format as not comparable, with the format's key.
fn name_format(error: anyhow::Error) -> anyhow::Error {
    let key = if matches!(error.downcast_ref(), Some(SchemaError::Foreign { .. })) {
        "schema"
    } else if error.is::<ForeignHistogram>() {
        "histogram"
    } else {
        return error;
    };
    error.context(ForeignFormat { key })
}

fn compare(args: &Args) -> anyhow::Result<Code> {
    if args.aa {
        return aa::run(args);
    }
    let comparison = if let Some(file) = &args.replay {
        replayed(args, file)?
    } else if let Some(dir) = &args.resume {
        resume_in(args, dir)?
    } else if let Some((base, new)) = advisory::runs_of(args) {
        advisory::compare(args, &base, &new)?
    } else {
        interleave(args)?
    };
    report(args, &comparison)
}

/// Runs the trials of both sides, and judges them.
fn interleave(args: &Args) -> anyhow::Result<Comparison> {
    if args.bench.are_asked_for() {
        bench::compare(args)
    } else if args.command.are_asked_for() {
        command::compare(args)
    } else {
        match labs::prepare(args)? {
            Ready::Unchanged(comparison) => Ok(*comparison),
            Ready::Built(bench, warnings) if args.simulated => {
                exact::compare(args, &bench, warnings)
            }
            Ready::Built(bench, warnings) => labs::compare(args, *bench, warnings),
        }
    }
}

/// Resumes an interrupted comparison.
fn resume_in(args: &Args, dir: &Path) -> anyhow::Result<Comparison> {
    let (directory, plan) = Directory::reopen(dir)?;
    match plan.work.clone() {
        Work::Labs(work) => labs::resume(args, directory, plan.with_work(|_| work)),
        Work::Command(work) => command::resume(args, directory, plan.with_work(|_| work)),
        Work::Bench(work) => bench::resume(args, directory, plan.with_work(|_| work)),
    }
}

/// Judges recorded trials with the shipped method.
fn replayed(args: &Args, file: &Path) -> anyhow::Result<Comparison> {
    let record = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let of_commands = record.lines().next().is_some_and(|line| line.contains("\"values\":"));
    let wrong = |error: ReplayError| {
        let said = format!("{}: {error}", file.display());
        if error.is_usage() { usage(said) } else { anyhow::anyhow!(said) }
    };
    let sides = args.variant_pair();
    let scenarios = replay::scenarios(&record, sides).map_err(wrong)?;
    let named: Vec<Named> = scenarios.into_iter().map(Named::plain).collect();
    let limits = limits::resolve(&args.limits, &named, &args.known(of_commands))?;
    let method = Method { limits, ..args.method_of(of_commands)? };
    replay::replay(&record, sides, &method).map_err(wrong)
}

/// Prints a comparison in the format asked for; its outcome is the exit code.
fn report(args: &Args, comparison: &Comparison) -> anyhow::Result<Code> {
    print(&match args.format {
        Format::Human => render::human(comparison, paint()),
        Format::Json => comparison.to_json(),
        Format::Md => render::markdown(comparison),
        Format::Junit => render::junit(comparison, args.require_decision),
    })?;
    Ok(match comparison.exit_code(args.require_decision) {
        3 => Code::Regression,
        4 => Code::Inconclusive,
        6 => Code::InvalidRun,
        _ => Code::Fine,
    })
}
