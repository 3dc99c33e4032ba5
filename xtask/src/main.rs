//! The runner of perf-lab: finds labs, runs their trials, draws and judges what they found.

/// Like std's macro, but a closed pipe (`| head`) does not end the run.
macro_rules! eprintln {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

mod answer;
mod boxes;
mod build;
mod busy;
mod ci;
mod compare;
mod doctor;
mod ebpf;
mod ending;
mod environment;
mod execute;
mod exit;
mod flame;
mod gallery;
mod git;
mod judge;
mod lab;
mod learn;
mod list;
mod load;
mod look;
mod nearest;
mod new;
mod observer;
mod others;
mod output;
mod path;
mod plan;
mod probe;
mod process;
mod profiler;
mod progress;
mod record;
mod report;
mod rows;
mod run_dir;
mod rustflags;
mod schedule;
mod show;
mod sparkline;
mod sudo;
mod summary;
mod table;
mod users_environment;
mod workspace;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use exit::Code;
use lab_text::{program, quantity};

/// The classics of performance engineering, as experiments that anyone can run
#[derive(Parser)]
#[command(version, after_help = exit::help())]
enum Cli {
    /// Run a lab: its trials, its claims, its charts
    Lab(lab::Args),
    /// Learn from a lab: predict, run, compare, and take the cause away
    Learn(learn::Args),
    /// Say what is wrong with a black box of a lab: resource, function and count
    ///
    /// All three must fit the evidence of the box's newest run. Asks for what is not given as an
    /// option. Exits with 7 where a part does not fit.
    Answer(answer::Args),
    /// List the labs with their questions, variants and sources
    List(list::Args),
    /// Show a stored run again
    Show(show::Args),
    /// Draw flame graphs and differentials, or export profiles, from runs and folded stacks
    Flame(flame::Args),
    /// Ask an HTTP service at a given rate, and time it from the intended start
    Load(Box<load::Args>),
    /// Compare two revisions, two commands, two variants or two runs, and gate on the difference
    Compare(Box<compare::Args>),
    /// Find the revision that introduced a regression, by gated comparisons
    ///
    /// GOOD and BAD are the two revisions. Takes the options of `compare` that say what is run and
    /// measured. Exits with 0 if one revision is found, with 4 if several are left.
    Bisect(Box<compare::bisect::Args>),
    /// Write HTML pages of runs and comparisons, or an index of all runs
    Report(report::Args),
    /// Make a folder to publish: the newest whole run of each lab, and an index
    Gallery(gallery::Args),
    /// Profile any program and draw its flame graph
    ///
    /// The command keeps its streams, and its exit status becomes ours (128 + the signal that ended
    /// it); 1 if the events are refused, and then nothing is run.
    Record(record::Args),
    /// Run an eBPF probe on a process, a command or the whole machine, and print what it saw
    ///
    /// Without a name, lists the probes. The command's exit status becomes ours; 1 where the probe
    /// cannot run here.
    Probe(probe::Args),
    /// Look at the whole machine for a minute: utilisation, saturation, errors, and what stands out
    ///
    /// Prints what the ten commands of Gregg's 60-second analysis print, from /proc and /sys, with
    /// no other tool. Ctrl-C ends it early and prints what it has.
    Look(look::Args),
    /// Show what this machine supports, and how to fix what is missing
    Doctor(doctor::Args),
    /// Compile the BPF programs, or check those that are committed
    Ebpf(ebpf::Args),
    /// Create a lab that already builds, runs and passes its tests
    New(new::Args),
    /// Run all checks that a change must pass before it is merged
    Ci,
}

fn main() -> ExitCode {
    output::take_width();
    parse().and_then(run).unwrap_or_else(|error| {
        // The message may quote a file from elsewhere.
        let said = format!("{error:#}");
        eprintln!("error: {}", lab_text::terminal::plain(&said).unwrap_or(said));
        Code::of(&error).into()
    })
}

fn run(verb: Cli) -> anyhow::Result<ExitCode> {
    let code = carry_out(verb);
    if sudo::caller().is_some() {
        for made in what_was_made() {
            if let Err(error) = sudo::give_back(&made) {
                eprintln!("note: some of root's files stay in {}: {error:#}", made.display());
            }
        }
    }
    code
}

/// The directories that a verb may write: cargo's target, the runs, and `--out`.
fn what_was_made() -> Vec<PathBuf> {
    let args: Vec<_> = env::args().take_while(|arg| arg != "--").collect();
    let typed = args.windows(2).find(|pair| pair[0] == "--out").map(|pair| pair[1].clone());
    let joined = args.iter().find_map(|arg| arg.strip_prefix("--out=").map(str::to_owned));
    let named = typed.or(joined).and_then(|out| std::path::absolute(out).ok());
    let target = match workspace::Workspace::discover() {
        Ok(workspace) => Some(workspace.target),
        Err(_) => workspace::Place::of(None).ok().map(|place| place.runs),
    };
    target.into_iter().chain(named).collect()
}

fn carry_out(verb: Cli) -> anyhow::Result<ExitCode> {
    let code = match verb {
        Cli::Lab(args) => lab::run(&args),
        Cli::Load(args) => load::run(&args),
        Cli::Learn(args) => learn::run(&args),
        Cli::Answer(args) => answer::run(&args),
        Cli::List(args) => list::run(&args),
        Cli::Show(args) => show::run(&args),
        Cli::Flame(args) => flame::run(&args),
        Cli::Compare(args) => compare::run(&args),
        Cli::Bisect(args) => compare::bisect::run(&args),
        Cli::Report(args) => report::run(&args),
        Cli::Gallery(args) => gallery::run(&args),
        // The exit code is the command's, not one of ours.
        Cli::Record(args) => return record::run(&args),
        Cli::Probe(args) => return probe::run(&args),
        Cli::Look(args) => look::run(&args),
        Cli::Doctor(args) => doctor::run(&args),
        Cli::Ebpf(args) => ebpf::run(&args),
        Cli::New(args) => new::run(&args),
        Cli::Ci => ci::run(),
    };
    code.map(ExitCode::from)
}

/// Reads the command line. An unknown verb gets the same suggestion as an unknown lab or knob; clap
/// would suggest nothing for `lba`.
fn parse() -> anyhow::Result<Cli> {
    let command = Cli::command().name(program::name()).bin_name(program::name());
    let parsed = command.try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    parsed.map_err(|error| {
        let typed = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
            (ErrorKind::InvalidSubcommand, Some(ContextValue::String(typed))) => typed,
            _ => error.exit(),
        };
        if workspace::Workspace::discover().is_ok_and(|here| here.lab(typed).is_ok()) {
            return exit::usage(format!("no verb `{typed}`: did you mean `lab {typed}`?"));
        }
        let command = Cli::command();
        let verbs = command.get_subcommands().map(clap::Command::get_name);
        exit::usage(nearest::unknown("verb", typed, verbs))
    })
}
