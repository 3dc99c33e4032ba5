//! Work that takes the same time wherever it is done.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Some ten microseconds.
pub const UNIT: u64 = 10_000;

/// Computes for a number of steps of a nanosecond or two. Part of its caller: a function that spins
/// is seen itself, at the top of its stack. Two callers must give different seeds, else the
/// compiler may make one function of them.
#[inline(always)]
pub fn spin(steps: u64, seed: u64) -> u64 {
    (0..steps).fold(seed, |x, i| black_box(x ^ i.wrapping_mul(x | 1)))
}

/// Repeats `work` until the time is over.
pub fn repeat(span: Duration, mut work: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < span {
        work();
    }
}
