//! `lab-probe cpu` and `lab-probe off-cpu`: where a program's CPU time goes, and where its threads
//! wait.
//!
//! The kernel interrupts each observed thread at a rate of its CPU time, or whenever it is switched
//! out, and records its kernel stack, its user registers and a copy of the top of its user stack.
//! All else (unwinding, symbols, folding) waits until the program has ended, so as to take no CPU
//! time from it. Needs neither perf nor frame pointers, and for CPU time no rights.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use lab_record::{ProfileQuality, read_json};

use away::{Away, OffCpuTimes};
use changes::What;
use events::{Event, Events, Sampling, Scope};
use fold::Folded;
use held::Held;
use images::Images;
use perf_map::PerfMaps;
use quality::{Faults, Figures, Quality, Rates, Times};
use records::Intake;
use refused::Refused;
use replay::Stacks;
use spool::RawSample;
use symbols::Names;
use watch::{Observation, watch};

use crate::exit::Exit;
use crate::interrupts::Interrupts;
use crate::target::{NotStarted, Target, now_ns};
use crate::user::invoking_user;
use crate::{proc, say};

mod attach;
mod away;
pub(crate) mod changes;
pub(crate) mod events;
pub(crate) mod fold;
mod held;
pub(crate) mod images;
mod perf_map;
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
    /// The target.
    pub(crate) target: TargetChoice,
    /// What to record.
    pub(crate) kind: Kind,
    /// Where the folded stacks go.
    pub(crate) folded: PathBuf,
    /// How long to sample at most.
    pub(crate) duration: Option<Duration>,
}

/// What to record.
pub(crate) enum Kind {
    /// Where CPU time goes.
    Cpu {
        /// Samples per CPU-second.
        hz: u32,
        /// What triggers them.
        event: EventChoice,
        /// Where each sample's time goes, if anywhere.
        times: Option<PathBuf>,
    },
    /// Where threads wait.
    OffCpu,
    /// Where memory is touched for the first time, or again after it was taken away.
    Faults,
}

/// The target.
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

/// Time off the CPU is added up in nanoseconds and written in microseconds: a wait of 2 µs must not
/// vanish in rounding.
const NS_PER_UNIT: u64 = 1000;

/// Less CPU time than this may be missing, since a process is counted only from its exec on.
const UNSEEN_MIN: Duration = Duration::from_millis(50);

/// The exit code if the kernel or the processor refuses the events: the caller may use another
/// profiler.
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

/// All steps: open, begin, watch, replay, fold, judge, write.
fn record(options: &Options) -> Result<Quality> {
    let mut events = match options.kind {
        Kind::Cpu { hz, event, .. } => Events::of_cpu_time(event, hz)?,
        Kind::OffCpu => Events::of_switches()?,
        Kind::Faults => Events::of_faults()?,
    };
    let dir = output_dir(&options.folded)?;
    check_is_ours(&options.folded.with_extension("json"))?;
    let mut intake = Intake::new(dir);
    // Before the command starts, which would otherwise lose its profile to an early Ctrl-C.
    let interrupts = Interrupts::listen()?;
    let (mut target, note, begun) = begin(&options.target, &mut events, &mut intake)?;
    let there = named(&intake);
    let seen = watch(&mut target, &mut events, &mut intake, begun, options.duration, &interrupts)?;

    let (throttled, unreadable) = (intake.throttled, intake.unreadable);
    let lost = intake.lost + intake.spool.dropped();
    let left = left_running(&intake, target.pid(), &options.target);
    let owner = owner(target.pid(), &options.target);
    let held = std::mem::take(&mut intake.held);
    let maps = PerfMaps::of(owner, target.root());
    let mut images = Images::below(target.root()).with(held, maps);
    let (mut stacks, away) = match options.kind {
        Kind::Cpu { .. } | Kind::Faults => (count(&options.kind, intake, &mut images)?, None),
        Kind::OffCpu => {
            let (stacks, away) = weigh(intake, &there, seen.ended_ns, &mut images)?;
            (stacks, Some(away))
        }
    };
    stacks.complete();
    if matches!(options.kind, Kind::Faults) {
        stacks.scale_down_to(seen.counted.count);
    }
    let mut names = Names::new(&images);
    let folded = fold::fold(&stacks, &mut names);

    let seen_samples = stacks.samples.len() as u64;
    let mut quality =
        judge(events.sampling, &folded, away.as_ref(), &seen, (seen_samples, lost, throttled));
    quality.notes.extend(note);
    quality.notes.extend(left);
    quality.notes.extend(unseen(&options.target, &seen));
    quality.notes.extend(notes(&quality, &names, &images, &folded, unreadable));
    quality.notes.extend(away.iter().flat_map(quality::notes_on_away));
    write(options, &stacks, &folded, &quality)?;
    Ok(quality)
}

