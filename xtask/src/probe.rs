//! `cargo xtask probe NAME`: what an eBPF probe sees of a process, a command or the whole machine.
//!
//! Leaves `<name>.json` and what it names in a directory of its own, by default
//! `target/perf-lab/probe/<utc-time>-<short-id>-<name>/`.

mod live;
mod render;

use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal as _, PipeWriter, stderr, stdout};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use lab_record::probe::{PROBES, ProbeRecord, ProbeSpec, ProbeTarget};
use lab_record::{read_json, to_json};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::exit::{Code, usage};
use crate::lab::args::{at_least_a_moment, knob_and_value};
use crate::nearest;
use crate::observer;
use crate::output::print;
use crate::process::{Interrupt, attend};
use crate::profiler::installed_probe;
use crate::run_dir::{is_occupied, live_name};
use crate::users_environment;
use crate::workspace::{Place, Workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The probe, such as runqlat; without it, all are listed
    name: Option<String>,

    /// Observe this process: all its threads, not its child processes
    #[arg(long, group = "whom")]
    pid: Option<NonZeroU32>,

    /// Observe threads of this name
    #[arg(long, value_name = "NAME", group = "whom")]
    comm: Option<String>,

    /// Stop observing after this long: 500ms, 10s; else Ctrl-C or the target's end stops it
    #[arg(long, value_parser = at_least_a_moment)]
    duration: Option<Duration>,

    /// Show histograms for spans of this length, too
    #[arg(long, value_name = "DURATION", value_parser = at_least_a_moment)]
    interval: Option<Duration>,

    /// Change a setting of the probe (repeatable), such as by=thread
    #[arg(long, value_name = "NAME=VALUE", value_parser = knob_and_value)]
    set: Vec<(String, String)>,

    /// How to print the results; with any format but human, the command's standard output goes to
    /// standard error
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Where its files go: a directory that is new or empty
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Start and observe this command and its child processes; without a target, the whole machine
    #[arg(last = true, value_name = "CMD", group = "whom")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Histograms and tables
    Human,
    /// The record
    Json,
    /// The stacks
    Folded,
}

/// Runs one probe, and returns the command's exit status where there is one.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(name) = &args.name else {
        print(&render::list())?;
        return Ok(Code::Fine.into());
    };
    let spec = find(name)?;
    check_settings(spec, &args.set)?;
    spec.check_target(&target(args)).map_err(usage)?;
    if args.format == Format::Folded && !spec.stacks {
        return Err(usage(format!("{name} writes no stacks: use another --format")));
    }
    let workspace = Workspace::discover().ok();
    let out = out(args, workspace.as_ref(), name)?;
    let workspace = workspace.and_then(|workspace| workspace.with("lab-probe"));
    workspace.iter().try_for_each(|workspace| observer::check_rights(workspace, spec))?;
    let interrupt = Interrupt::listen()?;
    let observer = match workspace {
        Some(workspace) => observer::build(&workspace, &interrupt)?,
        None => installed_probe()?,
    };
    let width = stdout().is_terminal().then_some(render::WIDTH);
    let (rows, writer) = std::io::pipe().context("make a pipe")?;
    let command = command(&observer, args, name, &out, &writer)?;
    // Prints rows as they come, since an observation may last for hours.
    let printer = thread::spawn(move || live::print_rows(rows, width));
    let status = attend(command, &interrupt)?;
    drop(writer);
    let live = printer.join().expect("printing does not panic")?;
    let file = out.join(name).with_extension("json");
    if !file.is_file() {
        return match status.code() {
            // As a shell does for a program that cannot be executed or is not found.
            Some(code @ (126 | 127)) => Ok(ExitCode::from(code as u8)),
            _ => bail!("nothing was observed: see the message of lab-probe above"),
        };
    }
    let record: ProbeRecord = read_json(&file)?;
    match args.format {
        Format::Human => print(&render::record(&record, width, !live))?,
        Format::Json => print(&format!("{}\n", to_json(&record)?))?,
        Format::Folded => print(&folded(&out, &record)?)?,
    }
    // Passes on how the command ended, unless the probe itself failed.
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::from(code as u8),
        (None, signal) => ExitCode::from(128 + signal.unwrap_or(0) as u8),
    })
}

