//! Two threads: one that works all the time and one that waits; or both half of it.

use std::hint::black_box;
use std::time::Duration;

use lab_kit::thread::{self, cpu_time, named};
use lab_kit::{Clock, Ctx, CurveKind, spin, tighten_timer, wait_until};
use lab_record::Grid;

/// The grid of threads by utilisation, and the curves over time of their mean and of the busier.
pub(crate) const UTILISATION: &str = "utilisation";
pub(crate) const MEAN: &str = "mean of both";
pub(crate) const BUSIER: &str = "the busier";

const THREADS: usize = 2;
const INTERVAL: Duration = Duration::from_millis(100);
const RANGES: usize = 10;
/// Steps between two looks at the clock.
const SHORT: u64 = 10_000;

/// Runs both threads, and reads the CPU time of each at the end of every interval.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let one = ctx.text("threads") == "one-works";
    let intervals = ctx.timeline().span().as_millis() / INTERVAL.as_millis();
    let clock = Clock::live();
    ctx.began(clock);
    let thread = |number: usize| {
        let works = match (one, number) {
            (true, 0) => INTERVAL,
            (true, _) => Duration::ZERO,
            (false, _) => INTERVAL / 2,
        };
        named(format!("worker-{number}"), move || Ok(utilisation(clock, intervals as u32, works)))
    };
    let used: Vec<Vec<f64>> = thread::run((0..THREADS).map(thread).collect(), || ())?;
    let intervals = intervals as usize;
    let at_once = |i: usize| used.iter().map(move |thread| thread[i]);
    let mean: Vec<f64> = (0..intervals).map(|i| at_once(i).sum::<f64>() / THREADS as f64).collect();
    let busier: Vec<f64> = (0..intervals).map(|i| at_once(i).fold(0.0, f64::max)).collect();
    let of_all = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    ctx.metric("mean", of_all(&mean), "ratio");
    ctx.metric("hottest", of_all(&busier), "ratio");
    let at = |i: usize| i as f64 * INTERVAL.as_secs_f64();
    for (name, shares) in [(MEAN, mean), (BUSIER, busier)] {
        let points = shares.into_iter().enumerate().map(|(i, share)| (at(i), share)).collect();
        ctx.curve(name, CurveKind::Measured, ["s", "ratio"], points);
    }
    let in_range = |range: usize, i: usize| {
        at_once(i).filter(|share| ((share * 10.0) as usize).min(RANGES - 1) == range).count() as f64
    };
    let row = |range: usize| {
        let name = format!("{} to {} %", 10 * range, 10 * (range + 1));
        (name, (0..intervals).map(|i| in_range(range, i)).collect())
    };
    ctx.grid(
        UTILISATION,
        Grid {
            unit: "threads".into(),
            starts_s: (0..intervals).map(at).collect(),
            end_s: at(intervals),
            rows: (0..RANGES).rev().map(row).collect(),
        },
    );
    Ok(())
}

/// The share of each interval in which the calling thread has a CPU. It works at the beginning of
/// each, for this long, and sleeps for the rest.
fn utilisation(clock: Clock, intervals: u32, works: Duration) -> Vec<f64> {
    tighten_timer();
    let mut before = (clock.now(), cpu_time());
    let interval = |i: u32| {
        while clock.now() < INTERVAL * i + works {
            black_box(spin::steps(SHORT, 3));
        }
        if works < INTERVAL {
            wait_until(clock, INTERVAL * (i + 1));
        }
        let now = (clock.now(), cpu_time());
        let share = (now.1 - before.1).as_secs_f64() / (now.0 - before.0).as_secs_f64();
        before = now;
        share
    };
    (0..intervals).map(interval).collect()
}
