//! Work that takes the same time wherever it is done.

use std::time::{Duration, Instant};

/// Steps of `lab_kit::spin`: some ten microseconds.
pub(crate) const UNIT: u64 = 10_000;

/// Repeats `work` until the time is over.
pub(crate) fn repeat(span: Duration, mut work: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < span {
        work();
    }
}
