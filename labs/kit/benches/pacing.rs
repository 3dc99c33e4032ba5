//! How late requests leave: `cargo bench -p lab-kit --bench pacing`.
//!
//! Prints percentiles of send error for three rates. It is a report, not a comparison: on a busy
//! machine it shows the machine.

use std::time::Duration;

use lab_kit::{Arrivals, Clock, Series, Timeline, pace, seed};

fn main() {
    println!("{:>10} {:>10} {:>10} {:>10} {:>10}", "rate", "p50", "p99", "p99.9", "max");
    for rate in [1_000.0, 10_000.0, 100_000.0] {
        let span = Duration::from_secs(5);
        let timeline = Timeline { warmup: Duration::ZERO, measure: span, interval: span };
        let mut lateness = Series::new(timeline);
        let schedule = Arrivals::Poisson { rate }.plan(span, &mut seed::rng(1, &[]));
        let clock = Clock::live();
        pace(&schedule, clock, |_, intended| {
            lateness.record(intended, clock.now().saturating_sub(intended));
        });
        let total = lateness.total();
        let at =
            |quantile| format!("{:?}", Duration::from_nanos(total.value_at_quantile(quantile)));
        let max = Duration::from_nanos(lateness.facts().max_ns);
        let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
        println!("{rate:>8}/s {p50:>10} {p99:>10} {p999:>10} {:>10}", format!("{max:?}"));
    }
}
