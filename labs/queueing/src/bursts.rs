//! A machine that is busy for a second in each minute, and what samplers make of it.

use std::time::Duration;

use lab_kit::stats::quantile_of_sorted;

/// What samples of an hour say of utilisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampled {
    /// One sample a minute, on the minute, and half a minute later.
    pub(crate) on_the_minute: f64,
    pub(crate) between: f64,
    /// One sample a second: mean, median and p99.
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) p99: f64,
}

/// Looks at a machine that is busy for the first `burst` of each minute.
pub(crate) fn sampled(burst: Duration) -> Sampled {
    let busy = |second: u64| f64::from(u8::from(Duration::from_secs(second % 60) < burst));
    let every = |gap: u64, from: u64| {
        let mut samples: Vec<f64> = (from..3_600).step_by(gap as usize).map(busy).collect();
        samples.sort_unstable_by(f64::total_cmp);
        samples
    };
    let mean = |samples: &[f64]| samples.iter().sum::<f64>() / samples.len() as f64;
    let seconds = every(1, 0);
    let quantile = |q| quantile_of_sorted(&seconds, q).unwrap_or_default();
    Sampled {
        on_the_minute: mean(&every(60, 0)),
        between: mean(&every(60, 30)),
        mean: mean(&seconds),
        median: quantile(0.5),
        p99: quantile(0.99),
    }
}
