//! `lab-probe runqlat` and the other BPF probes, which count and time in the kernel.
//!
//! A probe is a value ([`Probe`]) in a file of its own under `probes/`, and a program of the same
//! name in `ebpf/programs`. Its life cycle is here, the same for all probes. Nothing outlives this
//! process: programs, maps and links are its file descriptors.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use lab_record::probe::{ProbeExit, ProbeRecord, ProbeSpec, ProbeTarget};

use crate::exit::Exit;
use crate::interrupts::Interrupts;
use crate::say;
use crate::target::NotStarted;
use btf::Field;
use btf::Types;
use cost::Stats;
use found::Found;
use intervals::Intervals;
use load::Loaded;
use observe::observe;
use refused::Refused;

mod accounts;
mod btf;
mod cost;
mod empty;
mod found;
mod functions;
mod hlog;
mod hooks;
mod intervals;
mod kallsyms;
mod load;
mod mappings;
mod maps;
mod namespace;
mod observe;
mod points;
mod probes;
mod program;
mod refused;
mod returns;
mod roots;
mod rows;
mod stacks;
mod syscall_names;

/// The options of a probe.
pub(crate) struct Options {
    /// The probe.
    pub(crate) spec: &'static ProbeSpec,
    /// The target.
    pub(crate) target: ProbeTarget,
    /// The time limit.
    pub(crate) duration: Option<Duration>,
    /// The length of the intervals of histograms.
    pub(crate) interval: Option<Duration>,
    /// An open file to write rows to as they come.
    pub(crate) rows: Option<RawFd>,
    /// The directory of `<probe>.json` and what it names.
    pub(crate) out: PathBuf,
    /// Settings by name.
    pub(crate) settings: BTreeMap<String, String>,
    /// Sizes of maps that replace the programs': to fill them in a test.
    pub(crate) map_entries: Vec<(String, u32)>,
}

impl Options {
    /// The value of a setting, else its default.
    pub(crate) fn setting(&self, name: &str) -> &str {
        let spec = self.spec.settings.iter().find(|spec| spec.name == name);
        let default = spec.and_then(|spec| spec.values.first().copied()).unwrap_or_default();
        self.settings.get(name).map_or(default, String::as_str)
    }

    /// Whether the setting `name` has this value, set or by default.
    pub(crate) fn is_set(&self, name: &str, value: &str) -> bool {
        self.setting(name) == value
    }
}

