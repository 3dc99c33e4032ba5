//! `cargo xtask record -- CMD…`: where the CPU time of any program goes, where its threads wait, or
//! where it touches memory first, as folded stacks and a flame graph.
//!
//! Leaves `cpu.folded`, `cpu.json` (how far to trust it) and `cpu.svg`, or `off-cpu` or `faults` of
//! each, in a directory of its own, by default
//! `target/perf-lab/record/<utc-time>-<short-id>-<program>/`. The command keeps our standard
//! streams, and its exit status becomes ours, so it can be recorded in place in a script; our own
//! messages go to standard error.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use lab_record::ProfileKind;
use serde::Deserialize;

use crate::exit::usage;
use crate::flame;
use crate::process::{Interrupt, attend};
use crate::profiler;
use crate::run_dir::{check_free, live_name};
use crate::users_environment;
use crate::workspace::{Place, Workspace, shorten};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to record
    #[arg(long, value_enum, default_value_t = Profile::Cpu)]
    profile: Profile,

    /// Samples in a second of CPU time, up to 10,000; odd rates keep out of step with timers
    /// [default: 99]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    hz: Option<u32>,

    /// Record this process, all its threads and not its children, until it ends or Ctrl-C
    #[arg(long, conflicts_with = "command")]
    pid: Option<NonZeroU32>,

    /// Stop recording after this long; a command runs on to its end
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,

    /// Where the profile goes: a directory that is new or empty
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// What triggers a sample of CPU time [default: auto]
    #[arg(long, value_enum)]
    event: Option<Event>,

    /// The program to record, and its arguments
    #[arg(last = true, required_unless_present = "pid", value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Where CPU time goes
    Cpu,
    /// Where threads wait: needs root, CAP_PERFMON or kernel.perf_event_paranoid at 1 or less
    OffCpu,
    /// Where memory is touched for the first time: page faults, which need no rights
    Faults,
}

impl From<Profile> for ProfileKind {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Cpu => Self::Cpu,
            Profile::OffCpu => Self::OffCpu,
            Profile::Faults => Self::Faults,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Event {
    /// The processor's cycle counter where there is one, else the CPU clock
    Auto,
    /// The kernel's timer, which runs while the thread does
    CpuClock,
    /// The processor's cycle counter
    Cycles,
}

/// The exit code of a `lab-probe` that was refused perf events, and started nothing.
const REFUSED: i32 = 3;

/// Records the command, and returns its exit status.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.profile != Profile::Cpu && (args.hz.is_some() || args.event.is_some()) {
        return Err(usage("--hz and --event are of CPU time: other profiles take neither"));
    }
    let workspace = Workspace::discover().ok();
    let dir = match &args.out {
        Some(out) => named(out)?,
        None => Place::of(workspace.as_ref())?.runs.join("record").join(name(args)),
    };
    let interrupt = Interrupt::listen()?;
    let probe = match workspace.and_then(|workspace| workspace.with("lab-probe")) {
        Some(workspace) => profiler::build_probe(&workspace, &interrupt)?,
        None => profiler::installed_probe()?,
    };
    let kind = ProfileKind::from(args.profile);
    let folded = dir.join(kind.name()).with_extension("folded");
    let status = attend(sample(&probe, args, &folded), &interrupt)?;
    let Some(Quality { exit }) = quality(&folded.with_extension("json"))? else {
        return not_recorded(status);
    };
    let target = shown(args);
    if let Some(Ended::Signal(signal)) = exit {
        eprintln!("note: {target} was ended by signal {signal}");
    }
    let (title, none) = match args.profile {
        Profile::Cpu => ("CPU", "it took next to no CPU time"),
        Profile::OffCpu => ("off-CPU", "it never waited"),
        Profile::Faults => ("page faults", "it had none"),
    };
    match draw(&folded, &target, title)? {
        Some(svg) => eprintln!("drawn: {}", shorten(&svg).display()),
        None => eprintln!("note: no sample, no flame graph: {none}"),
    }
    Ok(exit.map_or(0, Ended::code).into())
}

/// The command of `lab-probe`, which reports the profile's quality on standard error by itself.
fn sample(probe: &Path, args: &Args, folded: &Path) -> Command {
    let mut command = Command::new(probe);
    command.arg(ProfileKind::from(args.profile).name()).arg("--out").arg(folded);
    if let Some(hz) = args.hz {
        command.args(["--hz", &hz.to_string()]);
    }
    if let Some(event) = args.event {
        let event = event.to_possible_value().expect("no event is hidden");
        command.args(["--event", event.get_name()]);
    }
    if let Some(duration) = args.duration {
        command.args(["--duration", &duration.as_secs_f64().to_string()]);
    }
    match args.pid {
        Some(pid) => command.args(["--pid", &pid.to_string()]),
        None => command.arg("--").args(&args.command),
    };
    users_environment::restore(&mut command);
    command
}

