//! Work that takes CPU time and nothing else: a number of steps, a time by the thread's own clock,
//! or a time in steps that were calibrated before.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::thread::cpu_time;

/// Computes a number of steps of a nanosecond or two, each of which depends on the one before.
///
/// It is inlined into its caller, so the caller itself is the leaf of the stack. Two callers must
/// give different seeds, or the compiler may merge them into one function.
#[inline(always)]
pub fn steps(steps: u64, seed: u64) -> u64 {
    (0..steps).fold(seed, |x, i| black_box(x ^ i.wrapping_mul(x | 1)))
}

/// Computes until the calling thread has run for this long on a CPU; time in which other threads
/// have the CPU does not count.
#[inline(never)]
pub fn cpu(time: Duration) {
    let until = cpu_time() + time;
    while cpu_time() < until {
        black_box(steps(SHORT, 1));
    }
}

/// Repeats `work`, which is short, until this much time has passed.
pub fn repeat(span: Duration, mut work: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < span {
        work();
    }
}

/// Steps between two readings of the clock: some 10 µs, so that reading it costs little.
const SHORT: u64 = 10_000;

/// The number of [`steps`] that take this long on an undisturbed CPU of this machine: for a server
/// whose work must not read a clock. Measured once per process.
pub fn steps_for(time: Duration) -> u64 {
    static PER_SECOND: OnceLock<f64> = OnceLock::new();
    let per_second = *PER_SECOND.get_or_init(|| {
        // Takes the fastest of several: interruptions made the others slower.
        let one = |_| {
            let (begun, ran) = (Instant::now(), cpu_time());
            black_box(steps(CALIBRATION, 1));
            begun.elapsed().min(cpu_time() - ran).as_secs_f64()
        };
        CALIBRATION as f64 / (0..TRIES).map(one).fold(f64::INFINITY, f64::min)
    });
    (time.as_secs_f64() * per_second) as u64
}

/// About a millisecond.
const CALIBRATION: u64 = 500_000;
const TRIES: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spin_takes_at_least_the_asked_cpu_time() {
        let before = cpu_time();
        cpu(Duration::from_millis(20));
        let ran = cpu_time() - before;
        assert!((20..200).contains(&ran.as_millis()), "{ran:?}");
    }

    #[test]
    fn calibrated_steps_take_the_intended_time() {
        let time = Duration::from_millis(20);
        let took = |_| {
            let before = cpu_time();
            black_box(steps(steps_for(time), 2));
            (cpu_time() - before).as_secs_f64() / time.as_secs_f64()
        };
        // A virtual CPU runs slower while another has its core, never faster.
        let fastest = (0..5).map(took).fold(f64::INFINITY, f64::min);
        assert!((0.5..3.0).contains(&fastest), "{fastest} times as long");
        assert_eq!(steps_for(Duration::ZERO), 0);
        let [once, twice] = [time, 2 * time].map(|time| steps_for(time) as f64);
        assert!((twice / once - 2.0).abs() < 1e-3, "{once} {twice}");
    }
}