/// The threads whose names are already known, and since when.
fn named(intake: &Intake) -> Vec<(u32, u64)> {
    let named = intake.changes.iter().filter_map(|change| match change.what {
        What::Name { tid, .. } => Some((tid, change.time_ns)),
        _ => None,
    });
    named.collect()
}

/// The stacks with the number of their samples, or of the faults that these stand for.
fn count(kind: &Kind, intake: Intake, images: &mut Images) -> Result<Stacks> {
    let mut stacks = Stacks::default();
    let weight = |sample: &RawSample| if matches!(kind, Kind::Faults) { sample.weight } else { 1 };
    let each = |sample: &RawSample, stack| stacks.count(sample.time_ns, stack, weight(sample));
    replay::replay(intake.spool, intake.changes, clock_offset_ns(), images, each)?;
    Ok(stacks)
}

/// The stacks with the nanoseconds that threads were blocked in them.
fn weigh(
    intake: Intake,
    there: &[(u32, u64)],
    ended_ns: u64,
    images: &mut Images,
) -> Result<(Stacks, Away)> {
    let mut times = OffCpuTimes::open(intake.switches, there, images);
    let each = |sample: &RawSample, stack| times.take(sample, stack);
    replay::replay(intake.spool, intake.changes, clock_offset_ns(), images, each)?;
    Ok(times.close(ended_ns))
}

/// Makes the directory of the output, and checks that it is writable before the command runs.
fn output_dir(folded: &Path) -> Result<&Path> {
    let dir = folded.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
    tempfile::tempfile_in(dir)
        .with_context(|| format!("write to the directory {}", dir.display()))?;
    Ok(dir)
}

/// Refuses to overwrite another kind of file with the quality file, whose name the user did not
/// type.
fn check_is_ours(quality: &Path) -> Result<()> {
    let there = quality.symlink_metadata().is_ok();
    let is_ours = || read_json::<ProfileQuality>(quality).is_ok();
    ensure!(
        !there || is_ours(),
        "{} is there and is no profile's quality, which goes by that name: name another --out",
        quality.display()
    );
    Ok(())
}

/// Starts the command, or attaches to the process; with a note if that is not the one that was
/// named.
fn begin(
    choice: &TargetChoice,
    events: &mut Events,
    intake: &mut Intake,
) -> Result<(Target, Option<String>, Instant)> {
    match choice {
        TargetChoice::Command(command) => {
            let begun = Mutex::new(Instant::now());
            let observe = |pid| {
                let opened = events.observe(pid, Scope::FromExec);
                // The command runs from here on, even before this process runs again.
                *begun.lock().expect("no thread panics with it") = Instant::now();
                opened.context("open perf events on the command")
            };
            let target = Target::launch(command, observe)?;
            let begun = begun.into_inner().expect("no thread panics with it");
            Ok((target, None, begun))
        }
        TargetChoice::Process(id) => {
            let pid = proc::process_of(*id)?;
            let (target, changes) = attach::attach(pid, events)?;
            intake.held = Held::below(target.root());
            changes.into_iter().for_each(|change| intake.note(change));
            let note =
                (pid != *id).then(|| format!("{id} is a thread: its process {pid} was observed"));
            Ok((target, note, Instant::now()))
        }
    }
}

