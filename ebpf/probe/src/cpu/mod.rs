//! `lab-probe cpu`: samples where a program's CPU time goes.
//!
//! The kernel interrupts each observed thread at a rate of its CPU time and writes down its kernel stack, its user
//! registers and a copy of the top of its user stack. All else (unwinding, symbols, folding) waits until the program
//! has ended, so that it takes no CPU from it. Needs neither root, perf nor frame pointers.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use events::{Events, Sampling, Scope};
use fold::Folded;
use images::Images;
use quality::Quality;
use records::Intake;
use refused::Refused;
use replay::Stacks;
use symbols::Names;
use watch::{Observation, watch};

use crate::exit::Exit;
use crate::interrupts::interrupts;
use crate::target::{NotStarted, Target, now_ns};
use crate::{proc, say};

mod attach;
pub(crate) mod events;
pub(crate) mod fold;
pub(crate) mod images;
mod quality;
pub(crate) mod records;
mod refused;
pub(crate) mod replay;
pub(crate) mod space;
mod spool;
pub(crate) mod symbols;
mod unwind;
mod watch;

/// What to do.
pub(crate) struct Options {
    /// Whom to observe.
    pub(crate) target: TargetChoice,
    /// Samples per CPU-second.
    pub(crate) hz: u32,
    /// What triggers them.
    pub(crate) event: EventChoice,
    /// Where the folded stacks go.
    pub(crate) folded: PathBuf,
    /// Where each sample's time goes, if anywhere.
    pub(crate) times: Option<PathBuf>,
    /// How long to sample at most.
    pub(crate) duration: Option<Duration>,
}

/// Whom to observe.
pub(crate) enum TargetChoice {
    /// A running process, by its id or that of one of its threads.
    Process(u32),
    /// A command to start.
    Command(Vec<OsString>),
}

/// What triggers a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EventChoice {
    /// The processor's cycle counter where there is one, else the CPU clock.
    Auto,
    /// The kernel's timer, running while the thread does.
    CpuClock,
    /// The processor's cycle counter.
    Cycles,
}

/// The kernel or the processor refuses the events: the caller may fall back to another profiler.
const EXIT_REFUSED: u8 = 3;