/// The probe of this name; an error names the nearest.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static ProbeSpec> {
    let found = PROBES.iter().find(|spec| spec.name == name);
    let names = PROBES.iter().map(|spec| spec.name);
    found.ok_or_else(|| usage(nearest::unknown("probe", name, names)))
}

fn check_settings(spec: &ProbeSpec, set: &[(String, String)]) -> anyhow::Result<()> {
    for (name, value) in set {
        let Some(setting) = spec.settings.iter().find(|setting| setting.name == name) else {
            let known = spec.settings.iter().map(|setting| setting.name);
            return Err(usage(nearest::unknown("setting", name, known)));
        };
        if !setting.takes(value) {
            let known = setting.values.iter().copied();
            return Err(usage(nearest::unknown(&format!("value of {name}"), value, known)));
        }
    }
    spec.check(set).map_err(usage)?;
    Ok(())
}

/// The target to observe.
fn target(args: &Args) -> ProbeTarget {
    let words = args.command.iter().map(|word| word.to_string_lossy().into_owned());
    match (args.pid, &args.comm) {
        (Some(pid), _) => ProbeTarget::Pid(pid.get()),
        (_, Some(comm)) => ProbeTarget::Comm(comm.clone()),
        _ if args.command.is_empty() => ProbeTarget::Everyone,
        _ => ProbeTarget::Command(words.collect()),
    }
}

fn out(args: &Args, workspace: Option<&Workspace>, name: &str) -> anyhow::Result<PathBuf> {
    match &args.out {
        Some(out) if is_occupied(out) => {
            Err(usage(format!("--out {}: the directory is not empty", out.display())))
        }
        Some(out) => std::path::absolute(out).with_context(|| out.display().to_string()),
        None => {
            let directory = format!("{}-{name}", live_name(SystemTime::now()));
            Ok(Place::of(workspace)?.runs.join("probe").join(directory))
        }
    }
}

/// The command of `lab-probe`.
fn command(
    observer: &Path,
    args: &Args,
    name: &str,
    out: &Path,
    rows: &PipeWriter,
) -> anyhow::Result<Command> {
    let mut command = Command::new(observer);
    users_environment::restore(&mut command);
    command.arg(name).arg("--out").arg(out);
    if args.format == Format::Human {
        fcntl_setfd(rows, FdFlags::empty()).context("share a pipe")?;
        command.args(["--rows-fd", &rows.as_raw_fd().to_string()]);
    }
    let seconds = |span: Duration| span.as_secs_f64().to_string();
    for (flag, span) in [("--duration", args.duration), ("--interval", args.interval)] {
        if let Some(span) = span {
            command.args([flag, &seconds(span)]);
        }
    }
    for (setting, value) in &args.set {
        command.args(["--set", &format!("{setting}={value}")]);
    }
    if let Some(pid) = args.pid {
        command.args(["--pid", &pid.to_string()]);
    }
    if let Some(comm) = &args.comm {
        command.args(["--comm", comm]);
    }
    if !args.command.is_empty() {
        command.arg("--").args(&args.command);
    }
    if args.format != Format::Human {
        let stderr = rustix::io::dup(stderr()).context("share standard error")?;
        command.stdout(stderr);
    }
    Ok(command)
}

fn folded(out: &Path, record: &ProbeRecord) -> anyhow::Result<String> {
    let files = record.folded.iter().map(|stacks| out.join(&stacks.file));
    let text = |path: PathBuf| {
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    };
    files.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::UsageError;

    #[test]
    fn an_unknown_probe_or_setting_names_the_nearest() {
        let error = find("runqlatt").unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("`runqlat`"), "{error}");
        let spec = find("runqlat").unwrap();
        let set = |name: &str, value: &str| check_settings(spec, &[(name.into(), value.into())]);
        assert!(set("by", "thread").is_ok());
        assert!(set("bi", "thread").unwrap_err().to_string().contains("`by`"));
        assert!(set("by", "thraed").unwrap_err().to_string().contains("`thread`"));
    }
}
