//! The loops of the lab one by one: `cargo bench -p napkin-math --bench loops`. With
//! `-- --profile-time 5 safe` those that have `safe` in their name leave folded stacks.

use std::hint::black_box;

use lab_bench::{Criterion, Throughput, criterion_group, criterion_main};
use napkin_math::loops::{
    Line, ReadSome, at_random, digest, function_call, hash, in_order, memory, one_by_one,
    system_call,
};

const MEMORY: usize = 128 << 20;
const LINES: u64 = 10_000;

fn lines(c: &mut Criterion) {
    let memory = memory(MEMORY);
    let mut group = c.benchmark_group("memory");
    group.throughput(Throughput::Bytes(MEMORY as u64)).sample_size(20);
    group.bench_function("in order", |b| b.iter(|| in_order(&memory)));
    group.throughput(Throughput::Bytes(LINES * size_of::<Line>() as u64));
    let ways: [(&str, ReadSome); 2] = [("at random", at_random), ("one by one", one_by_one)];
    for (name, read) in ways {
        let mut from = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                from += LINES;
                read(&memory, from, LINES)
            });
        });
    }
    group.finish();
}

fn hashes(c: &mut Criterion) {
    let line = [7; size_of::<Line>()];
    let mut group = c.benchmark_group("hash");
    group.throughput(Throughput::Bytes(line.len() as u64));
    group.bench_function("for tables", |b| b.iter(|| hash(black_box(&line))));
    group.bench_function("safe", |b| b.iter(|| digest(black_box(&line))));
    group.finish();
}

fn calls(c: &mut Criterion) {
    let mut group = c.benchmark_group("call");
    group.bench_function("of a function", |b| b.iter(function_call));
    group.bench_function("of the system", |b| b.iter(system_call));
    group.finish();
}

criterion_group! {
    name = benches;
    config = lab_bench::criterion();
    targets = lines, hashes, calls
}
criterion_main!(benches);
