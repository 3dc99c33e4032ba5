//! LAB-1: one tower of functions, which runs all the time.

use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::thread::{allowed_cpus, first_and_last_cpu, meanwhile_on};
use lab_kit::{Ctx, sample, spin};

use crate::account::{end, note};
use crate::has_problem;

/// The share of samples in the tower.
pub(crate) const TOWER: &str = "tower";
/// Steps of a comparison: some 20 µs.
const STEPS: u64 = 20_000;
/// The time between samples.
const PERIOD: Duration = Duration::from_millis(1);

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (until, busy) = (end(ctx), has_problem(ctx));
    let (_, last) = first_and_last_cpu();
    // Kept on one CPU, it keeps one busy.
    let cpus = last.map_or_else(allowed_cpus, |cpu| vec![cpu]);
    let (_, samples) = meanwhile_on(&cpus, || sample(PERIOD, || serve(until, busy)))?;
    let in_order = |stack: &&String| {
        let at = ["serve", "look_up", "compare"].map(|name| stack.find(name));
        at.iter().all(Option::is_some) && at.is_sorted()
    };
    let tower = samples.stacks.iter().filter(in_order).count();
    note(ctx, TOWER, tower as f64 / samples.stacks.len().max(1) as f64);
    Ok(())
}

/// Without its problem it rests after each look-up, ten times as long.
#[inline(never)]
fn serve(until: Instant, busy: bool) {
    while Instant::now() < until {
        let begun = Instant::now();
        black_box(look_up());
        if !busy {
            sleep(10 * begun.elapsed());
        }
    }
}

#[inline(never)]
fn look_up() -> u64 {
    (0..50).map(|key| black_box(compare(key))).fold(0, u64::wrapping_add)
}

#[inline(never)]
fn compare(key: u64) -> u64 {
    spin::steps(STEPS, key | 1)
}
