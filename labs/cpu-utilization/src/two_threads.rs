//! One thread that computes, and two: CPU time, work, and what the hypervisor took.

use std::hint::black_box;
use std::thread::scope;
use std::time::{Duration, Instant};

use lab_kit::proc::of_cpus;
use lab_kit::stats::median;
use lab_kit::thread::{cpu_time, first_and_last_cpu, pin_to};
use lab_kit::{Clock, Ctx};

use crate::loops::compute;

/// How long each runs before it is the other's turn.
const TURN: Duration = Duration::from_millis(50);
/// Between two looks at the clock: 15 µs or so.
const STEPS: u64 = 10_000;

/// CPU time, in seconds, and steps.
type Done = (f64, f64);

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (first, last) = first_and_last_cpu();
    let Some(last) = last else {
        ctx.unavailable("on one CPU a second thread runs instead of the first, not beside it", "");
        return Ok(());
    };
    let second = if ctx.text("second") == "own-cpu" { last } else { first };
    let (before, clock) = (of_cpus(&[first, last])?, Clock::live());
    ctx.began(clock);
    let (mut busy, mut work) = (Vec::new(), Vec::new());
    while clock.now() < ctx.timeline().span() {
        let (one, two) = (together(&[first]), together(&[first, second]));
        busy.push(two.0 / one.0);
        work.push(two.1 / one.1);
    }
    let ticks = of_cpus(&[first, last])? - before;
    let [busy, work] = [busy, work].map(|turns| median(turns).unwrap_or_default());
    ctx.metric("busy_of_two", busy, "times");
    ctx.metric("work_of_two", work, "times");
    ctx.metric("work_per_cpu_second", work / busy, "times");
    ctx.metric("steal", ticks.steal as f64 / ticks.total().max(1) as f64, "ratio");
    Ok(())
}

/// A turn of a thread on each of these CPUs, together.
fn together(cpus: &[usize]) -> Done {
    let thread = |cpu| {
        pin_to(cpu);
        let (begun, ran, mut steps) = (Instant::now(), cpu_time(), 0);
        while begun.elapsed() < TURN {
            black_box(compute(&[], steps, STEPS));
            steps += STEPS;
        }
        ((cpu_time() - ran).as_secs_f64(), steps as f64)
    };
    scope(|scope| {
        let started: Vec<_> = cpus.iter().map(|cpu| scope.spawn(move || thread(*cpu))).collect();
        let done = started.into_iter().map(|thread| thread.join().expect("it does not panic"));
        done.fold((0.0, 0.0), |sum, done| (sum.0 + done.0, sum.1 + done.1))
    })
}
