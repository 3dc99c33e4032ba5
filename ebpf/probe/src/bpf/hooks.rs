//! Where programs are hooked in: tracepoints, the clock of each CPU, a function of user space, points that a program
//! tells of itself.

use std::any::Any;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use aya::Ebpf;
use aya::programs::Program;
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::programs::uprobe::{UProbe, UProbeAttachLocation, UProbeScope};
use aya::util::online_cpus;
use object::{Object, ObjectSymbol};
use probe::probe;

use super::Options;
use super::points::Points;
use super::refused::Refused;

/// A program of this prefix belongs to the point of the rest of its name.
const POINT_PREFIX: &str = "usdt_";

/// Keeps a program hooked in for as long as it lives.
pub(crate) type Link = Box<dyn Any>;

/// What of it was set.
pub(crate) struct Hooks {
    /// How often a clock ticks, for a probe that samples.
    hz: Option<u64>,
    /// A function, for a probe that times one.
    function: Option<Function>,
    /// What the observed program says of itself, for a probe that is hooked in there.
    points: Option<Points>,
}

/// A function of a program or library.
struct Function {
    path: PathBuf,
    symbol: String,
}

impl Hooks {
    /// From the settings `hz`, `path` and `function`, and from the program that is observed.
    ///
    /// # Errors
    /// There is no such file or function.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let function = match (options.setting("path"), options.setting("function")) {
            ("", _) => None,
            (path, symbol) => Some(Function::find(path, symbol)?),
        };
        let points = options.spec.of_a_program.then(|| Points::of(&options.target)).transpose()?;
        Ok(Self { hz: options.setting("hz").parse().ok(), function, points })
    }

    /// Whether there is a place for the program `name`.
    ///
    /// # Errors
    /// [`Refused`]: the observed program does not tell of it.
    pub(crate) fn find(&self, name: &str) -> Result<(), Refused> {
        match (&self.points, name.strip_prefix(POINT_PREFIX)) {
            (Some(points), Some(point)) if points.places(point).is_empty() => {
                Err(Refused::no_points(points.path()))
            }
            _ => Ok(()),
        }
    }

    /// Hooks the loaded program `name` in.
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
                let Function { path, symbol } =
                    self.function.as_ref().context("a function was set")?;
                let link = program.attach(symbol.as_str(), path, UProbeScope::AllProcesses)?;
                Ok(vec![Box::new(program.take_link(link)?)])
            }
            _ => bail!("a program of no type that is known here"),
        }
    }
}

impl Function {
    fn find(path: &str, symbol: &str) -> Result<Self> {
        let path = fs::canonicalize(path).with_context(|| format!("find {path}"))?;
        let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let file = object::File::parse(&*bytes)
            .with_context(|| format!("{} is no program or library", path.display()))?;
        let names = || file.symbols().chain(file.dynamic_symbols()).filter_map(|it| it.name().ok());
        if !names().any(|name| name == symbol) {
            let near: Vec<&str> = names().filter(|name| name.contains(symbol)).take(5).collect();
            let near = if near.is_empty() {
                "none is like it".to_owned()
            } else {
                format!("like it: {}", near.join(", "))
            };
            bail!("{} has no symbol {symbol}; {near}", path.display());
        }
        Ok(Self { path, symbol: symbol.to_owned() })
    }
}

/// How much longer a call takes while it is watched, in nanoseconds: measured on an empty function of our own, which the
/// program does not observe. The traps are the most of it.
pub(crate) fn cost_of_a_call_ns(bpf: &mut Ebpf) -> Result<f64> {
    let address = watched as *const () as u64;
    let mappings = lab_proc::executable_mappings(process::id()).context("read our own mappings")?;
    let mapping = mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&address));
    let mapping = mapping.context("our own code is mapped")?;
    let place = address - mapping.start + mapping.offset;
    cost_ns(bpf.programs_mut().map(|(_, program)| program), &[place])
}

/// As [`cost_of_a_call_ns`], of one point: that of the same function.
pub(crate) fn cost_of_a_point_ns(bpf: &mut Ebpf) -> Result<f64> {
    let places = Points::of_file(Path::new(OURSELVES))?.places("watched");
    ensure!(!places.is_empty(), "our own point is not in our own file");
    let mut programs = bpf.programs_mut();
    let first = programs.find(|(name, _)| name.starts_with(POINT_PREFIX));
    cost_ns(first.into_iter().map(|(_, program)| program), &places)
}

const OURSELVES: &str = "/proc/self/exe";

fn cost_ns<'a>(programs: impl Iterator<Item = &'a mut Program>, places: &[u64]) -> Result<f64> {
    let alone = fastest_call_ns();
    let mut links = Vec::new();
    for program in programs {
        if let Program::UProbe(program) = program {
            let us = UProbeScope::CallingProcess;
            links.extend(attach_at(program, places, Path::new(OURSELVES), us)?);
        }
    }
    Ok(fastest_call_ns() - alone)
}

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

/// Of five batches, the one that was disturbed least.
fn fastest_call_ns() -> f64 {
    const CALLS: u32 = 400;
    let batch = || {
        let begun = Instant::now();
        for _ in 0..CALLS {
            watched();
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
