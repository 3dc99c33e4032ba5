//! A step of each loop, with the memory that it needs in the nearest cache and in none: `cargo bench
//! -p cpu-utilization --bench loops`. The first group shows what the instructions cost, the second
//! what memory adds.

use std::hint::black_box;

use cpu_utilization::loops::{LOOPS, memory};
use lab_bench::{Criterion, Throughput, criterion_group, criterion_main};
use lab_kit::seed;

/// Steps in an iteration.
const STEPS: u64 = 10_000;

fn loops(c: &mut Criterion) {
    for (name, bytes) in [("nearest cache", 16 << 10), ("memory", 256 << 20)] {
        let memory = memory(bytes, &mut seed::rng(1, &[]));
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(STEPS));
        for (name, _, work) in LOOPS {
            let mut state = 0;
            group.bench_function(name, |b| {
                b.iter(|| {
                    state = work(&memory, black_box(state), STEPS);
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = lab_bench::criterion();
    targets = loops
}
criterion_main!(benches);