/// The user whose files in `/tmp` are trusted to name code that the target made.
fn owner(pid: u32, choice: &TargetChoice) -> u32 {
    let us = rustix::process::geteuid().as_raw();
    match choice {
        TargetChoice::Command(_) => invoking_user().map_or(us, |user| user.uid()),
        TargetChoice::Process(_) => fs::metadata(format!("/proc/{pid}")).map_or(us, |of| of.uid()),
    }
}

/// The processes that a command started and left running when it ended.
fn left_running(intake: &Intake, pid: u32, choice: &TargetChoice) -> Option<String> {
    if matches!(choice, TargetChoice::Process(_)) {
        return None;
    }
    let born = intake.changes.iter().filter_map(|change| match change.what {
        What::Fork { pid: born, parent_pid, .. } if born != parent_pid && born != pid => Some(born),
        _ => None,
    });
    let born: BTreeSet<u32> = born.collect();
    let names: Vec<String> = born.into_iter().filter_map(proc::running).collect();
    let (first, more) = names.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(format!(
        "left running in the background when the command ended: {first}{more}; what they did \
         afterwards is not here (a command that waits for them, or --pid, sees it)"
    ))
}

/// A note about CPU time of a command that no event saw: the kernel removes the events from a
/// program that gains rights.
fn unseen(choice: &TargetChoice, seen: &Observation) -> Option<String> {
    let TargetChoice::Command(command) = choice else { return None };
    let spent = seen.cpu.user + seen.cpu.system;
    let unseen = spent.checked_sub(seen.counted.cpu)?;
    if unseen < UNSEEN_MIN || unseen * 5 < spent {
        return None;
    }
    let program = command.first().and_then(|program| proc::gains_rights(program));
    let who = program.map_or("a program in it".to_owned(), |path| path.display().to_string());
    Some(format!(
        "{:.2} of {:.2} s of CPU time were out of sight: {who} gains rights when it starts \
         (setuid), and the kernel then takes the events away; as root it can be recorded",
        unseen.as_secs_f64(),
        spent.as_secs_f64()
    ))
}

fn judge(
    sampling: Sampling,
    folded: &Folded,
    away: Option<&Away>,
    seen: &Observation,
    (samples, lost, throttled): (u64, u64, u64),
) -> Quality {
    // The total is from the events, which include children that no parent waits for; the split into
    // user and system time is from elsewhere.
    let (user, system) = (seen.cpu.user.as_secs_f64(), seen.cpu.system.as_secs_f64());
    let in_sight =
        if sampling.user_only && user + system > 0.0 { user / (user + system) } else { 1.0 };
    let cpu_seconds = seen.counted.cpu.as_secs_f64() * in_sight;
    let (kind, samples, figures) = match away {
        Some(away) => {
            let times = Times {
                blocked_seconds: away.blocked_ns as f64 / 1e9,
                preempted_seconds: away.preempted_ns as f64 / 1e9,
            };
            ("off-cpu", away.waits - away.stacks_lost, Figures::OffCpu(times))
        }
        None if sampling.event == Event::PageFaults => {
            let faults = Faults {
                faults: folded.total,
                all_faults: seen.counted.count,
                kernel: quality::share(folded.in_kernel, folded.total),
                user_only: sampling.user_only,
            };
            ("faults", samples, Figures::Faults(faults))
        }
        None => {
            let rates = Rates {
                requested_hz: sampling.hz.unwrap_or_default(),
                achieved_hz: ProfileQuality::achieved_hz(
                    folded.total,
                    cpu_seconds,
                    sampling.hz.map(f64::from),
                ),
                throttled,
                kernel: quality::share(folded.in_kernel, folded.total),
                user_only: sampling.user_only,
            };
            ("cpu", folded.total, Figures::Cpu(rates))
        }
    };
    Quality {
        schema: quality::SCHEMA,
        kind,
        backend: "perf-event",
        event: sampling.event.name(),
        figures,
        samples,
        lost,
        rootless: quality::share(folded.rootless, folded.total),
        unwinder: "framehop",
        cpu_seconds,
        duration_s: seen.duration.as_secs_f64(),
        exit: seen.exit,
        notes: Vec::new(),
    }
}

