//! Why nothing pools requests: the pooled bootstrap calls equal sides different, the shipped method
//! does not.

use lab_verdict::method::{Gate, Method};
use lab_verdict::metric::Metric;
use lab_verdict::pair::Pair;
use lab_verdict::replay;
use lab_verdict::scenario;
use lab_verdict::trial::TrialRecord;
use lab_verdict::verdict::Verdict;
use rand_xoshiro::rand_core::Rng;
use serde::Deserialize;

use crate::noise::{RECORD, below, seeded, uniform};

const COMPARISONS: usize = 500;

/// The response times of one trial, in buckets.
#[derive(Deserialize, Clone)]
struct Bucketed {
    trial: u64,
    first_us: f64,
    width_us: f64,
    below: u64,
    above: u64,
    counts: Vec<u64>,
}

/// Neighbours in time, both of the same binary.
fn neighbours() -> Vec<[Bucketed; 2]> {
    let lines = include_str!("../data/aa-histograms.jsonl").lines();
    let trials: Vec<Bucketed> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    trials.chunks_exact(2).map(|two| [two[0].clone(), two[1].clone()]).collect()
}

/// `n` different neighbours, each pair turned by a coin.
fn choose(rng: &mut impl Rng, from: &[[Bucketed; 2]], n: usize) -> Vec<[Bucketed; 2]> {
    let mut left: Vec<usize> = (0..from.len()).collect();
    (0..n)
        .map(|_| {
            let [a, b] = from[left.swap_remove(below(rng, left.len()))].clone();
            if rng.next_u64() & 1 == 0 { [a, b] } else { [b, a] }
        })
        .collect()
}

/// All requests of one side in one heap, as if they were independent.
fn pool(trials: &[[Bucketed; 2]], side: usize) -> Bucketed {
    let mut all = trials[0][side].clone();
    for trial in trials[1..].iter().map(|pair| &pair[side]) {
        all.below += trial.below;
        all.above += trial.above;
        all.counts.iter_mut().zip(&trial.counts).for_each(|(sum, n)| *sum += n);
    }
    all
}

/// The value below which `u` of the pooled requests lie, linear inside a bucket.
fn quantile_us(pool: &Bucketed, u: f64) -> f64 {
    let requests = (pool.below + pool.above + pool.counts.iter().sum::<u64>()) as f64;
    let mut left = u * requests - pool.below as f64;
    assert!(left > 0.0, "the median lies inside the buckets");
    for (i, &n) in pool.counts.iter().enumerate() {
        if left <= n as f64 {
            return pool.first_us + pool.width_us * (i as f64 + left / n as f64);
        }
        left -= n as f64;
    }
    panic!("the median lies inside the buckets");
}

/// One resample's median. The median of n values drawn with replacement is the quantile at a
/// Beta(n/2, n/2) level, which for thousands of values is normal around one half.
fn resampled_median_us(rng: &mut impl Rng, pool: &Bucketed) -> f64 {
    let requests = (pool.below + pool.above + pool.counts.iter().sum::<u64>()) as f64;
    let normal = (-2.0 * uniform(rng).ln()).sqrt() * (std::f64::consts::TAU * uniform(rng)).cos();
    quantile_us(pool, 0.5 + 0.5 * normal / requests.sqrt())
}

/// The percentile bootstrap at 95 %: does its interval of the medians' ratio exclude equality?
fn bootstrap_flags(rng: &mut impl Rng, base: &Bucketed, new: &Bucketed) -> bool {
    let mut ratios: Vec<f64> = (0..400)
        .map(|_| (resampled_median_us(rng, new) / resampled_median_us(rng, base)).ln())
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[9] > 0.0 || ratios[390] < 0.0
}

fn trials() -> Vec<TrialRecord> {
    replay::read(RECORD).unwrap()
}

fn as_pairs(chosen: &[[Bucketed; 2]], trials: &[TrialRecord]) -> Vec<Pair> {
    let find =
        |bucketed: &Bucketed| trials.iter().find(|t| t.trial == bucketed.trial).unwrap().clone();
    chosen.iter().map(|[base, new]| Pair { base: find(base), new: find(new) }).collect()
}

#[test]
fn pooled_requests_call_equal_trials_different_where_the_shipped_method_does_not() {
    let (neighbours, trials) = (neighbours(), trials());
    let method = Method {
        gates: vec![Gate::of(Metric::P50)],
        looks: vec![10],
        alpha: 0.05,
        ..Method::default()
    };
    let looks = method.looks(1).unwrap();
    let mut rng = seeded(7);
    let (mut pooled, mut shipped) = (0, 0);
    for _ in 0..COMPARISONS {
        let chosen = choose(&mut rng, &neighbours, 10);
        pooled += usize::from(bootstrap_flags(&mut rng, &pool(&chosen, 0), &pool(&chosen, 1)));
        let judged =
            scenario::judge("A/A", ("A", "A"), &as_pairs(&chosen, &trials), &[], &method, &looks);
        let flagged =
            matches!(judged.metrics[0].verdict, Some(Verdict::Regressed | Verdict::Improved));
        shipped += usize::from(flagged);
    }
    let percent = |n: usize| 100.0 * n as f64 / COMPARISONS as f64;
    println!("pooled {} %, shipped {} %", percent(pooled), percent(shipped));
    assert!(percent(pooled) >= 50.0, "the pooled bootstrap flags {} %", percent(pooled));
    assert!(percent(shipped) <= 7.0, "the shipped method flags {} %", percent(shipped));
}

#[test]
fn the_shipped_looks_do_not_reject_equal_trials() {
    let (neighbours, trials) = (neighbours(), trials());
    let method = Method::default();
    let looks = method.looks(1).unwrap();
    let mut rng = seeded(8);
    let flagged = (0..COMPARISONS)
        .filter(|_| {
            let pairs = as_pairs(&choose(&mut rng, &neighbours, looks.last() as usize), &trials);
            let judged = scenario::judge("A/A", ("A", "A"), &pairs, &[], &method, &looks);
            matches!(judged.verdict, Some(Verdict::Regressed | Verdict::Improved))
        })
        .count();
    let percent = 100.0 * flagged as f64 / COMPARISONS as f64;
    println!("shipped looks flag {percent} %");
    assert!(percent <= 7.0, "the shipped method flags {percent} %");
}
