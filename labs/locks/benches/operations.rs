//! The costs without contention: each operation on a cell by one thread, and each lock that no
//! other thread wants. `cargo bench -p locks --bench operations`.

use std::hint::black_box;
use std::sync::atomic::AtomicU64;

use lab_bench::{Criterion, Throughput, criterion_group, criterion_main};
use locks::cells::OPERATIONS;
use locks::lock::{Calls, KINDS, Lock};

/// Operations in an iteration.
const MANY: u64 = 1_000;

fn cells(c: &mut Criterion) {
    let cell = AtomicU64::new(0);
    let mut group = c.benchmark_group("cell");
    group.throughput(Throughput::Elements(MANY));
    for (name, operation) in OPERATIONS {
        group.bench_function(name, |b| b.iter(|| operation(black_box(&cell), MANY)));
    }
    group.finish();
}

fn locks(c: &mut Criterion) {
    let mut group = c.benchmark_group("lock");
    for name in KINDS {
        let (lock, mut calls) = (Lock::new(name), Calls::default());
        group.bench_function(name, |b| b.iter(|| lock.hold(&mut calls, || black_box(()))));
    }
    let std = std::sync::Mutex::new(());
    group.bench_function("std", |b| b.iter(|| drop(black_box(std.lock()))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = lab_bench::criterion();
    targets = cells, locks
}
criterion_main!(benches);
