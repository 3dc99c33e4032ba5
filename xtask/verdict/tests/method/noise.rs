//! Pairs with the noise of a real machine and a known true change.

use std::collections::BTreeMap;

use lab_verdict::metric::{GATES, GUARDS, Metric};
use lab_verdict::pair::{Pair, pair_up};
use lab_verdict::replay;
use lab_verdict::signed_rank;
use lab_verdict::trial::TrialRecord;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

pub(crate) const RECORD: &str = include_str!("../data/trials.jsonl");

/// Requests of a trial: enough for every metric.
pub(crate) const REQUESTS: u64 = 20_000;

/// Differences of one recorded pair, by metric.
pub(crate) type Differences = BTreeMap<Metric, f64>;

pub(crate) fn seeded(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

pub(crate) fn below(rng: &mut impl Rng, n: usize) -> usize {
    (rng.next_u64() % n as u64) as usize
}

/// Uniform in the open interval from 0 to 1.
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

pub(crate) fn metrics() -> impl Iterator<Item = Metric> {
    GATES.into_iter().chain(GUARDS)
}

/// The recorded pairs of one variant against `A`.
pub(crate) fn recorded(variant: &str) -> Vec<Pair> {
    let trials = replay::read(RECORD).unwrap();
    let of = |v: &str| trials.iter().filter(|t| t.variant == v).map(|t| t.quad).collect::<Vec<_>>();
    let quads = of(variant);
    let (pairs, refused) = pair_up(trials.iter().filter(|t| quads.contains(&t.quad)), "A");
    assert_eq!(refused, Vec::<String>::new());
    pairs
}

/// What 228 recorded pairs differ by when the change of their variant (its Hodges-Lehmann
/// estimate) is taken out: the noise alone, with its correlation between metrics.
pub(crate) fn noise() -> Vec<Differences> {
    ["A2", "m5", "m10", "t10", "t20"].into_iter().flat_map(centred).collect()
}

/// The differences of recorded pairs, whose requests are taken to be enough for every metric.
pub(crate) fn differences<'a>(
    metric: &Metric,
    pairs: impl IntoIterator<Item = &'a Pair>,
) -> Vec<f64> {
    let enough = |trial: &TrialRecord| TrialRecord { count: REQUESTS, ..trial.clone() };
    let difference = |pair: &Pair| metric.difference(&enough(&pair.base), &enough(&pair.new));
    pairs.into_iter().map(|pair| difference(pair).unwrap().recorded).collect()
}

fn centred(variant: &str) -> Vec<Differences> {
    let pairs = recorded(variant);
    let of = |m: &Metric| differences(m, &pairs);
    let columns: Vec<(Metric, Vec<f64>, f64)> =
        metrics().map(|m| (m.clone(), of(&m), signed_rank::estimate(&of(&m)).unwrap())).collect();
    (0..pairs.len())
        .map(|i| columns.iter().map(|(m, d, centre)| (m.clone(), d[i] - centre)).collect())
        .collect()
}

/// `n` pairs drawn from the noise, each side as likely to be the slower, then changed by `ratio` in
/// every metric.
pub(crate) fn draw(rng: &mut impl Rng, noise: &[Differences], n: usize, ratio: f64) -> Vec<Pair> {
    (0..n)
        .map(|i| {
            let sign = if rng.next_u64() & 1 == 0 { 1.0 } else { -1.0 };
            let drawn = &noise[below(rng, noise.len())];
            pair(i, &drawn.iter().map(|(m, d)| (m.clone(), sign * d + ratio.ln_1p())).collect())
        })
        .collect()
}

/// A pair whose differences are these, to nine digits.
pub(crate) fn pair(i: usize, differences: &Differences) -> Pair {
    let level_ns = 1e9;
    let at = |m: Metric| (level_ns * differences[&m].exp()).round() as u64;
    let base = trial(i, "base", [level_ns as u64; 4]);
    let new =
        trial(i, "new", [at(Metric::P50), at(Metric::P99I), at(Metric::P99), at(Metric::P999)]);
    Pair { base, new }
}

pub(crate) fn trial(
    i: usize,
    variant: &str,
    [p50_ns, p99i_ns, p99_ns, p999_ns]: [u64; 4],
) -> TrialRecord {
    TrialRecord {
        schema: None,
        trial: 2 * i as u64 + u64::from(variant == "new"),
        quad: i as u32 / 2,
        position: (2 * (i % 2)) as u8 + u8::from(variant == "new"),
        scenario: None,
        variant: variant.to_owned(),
        values: Default::default(),
        seed: i as u64,
        count: REQUESTS,
        p50_ns,
        p99_ns,
        p999_ns,
        max_ns: p999_ns,
        slice_p99_ns: vec![p99i_ns; 10],
        slice_counts: vec![],
        measure_ms: None,
        recorded: None,
        censored_from_ns: None,
        offered: Some(REQUESTS),
        expected: None,
        failed: Some(0),
        lateness_p99_ns: Some(0),
        others_cpu_ratio: None,
        invalid_reasons: vec![],
    }
}