/// A BPF program and how its maps are read.
pub(crate) struct Probe {
    /// The compiled program.
    pub(crate) object: &'static [u8],
    /// Fields of kernel structures whose offsets it needs, besides those of a thread.
    pub(crate) fields: &'static [&'static [Field]],
    /// Globals that hold a value of one of the kernel's enumerations.
    pub(crate) values: &'static [(&'static str, &'static str)],
    /// Other globals, from the settings.
    pub(crate) globals: fn(&Options) -> Vec<(&'static str, u32)>,
    /// Globals that are derived from this kernel's types in another way.
    pub(crate) of_kernel: fn(&Types) -> Vec<(&'static str, u32)>,
    /// Maps that are histograms, and what they measure.
    pub(crate) histograms: &'static [HistogramMap],
    /// Takes events off its ring buffer, repeatedly while it observes.
    pub(crate) drain: fn(&mut Loaded, &mut Found) -> Result<()>,
    /// Reads its other maps, after it has stopped observing.
    pub(crate) read: fn(&mut Loaded, &mut Found) -> Result<()>,
}

/// A map that is a histogram.
pub(crate) struct HistogramMap {
    /// Its name in the program.
    pub(crate) map: &'static str,
    /// What it measures, also the name of its file.
    pub(crate) name: &'static str,
    /// The unit of its values.
    pub(crate) unit: &'static str,
}

impl Probe {
    /// A probe that has only histograms.
    pub(crate) const fn of(object: &'static [u8], histograms: &'static [HistogramMap]) -> Self {
        Self {
            object,
            fields: &[],
            values: &[],
            globals: |_| Vec::new(),
            of_kernel: |_| Vec::new(),
            histograms,
            drain: |_, _| Ok(()),
            read: |_, _| Ok(()),
        }
    }
}

/// The exit code if this machine, kernel or user cannot run the probe. Nothing was run or written.
pub(crate) const EXIT_REFUSED: u8 = 3;

/// Observes, reports in one line on standard error, and passes the command's status on.
pub(crate) fn main(options: &Options) -> ExitCode {
    match record(options) {
        Ok((record, exit)) => {
            say(&summary(&record, &options.out));
            exit.map_or(ExitCode::SUCCESS, Exit::pass_on)
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

/// All steps: load, attach, observe, detach, read, write.
fn record(options: &Options) -> Result<(ProbeRecord, Option<Exit>)> {
    let probe = probes::find(options.spec.name);
    let out = output_dir(&options.out)?;
    let interrupts = Interrupts::listen()?;
    let mut stats = Stats::enable();
    let mut loaded = Loaded::load(probe, options)?;
    let mut intervals = Intervals::new(probe.histograms, options.interval);
    let mut found = Found::default();

    let seen =
        observe(&mut loaded, probe, options, &mut stats, &mut intervals, &mut found, &interrupts)?;

    let cost = stats.cost(&loaded)?;
    found.histograms.extend(intervals.whole(&loaded)?);
    (probe.read)(&mut loaded, &mut found)?;
    found
        .notes
        .extend(found.folded.iter().filter_map(|(stacks, _)| roots::note(stacks, &options.target)));
    found.notes.extend(inferred(cost.inferred));
    if found.without_times {
        found.histograms.clear();
    }
    let parts = if found.without_times { Vec::new() } else { intervals.parts() };
    found.notes.push(format!("not seen: {}", options.spec.unseen));
    let record = ProbeRecord {
        probe: options.spec.name.to_owned(),
        target: seen.target,
        duration_s: seen.duration.as_secs_f64(),
        intervals: parts,
        histograms: found.histograms,
        tables: found.tables,
        folded: found.folded.iter().map(|(stacks, _)| stacks.clone()).collect(),
        losses: cost.losses,
        cost: cost.cost,
        notes: seen.notes.into_iter().chain(found.notes).collect(),
        exit: seen.exit.map(|exit| match exit {
            Exit::Code(code) => ProbeExit::Code(code),
            Exit::Signal(signal) => ProbeExit::Signal(signal),
        }),
    };
    for (stacks, text) in &found.folded {
        lab_files::write(&out.join(&stacks.file), text)?;
    }
    hlog::write(out, &record)?;
    lab_record::write_json(&file(&options.out, &record), &record)?;
    // A program that dies because of the probe is the worst case: report it clearly.
    Ok((record, if found.died { Some(Exit::Code(1)) } else { seen.exit }))
}

fn inferred(waits: u64) -> Option<String> {
    (waits > 0).then(|| {
        format!(
            "no tracer saw the end of {waits} waits: their lengths are inferred from how long the \
             threads have run since"
        )
    })
}

/// Makes the directory, and checks that it is writable before the command runs.
fn output_dir(out: &Path) -> Result<&Path> {
    fs::create_dir_all(out).with_context(|| format!("make the directory {}", out.display()))?;
    tempfile::tempfile_in(out)
        .with_context(|| format!("write to the directory {}", out.display()))?;
    Ok(out)
}

fn file(out: &Path, record: &ProbeRecord) -> PathBuf {
    out.join(&record.probe).with_extension("json")
}

/// Losses are always printed: zero is worth knowing.
fn summary(record: &ProbeRecord, out: &Path) -> String {
    let cost = match (record.cost.runs, record.cost.run_ns) {
        (Some(runs), Some(ns)) => {
            let share = ns as f64 / 1e9 / record.duration_s * 100.0;
            format!("{runs} runs of BPF, {:.1} ms ({share:.2} % of a CPU)", ns as f64 / 1e6)
        }
        _ => "cost unknown".to_owned(),
    };
    let mut text = format!(
        "lab-probe: {}: {} events, {} lost; {cost}: {}",
        record.probe,
        record.cost.events,
        record.losses.total(),
        file(out, record).display()
    );
    for note in &record.notes {
        text.push_str("\nlab-probe: ");
        text.push_str(note);
    }
    text
}