fn notes(
    quality: &Quality,
    names: &Names<'_>,
    images: &Images,
    folded: &Folded,
    unreadable: u64,
) -> Vec<String> {
    let mut notes = Vec::new();
    let user_only = matches!(
        quality.figures,
        Figures::Cpu(Rates { user_only: true, .. })
            | Figures::Faults(Faults { user_only: true, .. })
    );
    if user_only {
        notes.push(
            "user space only: kernel frames need root or kernel.perf_event_paranoid at 1 or less \
             (sudo sysctl kernel.perf_event_paranoid=1)"
                .to_owned(),
        );
    } else if folded.in_kernel > 0 && !names.kernel_readable() {
        notes.push(
            "the kernel hides its symbols (kernel.kptr_restrict): its frames have no names"
                .to_owned(),
        );
    }
    let changed = |path| format!("{path} was changed while it ran: its frames have no names");
    notes.extend(images.changed().iter().map(changed));
    let deleted = |path| format!("{path} was deleted while it ran: its frames have no names");
    notes.extend(images.deleted().iter().map(deleted));
    notes.extend(quality::notes_on_stacks(folded));
    notes.extend(images.maps().refused().iter().cloned());
    if unreadable > 0 {
        notes.push(format!("{unreadable} records of the kernel could not be read"));
    }
    notes.extend(quality::notes_on_figures(quality));
    notes
}

/// Writes the folded stacks and the times first, then the quality file: if that exists, the rest is
/// complete.
fn write(options: &Options, stacks: &Stacks, folded: &Folded, quality: &Quality) -> Result<()> {
    let per_unit = if matches!(options.kind, Kind::OffCpu) { NS_PER_UNIT } else { 1 };
    lab_files::write(&options.folded, fold::text(&folded.lines, per_unit).0)?;
    if let Kind::Cpu { times: Some(path), .. } = &options.kind {
        lab_files::write(path, fold::times(stacks, folded))?;
    }
    let json = serde_json::to_string_pretty(quality).context("encode the quality")?;
    lab_files::write(&options.folded.with_extension("json"), json + "\n")
}

fn summary(quality: &Quality, folded: &Path) -> String {
    let Quality { samples, event, .. } = quality;
    let figures = match &quality.figures {
        Figures::Cpu(Rates { requested_hz, achieved_hz, kernel, .. }) => {
            let rate = achieved_hz.map_or("-".to_owned(), |hz| format!("{hz:.1}"));
            let kernel = kernel * 100.0;
            format!(
                "{samples} samples by {event} at {rate} of {requested_hz} Hz, {kernel:.0} % in the \
                 kernel"
            )
        }
        Figures::Faults(Faults { faults, .. }) => {
            format!("{faults} page faults in {samples} samples")
        }
        Figures::OffCpu(Times { blocked_seconds, preempted_seconds }) => format!(
            "{samples} samples by {event}: {blocked_seconds:.3} s blocked, {preempted_seconds:.3} \
             s preempted"
        ),
    };
    let rootless = quality.rootless * 100.0;
    let mut text =
        format!("lab-probe: {figures}, {rootless:.1} % without a root: {}", folded.display());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proc::CpuTime;
    use events::Totals;

    #[test]
    fn cpu_time_that_no_event_saw_has_its_cause_named() {
        let seen = |spent, counted| Observation {
            duration: Duration::from_secs(1),
            ended_ns: 0,
            cpu: CpuTime { user: Duration::from_millis(spent), system: Duration::ZERO },
            counted: Totals { count: 0, cpu: Duration::from_millis(counted) },
            exit: None,
        };
        let command = TargetChoice::Command(vec!["true".into()]);
        let note = unseen(&command, &seen(800, 10)).unwrap();
        assert!(note.starts_with("0.79 of 0.80 s") && note.contains("setuid"), "{note}");
        for (spent, counted) in [(800, 790), (40, 0), (10, 900)] {
            assert_eq!(unseen(&command, &seen(spent, counted)), None);
        }
        assert_eq!(unseen(&TargetChoice::Process(1), &seen(800, 10)), None);
    }
}
