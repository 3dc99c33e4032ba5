//! One rare burst, which the sliced p99 cannot see, fires the guard.

use lab_verdict::method::Method;
use lab_verdict::pair::Pair;
use lab_verdict::scenario;
use lab_verdict::verdict::Verdict;

use crate::noise::{below, recorded, seeded};

const BURST_NS: u64 = 20_000_000;

/// Delays 3 % of all requests, all in one slice, by 20 ms. They are 30 % of that slice, so its p99
/// is a delayed request; a third of them lie above the pooled p99, which is therefore a delayed
/// request at least as slow as the median, and the pooled p99.9 one as slow as the p99.
fn with_burst(mut pair: Pair, slice: usize) -> Pair {
    let trial = &mut pair.new;
    trial.slice_p99_ns[slice] += BURST_NS;
    trial.p999_ns = BURST_NS + trial.p99_ns;
    trial.p99_ns = BURST_NS + trial.p50_ns;
    pair
}

/// How many of 500 comparisons fire a guard, and in how many p99i looks regressed.
fn fired(burst: bool) -> (usize, usize) {
    let method = Method::default();
    let looks = method.looks(1).unwrap();
    let recorded = recorded("A2");
    let mut rng = seeded(6);
    let (mut guarded, mut gated) = (0, 0);
    for _ in 0..500 {
        let pairs: Vec<Pair> = (0..looks.last())
            .map(|_| {
                let pair = recorded[below(&mut rng, recorded.len())].clone();
                let slice = below(&mut rng, 10);
                if burst { with_burst(pair, slice) } else { pair }
            })
            .collect();
        let judged = scenario::judge("burst", ("A", "A2"), &pairs, &[], &method, &looks);
        guarded +=
            usize::from(judged.guards.iter().any(|row| row.verdict == Some(Verdict::Regressed)));
        gated += usize::from(judged.metrics[1].verdict == Some(Verdict::Regressed));
    }
    println!("burst {burst}: the guard fired in {guarded} of 500, p99i regressed in {gated}");
    (guarded, gated)
}

#[test]
fn a_burst_in_one_slice_fires_the_guard() {
    let (guarded, gated) = fired(true);
    assert!(guarded >= 475, "the guard fired in {guarded} of 500");
    assert!(gated <= 50, "p99i was to be blind to it, yet regressed in {gated} of 500");
}

#[test]
fn the_guard_does_not_fire_without_a_burst() {
    let (guarded, _) = fired(false);
    assert!(guarded <= 12, "the guard fired in {guarded} of 500");
}
