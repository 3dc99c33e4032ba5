//! Where programs are attached: tracepoints, the clock of each CPU, a user-space function, and USDT
//! points.

use std::any::Any;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use aya::Ebpf;
use aya::programs::Program;
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::programs::uprobe::{UProbe, UProbeAttachLocation, UProbeScope};
use aya::util::online_cpus;
use probe::probe;

use super::Options;
use super::empty::EmptyFunction;
use super::functions::Function;
use super::points::Points;
use super::refused::Refused;

/// A program with this prefix belongs to the USDT point that the rest of its name gives.
const POINT_PREFIX: &str = "usdt_";

/// Keeps a program attached while it lives.
pub(crate) type Link = Box<dyn Any>;

/// Where the options say that programs are attached.
pub(crate) struct Hooks {
    /// The rate in Hz, for a probe that samples.
    hz: Option<u64>,
    /// The function, for a probe that times one.
    function: Option<Function>,
    /// The USDT points of the observed program, for a probe that uses them.
    points: Option<Points>,
}

impl Hooks {
    /// Reads the settings `hz`, `path` and `function`, and the USDT points of the observed program.
    ///
    /// # Errors
    /// There is no such file or function.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let function = match (options.setting("path"), options.setting("function")) {
            ("", _) => None,
            (path, symbol) => Some(Function::find(path, symbol)?),
        };
        let points = options.spec.needs_target.then(|| Points::of(&options.target)).transpose()?;
        Ok(Self { hz: options.setting("hz").parse().ok(), function, points })
    }

    /// The function that is watched, if one is.
    pub(crate) fn function(&self) -> Option<&Function> {
        self.function.as_ref()
    }

    /// Checks that there is a place for the program `name`.
    ///
    /// # Errors
    /// [`Refused`] if the observed program lacks it.
    pub(crate) fn find(&self, name: &str) -> Result<(), Refused> {
        match (&self.points, name.strip_prefix(POINT_PREFIX)) {
            (Some(points), Some(point)) if points.places(point).is_empty() => {
                Err(Refused::no_points(points.path()))
            }
            _ => Ok(()),
        }
    }

    /// Attaches the loaded program `name`.
    pub(crate) fn attach(&self, name: &str, program: &mut Program) -> Result<Vec<Link>> {
        match program {
            Program::BtfTracePoint(program) => {
                let link = program.attach()?;
                Ok(vec![Box::new(program.take_link(link)?)])
            }
            Program::PerfEvent(program) => {
                let policy = SamplePolicy::Frequency(self.hz.context("a sampler has a rate")?);
                let cpus = online_cpus()
                    .map_err(|(what, error)| anyhow::Error::new(error).context(what))?;
                let clock = PerfEventConfig::Software(SoftwareEvent::CpuClock);
                let mut links: Vec<Link> = Vec::new();
                for cpu in cpus {
                    let scope = PerfEventScope::AllProcessesOneCpu { cpu };
                    let link = program.attach(clock, scope, policy, false)?;
                    links.push(Box::new(program.take_link(link)?));
                }
                Ok(links)
            }
            Program::UProbe(program) if let Some(point) = name.strip_prefix(POINT_PREFIX) => {
                let points = self.points.as_ref().context("a program is observed")?;
                attach_at(program, &points.places(point), points.path(), UProbeScope::AllProcesses)
            }
            Program::UProbe(program) => {
                let function = self.function.as_ref().context("a function was set")?;
                let places: &[u64] = match (name, &function.ends) {
                    ("function_enter", Ok(_)) | ("function_count", Err(_)) => &function.entries,
                    ("function_return", Ok(ends)) => &ends.returns,
                    ("function_jump", Ok(ends)) => &ends.jumps,
                    // Programs for functions of the other kind, and those that measure the cost.
                    _ => &[],
                };
                attach_at(program, places, &function.path, UProbeScope::AllProcesses)
            }
            _ => bail!("a program of an unknown type"),
        }
    }
}

/// How much longer a call takes while it is watched, in nanoseconds: measured on an empty function
/// that begins with the same instruction as the code `first`. Most of the cost is that of the
/// traps, and depends on the instructions that they replace: the kernel emulates some, and
/// single-steps most, with a second trap.
pub(crate) fn cost_of_a_call_ns(bpf: &mut Ebpf, first: &[u8]) -> Result<f64> {
    let empty = EmptyFunction::like(first)?;
    let path = empty.path();
    let places = [("own_enter", 0), ("own_return", empty.returns_at)];
    let alone = fastest_call_ns(|| empty.call());
    let mut links = Vec::new();
    for (name, place) in places {
        let program: &mut UProbe =
            bpf.program_mut(name).with_context(|| format!("there is no {name}"))?.try_into()?;
        links.extend(attach_at(program, &[place], &path, UProbeScope::CallingProcess)?);
    }
    Ok(fastest_call_ns(|| empty.call()) - alone)
}

/// How much longer a USDT point takes while it is watched, in nanoseconds: measured on a point of
/// this program.
pub(crate) fn cost_of_a_point_ns(bpf: &mut Ebpf) -> Result<f64> {
    let places = Points::of_file(Path::new(OURSELVES))?.places("watched");
    ensure!(!places.is_empty(), "our own point is not in our own file");
    let mut programs = bpf.programs_mut();
    let first = programs.find(|(name, _)| name.starts_with(POINT_PREFIX));
    let alone = fastest_call_ns(watched);
    let mut links = Vec::new();
    if let Some((_, Program::UProbe(program))) = first {
        let us = UProbeScope::CallingProcess;
        links = attach_at(program, &places, Path::new(OURSELVES), us)?;
    }
    let cost = fastest_call_ns(watched) - alone;
    drop(links);
    Ok(cost)
}

const OURSELVES: &str = "/proc/self/exe";

fn attach_at(
    program: &mut UProbe,
    places: &[u64],
    path: &Path,
    scope: UProbeScope,
) -> Result<Vec<Link>> {
    let mut links: Vec<Link> = Vec::new();
    for &place in places {
        let link = program.attach(UProbeAttachLocation::AbsoluteOffset(place), path, scope)?;
        links.push(Box::new(program.take_link(link)?));
    }
    Ok(links)
}

/// The time per call in the fastest of five batches, in nanoseconds.
fn fastest_call_ns(call: impl Fn()) -> f64 {
    const CALLS: u32 = 400;
    let batch = || {
        let begun = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        begun.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..5).map(|_| batch()).fold(f64::INFINITY, f64::min)
}

#[inline(never)]
fn watched() {
    probe!(perf_lab, watched);
    black_box(());
}
