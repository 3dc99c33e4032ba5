//! One trial of a command: a fresh process, what it took, and what it printed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{PipeReader, Read as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use lab_stats::median;
use lab_verdict::order::{Side, Turn};
use lab_verdict::trial::{SCHEMA, TrialRecord};

use super::line::Program;
use super::metrics::{CPU, MEMORY, SYS, USER, WALL};
use super::own::MOST_BYTES;
use super::work::{CommandWork, Cost};
use crate::git::forget_repository;
use crate::others::Ticks;
use crate::process::{Ended, Interrupt, Measured, capture, measure, piped};
use crate::users_environment;

/// A preparation that takes longer hangs.
const PREPARE_DEADLINE: Duration = Duration::from_secs(600);
/// The number of a failed command's last lines that an error repeats.
const LAST_LINES: usize = 8;

/// The results of a trial.
pub(super) struct Found {
    values: BTreeMap<String, f64>,
    /// A hash of all that it printed.
    pub(super) output: u64,
    others_cpu_ratio: Option<f64>,
}

/// Runs the preparation, and one side once in `dir`; `None` if Ctrl-C ended it.
///
/// # Errors
/// The command or its preparation fails, outlives its deadline, leaves processes behind or does not
/// print a number that is looked for.
pub(super) fn run(
    work: &CommandWork,
    side: Side,
    dir: Option<&Path>,
    interrupt: &Interrupt,
    mut tick: impl FnMut(),
) -> anyhow::Result<Option<Found>> {
    if let Some(line) = &work.prepare {
        let mut command = Program::shell(line).command(dir);
        as_the_user(&mut command, dir);
        let said = capture(command, PREPARE_DEADLINE, interrupt)?;
        match said.ended {
            Ended::Interrupted(_) => return Ok(None),
            ended if !ended.well() => bail!("--prepare `{line}` {ended}{}", last(&said.stderr)),
            _ => {}
        }
    }
    let program = &work.programs[side as usize];
    let keeps = !work.own.is_empty();
    let before = Ticks::read();
    let mut command = program.command(dir);
    as_the_user(&mut command, dir);
    let deadline = Duration::from_millis(work.deadline_ms);
    let (measured, printed, said) = observe(command, deadline, keeps, interrupt, &mut tick)?;
    let others = Ticks::read().zip(before).and_then(|(now, before)| now.others_since(before));
    let what = || format!("{}: `{}`", side.name(), program.shown());
    match measured.ended {
        Ended::Interrupted(_) => return Ok(None),
        Ended::TimedOut(_) => {
            let deadline = humantime::format_duration(deadline);
            bail!("{} outlived --deadline {deadline} and was killed{}", what(), last(&said));
        }
        ended if !ended.well() => bail!("{} {ended}{}", what(), last(&said)),
        _ => {}
    }
    ensure!(
        measured.left_behind.is_empty(),
        "{} left processes behind, which were killed and whose time is in no figure: {}",
        what(),
        measured.left_behind.join(", ")
    );
    let mut values = values(&measured, work.shell.filter(|_| program.is_shell));
    if keeps {
        let text = printed.text.as_deref().with_context(|| {
            format!(
                "{} prints more than {} MiB, where no number is looked for",
                what(),
                MOST_BYTES >> 20
            )
        })?;
        let text = String::from_utf8_lossy(text);
        for own in &work.own {
            let number = own.find(&text).with_context(what)?;
            values.insert(own.name.clone(), number);
        }
    }
    Ok(Some(Found { values, output: printed.hash, others_cpu_ratio: others }))
}

