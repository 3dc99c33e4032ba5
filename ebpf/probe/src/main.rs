//! `lab-probe`: the observer that stands beside a program and says where its time goes.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

mod cpu;

/// Observes a running program or a command.
#[derive(Parser)]
#[command(name = "lab-probe", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Sample CPU stacks and write them folded, with their quality beside them.
    ///
    /// Ends as the command ended: with its exit code, or by the signal that killed it; with --pid, 0. Where nothing was
    /// observed: 1 failure; 2 usage; 3 the kernel refuses perf events; 126 the command cannot be executed; 127 it does
    /// not exist.
    Cpu(CpuArgs),
}

#[derive(Args)]
struct CpuArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Samples per second of CPU time. Odd rates (99, 499, 999) keep out of step with timers.
    #[arg(long, default_value = "99", value_parser = rate)]
    hz: NonZeroU32,
    /// The event that triggers a sample.
    #[arg(long, value_enum, default_value_t = cpu::EventChoice::Auto)]
    event: cpu::EventChoice,
    /// Where the folded stacks go; their quality goes beside them as .json.
    #[arg(long, value_name = "FILE.folded", value_parser = folded)]
    out: PathBuf,
    /// Also write each sample's time: `nanoseconds line`, the line of FILE.folded it belongs to, from 0.
    #[arg(long, value_name = "FILE")]
    times: Option<PathBuf>,
    /// Stop sampling after this long; a command runs on to its end.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    duration: Option<Duration>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// Observe this process: all its threads, not its child processes.
    #[arg(long)]
    pid: Option<NonZeroU32>,
    /// Start and observe this command: all its threads and child processes.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let Verb::Cpu(args) = Cli::parse().verb;
    let target = match args.target.pid {
        Some(pid) => cpu::TargetChoice::Process(pid.get()),
        None => cpu::TargetChoice::Command(args.target.command),
    };
    cpu::main(&cpu::Options {
        target,
        hz: args.hz.get(),
        event: args.event,
        folded: args.out,
        times: args.times,
        duration: args.duration,
    })
}

/// A rate that the kernel and this observer can keep up with.
fn rate(text: &str) -> Result<NonZeroU32, String> {
    let hz: NonZeroU32 = text.parse().map_err(|_| "not a whole number above 0")?;
    (hz.get() <= 10_000).then_some(hz).ok_or_else(|| "at most 10000".into())
}

/// The quality goes to the same path with the extension .json, and must not overwrite the stacks.
fn folded(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.file_name().is_none() || path.extension().is_some_and(|extension| extension == "json") {
        return Err(
            "not the name of a file, or one that ends in .json, where the quality goes".into()
        );
    }
    Ok(path)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    if seconds <= 0.0 {
        return Err("must be above 0".into());
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
