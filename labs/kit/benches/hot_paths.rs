//! The kit's hot paths: `cargo bench -p lab-kit --bench hot_paths`.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lab_kit::{Arrivals, Series, Serving, Timeline, seed};
use lab_record::hlog;
use std::hint::black_box;

const VALUES: u64 = 10_000;

/// Latencies around a millisecond, as they come: not sorted, not equal.
fn values() -> Vec<u64> {
    (0..VALUES).map(|i| 500_000 + (seed::uniform(1, &[i]) * 1e6) as u64).collect()
}

/// One value into a series, against the bare histogram: at most half as much again.
fn record(c: &mut Criterion) {
    let values = values();
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(VALUES));
    let mut bare = hlog::histogram();
    group.bench_function("bare Histogram::record", |b| {
        // The same times go by unused, so that both loops differ by the recording alone.
        b.iter(|| {
            for (i, value) in (0..).zip(&values) {
                black_box(i * 10_000_u64);
                bare.record(black_box(*value)).unwrap_or(());
            }
        });
    });
    let ms = Duration::from_millis;
    let mut series =
        Series::new(Timeline { warmup: ms(0), measure: ms(10_000), interval: ms(100) });
    group.bench_function("Series::record_ns", |b| {
        // 100,000 a second: ten thousand to an interval.
        b.iter(|| {
            for (i, value) in (0..).zip(&values) {
                series.record_ns(black_box(i * 10_000), black_box(*value));
            }
        });
    });
    group.finish();
}

/// A million Poisson arrivals.
fn plan(c: &mut Criterion) {
    c.bench_function("plan a million Poisson arrivals", |b| {
        let arrivals = Arrivals::Poisson { rate: 1e6 };
        b.iter(|| arrivals.plan(Duration::from_secs(1), &mut seed::rng(1, &[])));
    });
}

/// A request whose ends no probe observes, against none: two instructions that do nothing.
fn serve(c: &mut Criterion) {
    let mut group = c.benchmark_group("serve");
    group.bench_function("nothing", |b| b.iter(|| black_box(1_u64)));
    group.bench_function("nothing, as a request", |b| {
        b.iter(|| {
            let _serving = Serving::begin();
            black_box(1_u64)
        });
    });
    group.finish();
}

criterion_group!(benches, record, plan, serve);
criterion_main!(benches);