/// The cost of starting and ending a shell: medians over `starts` of them.
pub(super) fn of_empty_shell(starts: usize, interrupt: &Interrupt) -> anyhow::Result<Cost> {
    let mut all = Vec::new();
    for _ in 0..starts {
        let mut command = Program::shell("").command(None);
        as_the_user(&mut command, None);
        let deadline = Duration::from_secs(10);
        let (measured, ..) = observe(command, deadline, false, interrupt, &mut || ())?;
        ensure!(measured.ended.well(), "`sh -c ''` {}", measured.ended);
        all.push(measured);
    }
    let of = |value: fn(&Measured) -> Duration| {
        median(all.iter().map(|one| value(one).as_nanos() as f64)).unwrap_or(0.0)
    };
    Ok(Cost {
        wall_ns: of(|one| one.wall),
        user_ns: of(|one| one.usage.user),
        system_ns: of(|one| one.usage.system),
        memory_bytes: median(all.iter().map(|one| one.usage.peak_bytes as f64)).unwrap_or(0.0),
    })
}

/// Removes the variables that cargo and git set for this process; in our own checkouts, also a
/// target directory that both sides would share.
pub(in crate::compare) fn as_the_user(command: &mut Command, dir: Option<&Path>) {
    users_environment::restore(command);
    if dir.is_some() {
        forget_repository(command).env_remove("CARGO_TARGET_DIR");
    }
}

/// What was read from a pipe.
struct Printed {
    hash: u64,
    /// The whole text, if it was to be kept and is not too long.
    text: Option<Vec<u8>>,
}

/// Measures a command while what it prints is read.
fn observe(
    command: Command,
    deadline: Duration,
    keeps: bool,
    interrupt: &Interrupt,
    tick: &mut impl FnMut(),
) -> anyhow::Result<(Measured, Printed, String)> {
    let (measured, printed, said) = piped(
        command,
        |pipe| read(pipe, keeps),
        |pipe| read(pipe, true),
        |command| measure(command, deadline, interrupt, |_| tick()),
    )?;
    let said = String::from_utf8_lossy(said.text.as_deref().unwrap_or_default()).into_owned();
    Ok((measured, printed, said))
}

fn read(mut pipe: PipeReader, keeps: bool) -> Printed {
    let mut hash = DefaultHasher::new();
    let mut text = keeps.then(Vec::new);
    let mut buffer = vec![0; 1 << 16];
    // A broken pipe ends the reading; the exit status tells the rest.
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        hash.write(&buffer[..count]);
        if let Some(kept) = &mut text {
            kept.extend_from_slice(&buffer[..count]);
        }
        text = text.filter(|kept| kept.len() <= MOST_BYTES);
    }
    Printed { hash: hash.finish(), text }
}

/// Every figure by the name of its metric, less the start of a shell if there is one.
fn values(measured: &Measured, shell: Option<Cost>) -> BTreeMap<String, f64> {
    let without = |span: Duration, part: fn(&Cost) -> f64| {
        (span.as_nanos() as f64 - shell.as_ref().map_or(0.0, part)).max(0.0)
    };
    let usage = measured.usage;
    let (user, system) =
        (without(usage.user, |cost| cost.user_ns), without(usage.system, |cost| cost.system_ns));
    let values = [
        (WALL, without(measured.wall, |cost| cost.wall_ns)),
        (CPU, without(usage.user + usage.system, |cost| cost.user_ns + cost.system_ns)),
        (USER, user),
        (SYS, system),
        (MEMORY, usage.peak_bytes as f64),
    ];
    values.into_iter().map(|(metric, value)| (metric.name().to_owned(), value)).collect()
}

/// The last lines of a command's output.
pub(in crate::compare) fn last(said: &str) -> String {
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let kept = &lines[lines.len().saturating_sub(LAST_LINES)..];
    kept.iter().map(|line| format!("\n  | {line}")).collect()
}

impl Found {
    /// Peak memory in bytes.
    pub(super) fn memory(&self) -> f64 {
        self.values[MEMORY.name()]
    }

    /// The record for `trials.jsonl`.
    pub(super) fn trial(self, number: u64, scenario: &str, turn: &Turn) -> TrialRecord {
        TrialRecord {
            schema: Some(SCHEMA.to_owned()),
            trial: number,
            quad: turn.quad,
            position: turn.position,
            scenario: Some(scenario.to_owned()),
            variant: turn.side.name().to_owned(),
            seed: turn.seed,
            values: self.values,
            others_cpu_ratio: self.others_cpu_ratio,
            ..TrialRecord::default()
        }
    }
}
