//! A program that lives by a clock, sampled in step with it and out of step.
//!
//! In each period the first half is spent in one function and the second half in another. Samples
//! whose period divides the program's meet it at the same point each time, and see one function
//! alone; a few hertz beside that, they wander through the period and see both.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lab_kit::spin::steps;
use lab_kit::{Ctx, CurveKind, sample};

/// The curve of the share that the samples so far suggest.
pub(crate) const SEEN_SO_FAR: &str = "share seen so far";
/// A microsecond or two: how exactly the program keeps its period.
const STEP: u64 = 1_000;
/// Many steps: a thread that took this long for one was waiting for a CPU.
const WAIT: Duration = Duration::from_micros(200);
/// A sample that falls into a wait is taken when it is over, at any point of the period. If all of
/// them went wrong, a tenth would leave the error at 100 Hz just what the claim requires.
const MOST_WAITING: f64 = 0.1;

/// Samples at 99 Hz.
pub(crate) fn at_99_hz(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, 99)
}

/// Samples at 100 Hz.
pub(crate) fn at_100_hz(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, 100)
}

fn run(ctx: &mut Ctx, hz: u32) -> anyhow::Result<()> {
    let (period, span) = (ctx.duration("period"), ctx.timeline().measure);
    let every = Duration::from_secs(1) / hz;
    let (waited, samples) = sample(every, || live_by_the_clock(period, span))?;
    let waited = waited.as_secs_f64() / span.as_secs_f64();
    ctx.metric("waited_ratio", waited, "ratio");
    if waited > MOST_WAITING {
        ctx.invalid(format!(
            "the program waited for a CPU {:.0} % of the time, and its samples with it: they tell \
             when it was let go on, not when they were due",
            100.0 * waited
        ));
    }
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

/// Returns how long it was kept waiting.
#[inline(never)]
fn live_by_the_clock(period: Duration, span: Duration) -> Duration {
    let start = Instant::now();
    let (mut last, mut waited) = (Duration::ZERO, Duration::ZERO);
    loop {
        let now = start.elapsed();
        if now - last > WAIT {
            waited += now - last;
        }
        if now >= span {
            return waited;
        }
        last = now;
        // The first sample comes a sampling period after the start: a quarter away from both
        // changes, so that no delay of the timer takes one function for the other.
        let phase = (now + period / 4).as_nanos() % period.as_nanos();
        if 2 * phase < period.as_nanos() { first_half() } else { second_half() }
    }
}

#[inline(never)]
fn first_half() {
    black_box(steps(STEP, 6));
}

#[inline(never)]
fn second_half() {
    black_box(steps(STEP, 7));
}

/// The share of one second's samples that fall into the first half of a program's period, by
/// arithmetic.
pub(crate) fn estimate(hz: u64, period: Duration) -> f64 {
    let period = u128::from(hz) * period.as_nanos();
    // The sample's place in the period, in units of 1 / hz ns, moved by the same quarter.
    let phase = |sample: u64| (u128::from(sample) * 1_000_000_000 + period / 4) % period;
    let first = (1..=hz).filter(|sample| 2 * phase(*sample) < period).count();
    first as f64 / hz as f64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn competition_for_the_cpu_is_detected() {
        let span = Duration::from_millis(300);
        let enough = AtomicBool::new(false);
        let crowd = 4 * std::thread::available_parallelism().map_or(1, usize::from);
        let waited = std::thread::scope(|scope| {
            for _ in 0..crowd {
                scope.spawn(|| {
                    let start = Instant::now();
                    while !enough.load(Ordering::Relaxed) && start.elapsed() < 10 * span {
                        black_box(steps(STEP, 8));
                    }
                });
            }
            let waited = live_by_the_clock(Duration::from_millis(10), span);
            enough.store(true, Ordering::Relaxed);
            waited
        });
        assert!(waited > span.mul_f64(2.0 * MOST_WAITING), "{waited:?} among {crowd}");
    }

    #[test]
    fn only_rates_that_divide_the_period_sample_in_lock_step() {
        let estimate = |hz| estimate(hz, Duration::from_millis(10));
        for blind in [50, 100] {
            assert_eq!(estimate(blind), 1.0, "{blind} Hz");
        }
        for sees in [97, 99, 101, 997] {
            assert!((estimate(sees) - 0.5).abs() < 0.01, "{sees} Hz: {}", estimate(sees));
        }
        assert_eq!(estimate(200), 0.5, "two points in the period, one in each half");
    }
}