/// How the recorded command ended, from the quality file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Code(i32),
    Signal(i32),
}

impl Ended {
    /// The exit code, as a shell would report it.
    fn code(self) -> u8 {
        match self {
            Self::Code(code) => code as u8,
            Self::Signal(signal) => 128 + signal as u8,
        }
    }
}

/// The part of the quality file that matters here.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Quality {
    /// `None` for a process that we did not start.
    exit: Option<Ended>,
}

/// Reads the quality file. `None` if there is none: it is written last, so nothing was recorded.
fn quality(file: &Path) -> Result<Option<Quality>> {
    if !file.is_file() {
        return Ok(None);
    }
    let read = || -> Result<Quality> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
    read().with_context(|| format!("read {}", file.display())).map(Some)
}

/// The result for a probe that left no profile; it has printed the reason itself.
fn not_recorded(status: ExitStatus) -> Result<ExitCode> {
    match status.code() {
        Some(REFUSED) => bail!("nothing was run: lab-probe says above what is missing"),
        // As a shell does for a program that cannot be executed or is not found.
        Some(code @ (126 | 127)) => Ok(ExitCode::from(code as u8)),
        _ => bail!("no profile: lab-probe ended with {status}"),
    }
}

/// Draws the graph and returns its path; `None` for a profile without samples.
fn draw(folded: &Path, target: &str, title: &str) -> Result<Option<PathBuf>> {
    let samples = fs::metadata(folded).with_context(|| format!("read {}", folded.display()))?;
    if samples.len() == 0 {
        return Ok(None);
    }
    flame::draw_file(folded, format!("{target}, {title}")).map(Some)
}

/// Makes a directory that the user named, which must be empty, since profiles must not mix.
fn named(out: &Path) -> Result<PathBuf> {
    check_free(out)?;
    std::path::absolute(out).with_context(|| out.display().to_string())
}

/// The name of a directory for a recording.
fn name(args: &Args) -> String {
    let target = match (args.pid, args.command.first()) {
        (Some(pid), _) => format!("pid-{pid}"),
        (None, program) => plain(program.map_or(OsStr::new(""), OsString::as_os_str)),
    };
    format!("{}-{target}", live_name(SystemTime::now()))
}

/// A program's file name, as a part of a directory's name.
fn plain(program: &OsStr) -> String {
    let file = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    file.chars().map(plain).take(40).collect()
}

/// The recorded command as typed, cut to the length of a title.
fn shown(args: &Args) -> String {
    match args.pid {
        Some(pid) => format!("process {pid}"),
        None => cut(&args.command),
    }
}

fn cut(command: &[OsString]) -> String {
    const ROOM: usize = 80;
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let text = words.join(" ");
    if text.chars().count() <= ROOM {
        return text;
    }
    text.chars().take(ROOM - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_named_after_the_program_alone() {
        let is = |program: &str, name: &str| plain(program.as_ref()) == name;
        assert!(is("/usr/bin/sleep", "sleep") && is("./a b;c", "a_b_c") && is("..", ".."));
        assert!(!plain("/".as_ref()).contains('/'));
    }

    #[test]
    fn a_long_command_is_cut() {
        let long = cut(&["x".into(), "ü".repeat(200).into()]);
        assert_eq!(long.chars().count(), 80);
        assert_eq!(cut(&["sh".into(), "-c".into(), "true".into()]), "sh -c true");
    }

    #[test]
    fn a_quality_file_says_how_the_command_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cpu.json");
        assert_eq!(quality(&file).unwrap(), None);
        for (text, code) in [(r#"{"exit":{"code":7}}"#, 7), (r#"{"exit":{"signal":9}}"#, 137)] {
            fs::write(&file, text).unwrap();
            assert_eq!(quality(&file).unwrap().unwrap().exit.unwrap().code(), code);
        }
        fs::write(&file, r#"{"exit":null}"#).unwrap();
        assert_eq!(quality(&file).unwrap(), Some(Quality { exit: None }));
        fs::write(&file, "[]").unwrap();
        assert!(format!("{:#}", quality(&file).unwrap_err()).contains("cpu.json"));
    }
}
