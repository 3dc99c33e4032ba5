//! Where programs are hooked in: tracepoints, the clock of each CPU, a function of user space.

use std::any::Any;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::process;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use aya::Ebpf;
use aya::programs::Program;
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::programs::uprobe::{UProbeAttachLocation, UProbeScope};
use aya::util::online_cpus;
use object::{Object, ObjectSymbol};

use super::Options;
use crate::proc;

/// Keeps a program hooked in for as long as it lives.
pub(crate) type Link = Box<dyn Any>;

/// What of it was set.
pub(crate) struct Hooks {
    /// How often a clock ticks, for a probe that samples.
    hz: Option<u64>,
    /// A function, for a probe that times one.
    function: Option<Function>,
}

/// A function of a program or library.
struct Function {
    path: PathBuf,
    symbol: String,
}

impl Hooks {
    /// From the settings `hz`, `path` and `function`.
    ///
    /// # Errors
    /// There is no such file or function.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let function = match (options.setting("path"), options.setting("function")) {
            ("", _) => None,
            (path, symbol) => Some(Function::find(path, symbol)?),
        };
        Ok(Self { hz: options.setting("hz").parse().ok(), function })
    }

    /// Hooks a loaded program in.
    pub(crate) fn attach(&self, program: &mut Program) -> Result<Vec<Link>> {
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
    let alone = fastest_call_ns();
    let address = watched as *const () as u64;
    let mappings = proc::executable_mappings(process::id()).context("read our own mappings")?;
    let mapping = mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&address));
    let mapping = mapping.context("our own code is mapped")?;
    let offset = address - mapping.start + mapping.offset;
    let mut links: Vec<Link> = Vec::new();
    for (_, program) in bpf.programs_mut() {
        if let Program::UProbe(program) = program {
            let at = UProbeAttachLocation::AbsoluteOffset(offset);
            let link = program.attach(at, "/proc/self/exe", UProbeScope::CallingProcess)?;
            links.push(Box::new(program.take_link(link)?));
        }
    }
    Ok(fastest_call_ns() - alone)
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
    black_box(());
}
