//! `lab-probe`: the observer: it shows where a program's time goes, from outside.

use std::ffi::OsString;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
#[cfg(feature = "ebpf")]
use lab_record::probe::ProbeTarget;
use lab_record::probe::{PROBES, ProbeSpec};

#[cfg(feature = "ebpf")]
mod bpf;
mod cpu;
mod exit;
mod interrupts;
mod proc;
mod target;
mod user;

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
    /// Ends as the command ended: with its exit code, or by the signal that killed it; with --pid,
    /// 0. Where nothing was observed: 1 failure; 2 usage; 3 the kernel refuses perf events; 126 the
    /// command cannot be executed; 127 it does not exist.
    Cpu(CpuArgs),
    /// Show where threads wait: stacks by the microseconds blocked in them, folded, with their
    /// quality beside them.
    ///
    /// Each time a thread leaves its CPU its stack is copied, and unwound at the end: it needs no
    /// frame pointers, and unwinds through the C library. Time in which a thread was ready to run
    /// but had no CPU is in no stack; its total is in the quality file. Needs root, CAP_PERFMON or
    /// kernel.perf_event_paranoid at 1 or less.
    ///
    /// Ends as the command ended: with its exit code, or by the signal that killed it; with --pid,
    /// 0. Where nothing was observed: 1 failure; 2 usage; 3 the kernel refuses perf events; 126 the
    /// command cannot be executed; 127 it does not exist.
    OffCpu(EventArgs),
    /// Show where memory is touched for the first time: stacks by their page faults, folded, with
    /// their quality beside them.
    ///
    /// Frequent faults are sampled: each sample stands for those before it. Needs no rights.
    ///
    /// Ends as the command ended: with its exit code, or by the signal that killed it; with --pid,
    /// 0. Where nothing was observed: 1 failure; 2 usage; 3 the kernel refuses perf events; 126 the
    /// command cannot be executed; 127 it does not exist.
    Faults(EventArgs),
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
    /// Also write each sample's time: `nanoseconds line`, the line of FILE.folded it belongs to,
    /// from 0.
    #[arg(long, value_name = "FILE")]
    times: Option<PathBuf>,
    /// Stop sampling after this long; a command runs on to its end.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    duration: Option<Duration>,
}

#[derive(Args)]
struct EventArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Where the folded stacks go; their quality goes beside them as .json.
    #[arg(long, value_name = "FILE.folded", value_parser = folded)]
    out: PathBuf,
    /// Stop observing after this long; a command runs on to its end.
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

#[derive(Args)]
struct ProbeArgs {
    #[command(flatten)]
    target: ProbeTargetArgs,
    /// The directory for PROBE.json and the files that it names.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Stop observing after this long; a command runs on to its end.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    duration: Option<Duration>,
    /// Keep histograms apart by spans of this length, too.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    interval: Option<Duration>,
    /// Change a setting of the probe (repeatable).
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Also write rows as they come, a line of JSON each, to this open file.
    #[arg(long, value_name = "FD", hide = true)]
    rows_fd: Option<std::os::fd::RawFd>,
    /// Set the number of entries of a map.
    #[arg(long, value_name = "MAP=ENTRIES", value_parser = pair, hide = true)]
    map_entries: Vec<(String, String)>,
}

#[derive(Args)]
#[group(multiple = false)]
struct ProbeTargetArgs {
    /// Observe this process: all its threads, not its child processes.
    #[arg(long)]
    pid: Option<NonZeroU32>,
    /// Observe threads of this name.
    #[arg(long, value_name = "NAME")]
    comm: Option<String>,
    /// Start and observe this command and its child processes. Without a target: every process but
    /// this one.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let mut command = Cli::command().subcommands(PROBES.iter().map(verb));
    let matches = command.get_matches_mut();
    let done = match matches.subcommand() {
        Some((name, matches)) if PROBES.iter().any(|spec| spec.name == name) => {
            probe(name, matches)
        }
        _ => Cli::from_arg_matches(&matches).map(|cli| match cli.verb {
            Verb::Cpu(CpuArgs { target, hz, event, times, out, duration }) => {
                sample(target, cpu::Kind::Cpu { hz: hz.get(), event, times }, out, duration)
            }
            Verb::OffCpu(EventArgs { target, out, duration }) => {
                sample(target, cpu::Kind::OffCpu, out, duration)
            }
            Verb::Faults(EventArgs { target, out, duration }) => {
                sample(target, cpu::Kind::Faults, out, duration)
            }
        }),
    };
    done.unwrap_or_else(|error| error.format(&mut command).exit())
}

/// A probe's verb.
fn verb(spec: &ProbeSpec) -> Command {
    let settings = spec.settings.iter().map(|setting| {
        format!("\n  --set {}={}  {}", setting.name, setting.choices(), setting.help)
    });
    let help = "Exit codes: the command's own (128 + the signal that killed it), or, without one, \
                0; 1 failure; 2 usage; 3 the probe cannot run here (nothing is written); 126 the \
                command cannot be executed; 127 it does not exist.";
    let settings: String = settings.collect();
    let after =
        if settings.is_empty() { String::new() } else { format!("Settings:{settings}\n\n") };
    ProbeArgs::augment_args(Command::new(spec.name).about(format!("Show {}", spec.shows)))
        .after_help(after + help)
}

fn sample(
    target: TargetArgs,
    kind: cpu::Kind,
    folded: PathBuf,
    duration: Option<Duration>,
) -> ExitCode {
    let target = match target.pid {
        Some(pid) => cpu::TargetChoice::Process(pid.get()),
        None => cpu::TargetChoice::Command(target.command),
    };
    cpu::main(&cpu::Options { target, kind, folded, duration })
}

#[cfg(feature = "ebpf")]
fn probe(name: &str, matches: &ArgMatches) -> clap::error::Result<ExitCode> {
    let args = ProbeArgs::from_arg_matches(matches)?;
    let spec = PROBES.iter().find(|spec| spec.name == name);
    let spec = spec.expect("the verbs are made of this list");
    let target = target(args.target);
    if let Err(message) = spec.check(&args.set).and_then(|()| spec.check_target(&target)) {
        let kind = clap::error::ErrorKind::InvalidValue;
        let message = format!("{message}: see lab-probe {name} --help\n");
        return Err(clap::Error::raw(kind, message));
    }
    let entries = args.map_entries.into_iter();
    Ok(bpf::main(&bpf::Options {
        spec,
        target,
        duration: args.duration,
        interval: args.interval,
        rows: args.rows_fd,
        out: args.out,
        settings: args.set.into_iter().collect(),
        map_entries: entries.filter_map(|(map, n)| Some((map, n.parse().ok()?))).collect(),
    }))
}

#[cfg(feature = "ebpf")]
fn target(args: ProbeTargetArgs) -> ProbeTarget {
    match args {
        ProbeTargetArgs { pid: Some(pid), .. } => ProbeTarget::Pid(pid.get()),
        ProbeTargetArgs { comm: Some(comm), .. } => ProbeTarget::Comm(comm),
        ProbeTargetArgs { command, .. } if !command.is_empty() => ProbeTarget::Command(command),
        _ => ProbeTarget::Everyone,
    }
}

#[cfg(not(feature = "ebpf"))]
fn probe(name: &str, _: &ArgMatches) -> clap::error::Result<ExitCode> {
    say(&format!(
        "lab-probe: {name} cannot run: this lab-probe was built without BPF programs; it takes: \
         cargo build --release -p lab-probe"
    ));
    Ok(ExitCode::from(3))
}

/// A line on standard error. A closed stream must not change the exit status.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
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

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