/// Samples, reports in one line on standard error, and ends as the command ended.
pub(crate) fn main(options: &Options) -> ExitCode {
    match record(options) {
        Ok(quality) => {
            say(&summary(&quality, &options.folded));
            quality.exit.map_or(ExitCode::SUCCESS, Exit::pass_on)
        }
        Err(error) => {
            say(&format!("lab-probe: {error:#}"));
            exit_code(&error).into()
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    match (error.downcast_ref::<Refused>(), error.downcast_ref::<NotStarted>()) {
        (Some(_), _) => EXIT_REFUSED,
        (_, Some(not_started)) => not_started.exit_code(),
        _ => 1,
    }
}

/// The whole story: open, begin, watch, replay, fold, judge, write.
fn record(options: &Options) -> Result<Quality> {
    let mut events = Events::open(options.event, options.hz)?;
    let dir = output_dir(&options.folded)?;
    let mut intake = Intake::new(dir);
    // Before there is a command that would lose its profile to an early Ctrl-C.
    let interrupted = interrupts()?;
    let (mut target, note) = begin(&options.target, &mut events, &mut intake)?;
    let seen = watch(&mut target, &mut events, &mut intake, options.duration, &interrupted)?;

    let Intake { spool, changes, lost, throttled, unreadable } = intake;
    let lost = lost + spool.dropped();
    let mut images = Images::below(target.root());
    let stacks = replay::replay(spool, changes, clock_offset_ns(), &mut images)?;
    let mut names = Names::new(&images);
    let folded = fold::fold(&stacks, &mut names);

    let mut quality = judge(events.sampling, &folded, &seen, lost, throttled);
    quality.notes.extend(note);
    quality.notes.extend(notes(&quality, &names, &images, unreadable));
    write(options, &stacks, &folded, &quality)?;
    Ok(quality)
}

/// Makes the directory of the output, and sees that it can be written to before the command runs for an hour in vain.
fn output_dir(folded: &Path) -> Result<&Path> {
    let dir = folded.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
    tempfile::tempfile_in(dir)
        .with_context(|| format!("write to the directory {}", dir.display()))?;
    Ok(dir)
}

/// Starts the command, or attaches to the process; with a note where it is not the one that was named.
fn begin(
    choice: &TargetChoice,
    events: &mut Events,
    intake: &mut Intake,
) -> Result<(Target, Option<String>)> {
    match choice {
        TargetChoice::Command(command) => {
            let observe = |pid| {
                let opened = events.observe(pid, Scope::FromExec);
                opened.context("open perf events on the command")
            };
            Ok((Target::launch(command, observe)?, None))
        }
        TargetChoice::Process(id) => {
            let pid = proc::process_of(*id)?;
            let (target, changes) = attach::attach(pid, events)?;
            intake.changes.extend(changes);
            Ok((
                target,
                (pid != *id).then(|| format!("{id} is a thread: its process {pid} was observed")),
            ))
        }
    }
}

fn judge(
    sampling: Sampling,
    folded: &Folded,
    seen: &Observation,
    lost: u64,
    throttled: u64,
) -> Quality {
    let Sampling { event, hz, user_only } = sampling;
    let cpu = if user_only { seen.cpu.user } else { seen.cpu.user + seen.cpu.system };
    Quality {
        schema: quality::SCHEMA,
        kind: "cpu",
        backend: "perf-event",
        event: event.name(),
        requested_hz: hz,
        achieved_hz: quality::achieved_hz(folded.samples, cpu.as_secs_f64()),
        samples: folded.samples,
        lost,
        throttled,
        rootless: quality::share(folded.rootless, folded.samples),
        kernel: quality::share(folded.in_kernel, folded.samples),
        unwinder: "framehop",
        user_only,
        cpu_seconds: cpu.as_secs_f64(),
        duration_s: seen.duration.as_secs_f64(),
        exit: seen.exit,
        notes: Vec::new(),
    }
}

fn notes(quality: &Quality, names: &Names<'_>, images: &Images, unreadable: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if quality.user_only {
        notes.push(
            "user space only: kernel frames need root or kernel.perf_event_paranoid at 1 or less \
             (sudo sysctl kernel.perf_event_paranoid=1)"
                .to_owned(),
        );
    } else if quality.kernel > 0.0 && !names.kernel_readable() {
        notes.push(
            "the kernel hides its symbols (kernel.kptr_restrict): its frames have no names"
                .to_owned(),
        );
    }
    let changed = |path| format!("{path} was changed while it ran: its frames have no names");
    notes.extend(images.changed().iter().map(changed));
    if unreadable > 0 {
        notes.push(format!("{unreadable} records of the kernel could not be read"));
    }
    notes.extend(quality::notes_on_figures(quality));
    notes
}

/// The folded stacks and the times first, then the quality: where it is, the rest is whole.
fn write(options: &Options, stacks: &Stacks, folded: &Folded, quality: &Quality) -> Result<()> {
    let put = |path: &Path, text: String| {
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    };
    put(&options.folded, folded.text())?;
    if let Some(path) = &options.times {
        put(path, fold::times(stacks, folded))?;
    }
    let json = serde_json::to_string_pretty(quality).context("encode the quality")?;
    put(&options.folded.with_extension("json"), json + "\n")
}

fn summary(quality: &Quality, folded: &Path) -> String {
    let Quality { samples, event, kernel, rootless, requested_hz, .. } = quality;
    let rate = quality.achieved_hz.map_or("-".to_owned(), |hz| format!("{hz:.1}"));
    let mut text = format!(
        "lab-probe: {samples} samples by {event} at {rate} of {requested_hz} Hz, {:.0} % in the kernel, \
         {:.1} % without a root: {}",
        kernel * 100.0,
        rootless * 100.0,
        folded.display()
    );
    for note in &quality.notes {
        text.push_str("\nlab-probe: ");
        text.push_str(note);
    }
    text
}

/// Unix time minus CLOCK_MONOTONIC, to compare the times of records with those of files.
pub(crate) fn clock_offset_ns() -> i128 {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    unix.as_nanos().cast_signed() - i128::from(now_ns())
}
