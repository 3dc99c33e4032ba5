//! `cargo xtask compare BASE NEW`: is the new side slower than the noise allows?
//!
//! The method is `lab-verdict`'s; here are the worktrees, the processes and the files. What may
//! gate is only what ran interleaved in one go: two revisions, or two variants of one lab. Stored
//! runs are shown and never judged; recorded trials can be judged again with `--replay`.

mod aa;
mod advisory;
mod args;
mod directory;
mod drive;
mod facts;
mod flames;
mod git;
mod measure;
mod progress;
mod revisions;
mod scenarios;
mod sides;

use std::fs;

use anyhow::Context as _;
use lab_verdict::comparison::Comparison;
use lab_verdict::render;

pub(crate) use args::Args;
use args::Format;

use crate::exit::{Code, usage};
use crate::output::print;

/// Compares what the arguments name, prints the table, and ends with the exit code of the outcome.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    args.check()?;
    if args.aa {
        return aa::run(args);
    }
    let comparison = match &args.replay {
        Some(_) => replay(args)?,
        None => match advisory::runs_of(args) {
            Some((base, new)) => advisory::compare(args, &base, &new)?,
            None => revisions::compare(args)?,
        },
    };
    report(args, &comparison)
}

/// Judges recorded trials with the shipped method.
fn replay(args: &Args) -> anyhow::Result<Comparison> {
    let file = args.replay.as_deref().context("a replay has a file")?;
    let record = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    lab_verdict::replay::replay(&record, args.variant_pair(), &args.method()?).map_err(|error| {
        let said = format!("{}: {error}", file.display());
        if error.is_usage() { usage(said) } else { anyhow::anyhow!(said) }
    })
}

/// Prints a comparison in the format asked for; its outcome is the exit code.
fn report(args: &Args, comparison: &Comparison) -> anyhow::Result<Code> {
    print(&match args.format {
        Format::Human => render::human(comparison),
        Format::Json => comparison.to_json(),
        Format::Md => render::markdown(comparison),
        Format::Junit => render::junit(comparison, args.require_decision),
    })?;
    Ok(match comparison.outcome.exit_code(args.require_decision) {
        3 => Code::Regression,
        4 => Code::Inconclusive,
        6 => Code::InvalidRun,
        _ => Code::Fine,
    })
}
