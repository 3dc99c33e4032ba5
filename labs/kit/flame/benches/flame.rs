//! Folding, drawing and diffing, on stacks with the shape of a profile: a few hot paths, a long tail,
//! twenty frames deep. `graph` is what the command does, from bytes to a drawing. `FLAME_BENCH_STACKS`
//! sets the number of stacks (default 10,000).

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lab_flame::diff::svg::Root;
use lab_flame::diff::{Normalise, TrialStacks, diff, page};
use lab_flame::draw::{Options, draw};
use lab_flame::folded::Folded;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus as Rng;

/// `stacks` lines in no order; distinct but for a few.
fn profile(stacks: usize, seed: u64) -> String {
    let mut rng = Rng::seed_from_u64(seed);
    let mut text = String::new();
    for _ in 0..stacks {
        text.push_str("main");
        // Cubing a uniform number makes a few branches common; what may follow depends on the caller.
        let mut function = 0;
        for _ in 0..rng.random_range(4..24) {
            let branch = (rng.random::<f64>().powi(3) * 40.0) as usize;
            function = (function * 31 + branch + 1) % 3_000;
            text.push_str(&format!(
                ";crate{}::module{}::function_{function}",
                function % 17,
                function % 53
            ));
        }
        let count = (1.0 / (1.0 - rng.random::<f64>())) as u64;
        text.push_str(&format!(" {}\n", count.clamp(1, 10_000)));
    }
    text
}

fn flame(criterion: &mut Criterion) {
    let stacks =
        std::env::var("FLAME_BENCH_STACKS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let text = profile(stacks, 1);
    let parse = |text: &str| Folded::parse("bench", text).expect("the profile is well formed");
    let folded = parse(&text);
    let mut group = criterion.benchmark_group("flame");
    group.sample_size(20).throughput(Throughput::Elements(stacks as u64));

    group.bench_with_input(BenchmarkId::new("fold", stacks), &text, |bench, text| {
        let bytes = || text.clone().into_bytes();
        bench.iter_batched(bytes, |bytes| Folded::parse("bench", bytes), BatchSize::LargeInput);
    });
    group.bench_with_input(BenchmarkId::new("graph", stacks), &text, |bench, text| {
        let bytes = || text.clone().into_bytes();
        let graph = |bytes| {
            let folded = Folded::parse_in_order("bench", bytes).expect("it is well formed");
            draw(&folded, &Options::default(), &mut std::io::sink())
        };
        bench.iter_batched(bytes, graph, BatchSize::LargeInput);
    });
    group.bench_with_input(BenchmarkId::new("draw", stacks), &folded, |bench, folded| {
        bench.iter(|| draw(black_box(folded), &Options::default(), &mut std::io::sink()));
    });
    let side = |seed| [TrialStacks { stacks: parse(&profile(stacks, seed)), requests: None }];
    let (before, after) = (side(1), side(2));
    let compare =
        || diff(&before, &after, Normalise::Samples, "samples").expect("both sides have samples");
    group.bench_function(BenchmarkId::new("diff", stacks), |bench| bench.iter(compare));
    let found = compare();
    group.bench_function(BenchmarkId::new("diff page", stacks), |bench| {
        bench.iter(|| {
            let graphs = page::graphs(&found, "before", "after", Root::Bottom);
            page::page(&found, "before", "after", &graphs, 12)
        });
    });
    group.finish();
}

criterion_group!(benches, flame);
criterion_main!(benches);
