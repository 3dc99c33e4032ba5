//! A program that lives by a clock, sampled in step with it and out of step.
//!
//! In each period the first half is spent in one function and the second half in another. Samples
//! whose period divides the program's meet it at the same point each time, and see one function
//! alone; a few hertz beside that, they wander through the period and see both.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lab_kit::{Ctx, CurveKind, sample};

use crate::spin::spin;

/// The curve of what the samples so far would have one believe.
pub const SEEN_SO_FAR: &str = "share seen so far";
/// A microsecond or two: how exactly the program keeps its period.
const STEP: u64 = 1_000;

/// Samples at 99 Hz.
pub fn at_99_hz(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, 99)
}

/// Samples at 100 Hz.
pub fn at_100_hz(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, 100)
}

fn run(ctx: &mut Ctx, hz: u32) -> anyhow::Result<()> {
    let (period, span) = (ctx.duration("period"), ctx.timeline().measure);
    let every = Duration::from_secs(1) / hz;
    let ((), samples) = sample(every, || live_by_the_clock(period, span))?;
    let mut first = 0;
    let mut so_far = Vec::new();
    for (at, stack) in samples.stacks.iter().enumerate() {
        first += u64::from(stack.ends_with("first_half"));
        let seen = at as u64 + 1;
        so_far.push((every.as_secs_f64() * seen as f64, first as f64 / seen as f64));
    }
    ctx.proportion("first_half_ratio", first, samples.stacks.len() as u64);
    ctx.curve(SEEN_SO_FAR, CurveKind::Measured, ["s", "ratio"], so_far);
    ctx.keep("sampled.folded", &samples.folded())
}

#[inline(never)]
fn live_by_the_clock(period: Duration, span: Duration) {
    let start = Instant::now();
    loop {
        let now = start.elapsed();
        if now >= span {
            return;
        }
        // The first sample comes a sampling period after the start: a quarter away from both
        // changes, so that no delay of the timer takes one function for the other.
        let phase = (now + period / 4).as_nanos() % period.as_nanos();
        if 2 * phase < period.as_nanos() { first_half() } else { second_half() }
    }
}

#[inline(never)]
fn first_half() {
    black_box(spin(STEP, 6));
}

#[inline(never)]
fn second_half() {
    black_box(spin(STEP, 7));
}

/// The share of one second's samples that fall into the first half of a 10 ms period, by
/// arithmetic.
pub fn estimate(hz: u64) -> f64 {
    // The sample's place in the period, in units of 1 / 4 hz of it, moved by the same quarter.
    let phase = |sample: u64| (4 * 100 * sample + hz) % (4 * hz);
    let first = (1..=hz).filter(|sample| 2 * phase(*sample) < 4 * hz).count();
    first as f64 / hz as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rates_that_share_the_period_are_blind() {
        for blind in [50, 100] {
            assert_eq!(estimate(blind), 1.0, "{blind} Hz");
        }
        for sees in [97, 99, 101, 997] {
            assert!((estimate(sees) - 0.5).abs() < 0.01, "{sees} Hz: {}", estimate(sees));
        }
        assert_eq!(estimate(200), 0.5, "two points in the period, one in each half");
    }
}
