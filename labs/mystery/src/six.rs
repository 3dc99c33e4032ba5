//! MTH-2, CPU: more threads want to run than there are CPUs for them.

use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::thread::{ThreadClock, allowed_cpus, keep_on, named, run as run_threads};
use lab_kit::{Ctx, Diagnosis, Figure, spin};

use crate::account::{end, lit, note, noted};
use crate::claims::shows;
use crate::has_problem;

/// The threads that wanted a CPU for nearly all of their time.
const WANTED: &str = "wanted";
/// CPUs in use at most, and threads for each.
const MOST_CPUS: usize = 4;
const THREADS_A_CPU: usize = 2;
/// This share of its time is nearly all.
const NEARLY_ALL: f64 = 0.9;
/// Steps of a block: about a millisecond.
const STEPS: u64 = 500_000;

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "cpu",
    functions: &["encode"],
    ask: "How many threads want a CPU for `encode`, all the time?",
    of: "threads",
    count: |e| {
        shows(lit(e, "6")?, "CPU")?;
        Ok(Figure::exact(noted(e, "6", WANTED)?, "threads"))
    },
    tolerance: 0.0,
    because: "Two threads for each CPU compute without end: one of them runs, and one waits in the \
              run queue.",
};

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (until, busy) = (end(ctx), has_problem(ctx));
    let mut cpus = allowed_cpus();
    cpus.truncate(MOST_CPUS);
    let worker = |number: usize| {
        let cpus = &cpus;
        named(format!("worker-{number}"), move || work(cpus, until, busy))
    };
    let workers = (1..=THREADS_A_CPU * cpus.len()).map(worker).collect();
    let wanted = run_threads(workers, || ())?;
    let count = wanted.iter().filter(|share| **share >= NEARLY_ALL).count();
    note(ctx, WANTED, count as f64);
    Ok(())
}

/// The share of its time in which the thread ran or was ready to.
fn work(cpus: &[usize], until: Instant, busy: bool) -> anyhow::Result<f64> {
    keep_on(cpus);
    let clock = ThreadClock::here()?;
    let from = clock.now();
    while Instant::now() < until {
        black_box(encode(STEPS));
        if !busy {
            sleep(Duration::from_millis(50));
        }
    }
    let passed = clock.now() - from;
    Ok((passed.ran + passed.waited).as_secs_f64() / passed.wall.as_secs_f64())
}

#[inline(never)]
fn encode(steps: u64) -> u64 {
    spin::steps(steps, 7)
}
