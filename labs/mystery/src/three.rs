//! LAB-6: CPU time split 1:5 between two functions under one parent, which calls them equally often.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lab_kit::{Ctx, Diagnosis, Figure, Gap, sample, spin, thread};

use crate::account::{end, note, noted};
use crate::has_problem;

/// The share of the samples of both functions that are in the costly one.
pub(crate) const SHARE: &str = "share";
/// The number of those samples.
pub(crate) const SAMPLES: &str = "samples";
/// Its CPU time over the other's.
const TIMES: &str = "times";
/// Its steps over the other's.
pub(crate) const COSTLIER: u64 = 5;
/// Steps of the cheap one: some 0.2 ms.
const STEPS: u64 = 200_000;
/// The time between samples.
const PERIOD: Duration = Duration::from_millis(1);

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "cpu",
    functions: &["render"],
    ask: "How many times as much CPU time as `route` does `render` take?",
    of: "times",
    count: |e| {
        let times = noted(e, "3", TIMES)?;
        if times < 2.0 {
            return Err(Gap::Invalid("others slowed one of its functions down".into()));
        }
        Ok(Figure::exact(times, "times"))
    },
    tolerance: 0.2,
    because: "`serve` calls `route` and `render` equally often, and a call of `render` takes five \
              times as long: what is called often need not be what costs.",
};

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let until = end(ctx);
    let costlier = if has_problem(ctx) { COSTLIER } else { 1 };
    let ([cheap, costly], samples) = sample(PERIOD, || serve(until, costlier))?;
    let leaf = |name: &str| samples.stacks.iter().filter(|stack| stack.ends_with(name)).count();
    let (route, render) = (leaf("route") as f64, leaf("render") as f64);
    note(ctx, SHARE, render / f64::max(route + render, 1.0));
    note(ctx, SAMPLES, route + render);
    note(ctx, TIMES, costly.as_secs_f64() / cheap.as_secs_f64().max(1e-9));
    Ok(())
}

/// The CPU time of each function.
#[inline(never)]
fn serve(until: Instant, costlier: u64) -> [Duration; 2] {
    let mut times = [Duration::ZERO; 2];
    while Instant::now() < until {
        let from = thread::cpu_time();
        black_box(route(STEPS));
        let between = thread::cpu_time();
        black_box(render(costlier * STEPS));
        times[0] += between - from;
        times[1] += thread::cpu_time() - between;
    }
    times
}

#[inline(never)]
fn route(steps: u64) -> u64 {
    spin::steps(steps, 3)
}

#[inline(never)]
fn render(steps: u64) -> u64 {
    spin::steps(steps, 5)
}
