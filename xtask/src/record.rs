//! `cargo xtask record -- CMD…`: where the CPU time of any program goes, or where its threads wait,
//! as folded stacks and a flame graph.
//!
//! Leaves `cpu.folded`, `cpu.json` (how far to trust it) and `cpu.svg`, or `off-cpu` of each, in a
//! directory of its own, by default `target/perf-lab/record/<utc-time>-<short-id>-<program>/`. The command keeps our
//! standard streams and its exit status becomes ours, so it can be recorded where it stands in a
//! script; all that is said here goes to standard error.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::SystemTime;

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
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to look for
    #[arg(long, value_enum, default_value_t = Profile::Cpu)]
    profile: Profile,

    /// Samples in a second of CPU time, up to 10,000; odd rates keep out of step with timers [default: 99]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    hz: Option<u32>,

    /// Where the profile goes: a directory that is new or empty
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// What triggers a sample of CPU time [default: auto]
    #[arg(long, value_enum)]
    event: Option<Event>,

    /// The program to record, and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Where CPU time goes
    Cpu,
    /// Where threads wait: needs root, CAP_PERFMON or kernel.perf_event_paranoid at 1 or less
    OffCpu,
}

impl From<Profile> for ProfileKind {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Cpu => Self::Cpu,
            Profile::OffCpu => Self::OffCpu,
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

/// `lab-probe` was refused perf events, and started nothing.
const REFUSED: i32 = 3;

/// Records the command, and returns its exit status.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.profile == Profile::OffCpu && (args.hz.is_some() || args.event.is_some()) {
        return Err(usage("--profile off-cpu sees every wait: it takes neither --hz nor --event"));
    }
    let workspace = Workspace::discover()?;
    let dir = match &args.out {
        Some(out) => named(out)?,
        None => workspace.runs().join("record").join(name(&args.command[0])),
    };
    let interrupt = Interrupt::listen()?;
    let probe = profiler::build_probe(&workspace, &interrupt)?;
    let kind = ProfileKind::from(args.profile);
    let folded = dir.join(kind.name()).with_extension("folded");
    let status = attend(sample(&probe, args, &folded), &interrupt)?;
    let Some(ended) = how_it_ended(&folded.with_extension("json"))? else {
        return not_recorded(status);
    };
    if let Ended::Signal(signal) = ended {
        eprintln!("note: {} was ended by signal {signal}", shown(&args.command));
    }
    let (title, none) = match args.profile {
        Profile::Cpu => ("CPU", "it took next to no CPU time"),
        Profile::OffCpu => ("off-CPU", "it never waited"),
    };
    match draw(&folded, &args.command, title)? {
        Some(svg) => eprintln!("drawn: {}", workspace.shorten(&svg).display()),
        None => eprintln!("note: no sample, no picture: {none}"),
    }
    Ok(ended.code().into())
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
    command.arg("--").args(&args.command);
    users_environment::restore(&mut command);
    command
}

/// How the recorded command ended, as the quality file tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Code(i32),
    Signal(i32),
}

impl Ended {
    /// As a shell would pass it on.
    fn code(self) -> u8 {
        match self {
            Self::Code(code) => code as u8,
            Self::Signal(signal) => 128 + signal as u8,
        }
    }
}

/// `None` where there is no quality file: it is written last, so nothing was recorded.
fn how_it_ended(quality: &Path) -> Result<Option<Ended>> {
    #[derive(Deserialize)]
    struct Quality {
        exit: Ended,
    }
    if !quality.is_file() {
        return Ok(None);
    }
    let read = || -> Result<Quality> { Ok(serde_json::from_slice(&fs::read(quality)?)?) };
    let quality = read().with_context(|| format!("read {}", quality.display()))?;
    Ok(Some(quality.exit))
}

/// What a probe without a profile means; it has said why in its own words.
fn not_recorded(status: ExitStatus) -> Result<ExitCode> {
    match status.code() {
        Some(REFUSED) => bail!("nothing was run: lab-probe says above what is missing"),
        // The shell's words for a program that cannot be executed or is not there.
        Some(code @ (126 | 127)) => Ok(ExitCode::from(code as u8)),
        _ => bail!("no profile: lab-probe ended with {status}"),
    }
}

/// The picture's path; `None` for a profile without a sample.
fn draw(folded: &Path, command: &[OsString], title: &str) -> Result<Option<PathBuf>> {
    let samples = fs::metadata(folded).with_context(|| format!("read {}", folded.display()))?;
    if samples.len() == 0 {
        return Ok(None);
    }
    flame::draw_file(folded, format!("{}, {title}", shown(command))).map(Some)
}

/// A directory that the user named: profiles must not mix.
fn named(out: &Path) -> Result<PathBuf> {
    check_free(out)?;
    std::path::absolute(out).with_context(|| out.display().to_string())
}

/// The name of a directory for a recording of `program`.
fn name(program: &OsStr) -> String {
    let file = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let file: String = file.chars().map(plain).take(40).collect();
    format!("{}-{file}", live_name(SystemTime::now()))
}

/// The command as it was typed, cut to what a title can hold.
fn shown(command: &[OsString]) -> String {
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
        let ends = |program: &str, end: &str| name(program.as_ref()).ends_with(end);
        assert!(ends("/usr/bin/sleep", "-sleep") && ends("./a b;c", "-a_b_c") && ends("..", "-.."));
        assert!(!name("/".as_ref()).contains('/'));
    }

    #[test]
    fn a_long_command_is_cut() {
        let long = shown(&["x".into(), "ü".repeat(200).into()]);
        assert_eq!(long.chars().count(), 80);
        assert_eq!(shown(&["sh".into(), "-c".into(), "true".into()]), "sh -c true");
    }

    #[test]
    fn a_quality_file_tells_how_the_command_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cpu.json");
        assert_eq!(how_it_ended(&file).unwrap(), None);
        for (text, code) in [(r#"{"exit":{"code":7}}"#, 7), (r#"{"exit":{"signal":9}}"#, 137)] {
            fs::write(&file, text).unwrap();
            assert_eq!(how_it_ended(&file).unwrap().unwrap().code(), code);
        }
        fs::write(&file, "{}").unwrap();
        assert!(format!("{:#}", how_it_ended(&file).unwrap_err()).contains("cpu.json"));
    }
}
