//! WS-2: two threads kept on one CPU read nothing, by a bare system call.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lab_kit::cpus::Watch;
use lab_kit::thread::{ThreadClock, allowed_cpus, keep_on, named, run as run_threads};
use lab_kit::{Ctx, Diagnosis, Evidence, Figure, Gap, sample};

use crate::account::{end, note, noted};
use crate::has_problem;

/// Bytes read, and calls that read them.
const BYTES: &str = "bytes";
const CALLS: &str = "calls";
/// The least share of its time that one of the threads was ready and had no CPU.
const READY: &str = "ready";
/// How idle the other CPUs were meanwhile.
const IDLE: &str = "idle";
/// The share of samples in which the system call was not made in a function of the C library.
const BARE: &str = "bare";
/// Calls of a turn.
const TURN: u64 = 1_000;
/// The time between samples.
const PERIOD: Duration = Duration::from_millis(1);

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "cpu",
    functions: &["fetch"],
    ask: "How many problems does `fetch`, with its threads, have?",
    of: "problems",
    count: |e| match problems(e)? {
        PROBLEMS => Ok(Figure::exact(PROBLEMS as f64, "problems")),
        _ => Err(Gap::Invalid("it did not show all of its problems".into())),
    },
    tolerance: 0.0,
    because: "Each read asks for 0 bytes and gets them. Both threads are kept on one CPU while \
              another idles. And the system call is made without the C library, so no frame \
              `read` is in the flame graph.",
};

/// How many problems it has.
pub(crate) const PROBLEMS: usize = 3;

/// How many of them the run shows.
///
/// # Errors
/// The box did not run here.
pub(crate) fn problems(e: &Evidence) -> Result<usize, Gap> {
    let of = |name| noted(e, "8", name);
    let reads_nothing = of(CALLS)? > 1_000.0 && of(BYTES)? == 0.0;
    let waits_beside_an_idle_cpu = of(READY)? > 0.35 && of(IDLE)? > 0.5;
    let hides_its_calls = of(BARE)? > 0.5;
    let shown = [reads_nothing, waits_beside_an_idle_cpu, hides_its_calls];
    Ok(shown.iter().filter(|shown| **shown).count())
}

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let cpus = allowed_cpus();
    let [first, elsewhere @ ..] = &cpus[..] else { anyhow::bail!("a process has a CPU") };
    if elsewhere.is_empty() {
        ctx.unavailable("it needs two CPUs, and there is one", "a machine with more CPUs");
        return Ok(());
    }
    let (until, wrong) = (end(ctx), has_problem(ctx));
    let kept_on = if wrong { vec![*first] } else { cpus.clone() };
    let work = |sampled: bool| {
        let cpus = kept_on.clone();
        move || read_all(&cpus, until, wrong, sampled)
    };
    let mut idle = None;
    let threads = vec![named("worker-1", work(true)), named("worker-2", work(false))];
    let ended = run_threads(threads, || {
        idle = Some(Watch::begin(elsewhere).and_then(|watch| {
            sleep(until.saturating_duration_since(Instant::now()));
            watch.shares()
        }));
    })?;
    let sum = |of: fn(&Read) -> u64| ended.iter().map(of).sum::<u64>() as f64;
    note(ctx, CALLS, sum(|read| read.calls));
    note(ctx, BYTES, sum(|read| read.bytes));
    note(ctx, READY, ended.iter().map(|read| read.ready).fold(1.0, f64::min));
    note(ctx, BARE, ended.iter().filter_map(|read| read.bare).sum());
    let idle = idle.transpose()?.map_or(0.0, |shares| shares.idle);
    note(ctx, IDLE, idle);
    Ok(())
}

/// What a thread did.
#[derive(Default)]
struct Read {
    calls: u64,
    bytes: u64,
    ready: f64,
    bare: Option<f64>,
}

fn read_all(cpus: &[usize], until: Instant, wrong: bool, sampled: bool) -> anyhow::Result<Read> {
    keep_on(cpus);
    let path = "/dev/zero";
    let file = File::open(path).context(path)?;
    let clock = ThreadClock::here()?;
    let from = clock.now();
    let mut read = Read::default();
    let mut work = || {
        while Instant::now() < until {
            read.bytes += fetch(&file, wrong);
            read.calls += TURN;
        }
        clock.now() - from
    };
    let (passed, samples) = if sampled {
        let (passed, samples) = sample(PERIOD, work)?;
        (passed, Some(samples.stacks))
    } else {
        (work(), None)
    };
    read.ready = passed.waited.as_secs_f64() / passed.wall.as_secs_f64();
    // Only names of Rust have a path.
    let is_bare = |stack: &&String| stack.rsplit(';').next().is_some_and(|l| l.contains("::"));
    read.bare = samples
        .map(|stacks| stacks.iter().filter(is_bare).count() as f64 / stacks.len().max(1) as f64);
    Ok(read)
}

/// The bytes that a turn of calls got.
#[inline(never)]
fn fetch(file: &File, wrong: bool) -> u64 {
    let mut byte = [0_u8; 1];
    let once = |byte: &mut [u8; 1]| {
        if wrong {
            return rustix::io::read(file, &mut byte[..0]).unwrap_or(0) as u64;
        }
        // SAFETY: the buffer has room for the byte.
        let got = unsafe { libc::read(file.as_raw_fd(), byte.as_mut_ptr().cast(), 1) };
        got.max(0).unsigned_abs() as u64
    };
    (0..TURN).map(|_| once(&mut byte)).sum()
}
