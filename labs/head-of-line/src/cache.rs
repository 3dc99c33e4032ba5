//! A cache of the most popular keys, and what is left of the tail.

use lab_kit::sim::{Distribution, Zipf};
use lab_kit::stats::quantile_of_sorted;
use lab_kit::{Ctx, CurveKind, Settings, seed};

use crate::charts::{MEAN_BY_HITS, P99_BY_HITS};
use crate::server::classes;

/// Percent of the keys that are in the cache.
const CACHED: [u64; 12] = [1, 5, 10, 20, 30, 50, 70, 80, 85, 88, 95, 100];
/// What random numbers are drawn for.
const KEYS: u64 = 40;
const TIMES: u64 = 41;

/// A hit takes what a small request does, a miss what a large one does, give or take 5 %.
fn times(knobs: &Settings) -> anyhow::Result<[Distribution; 2]> {
    let ([hit, miss], _) = classes(knobs);
    let time = |ns: u64| Distribution::normal(ns as f64, 0.05 * ns as f64);
    Ok([time(hit)?, time(miss)?])
}

/// Looks keys up in larger and larger caches, the same keys in each.
pub(crate) fn lookups(ctx: &mut Ctx) -> anyhow::Result<()> {
    let keys = ctx.int("keys");
    let zipf = Zipf::new(keys as u32, ctx.float("skew"))?;
    let [hit, miss] = times(ctx.settings())?;
    let of = ctx.timeline().span().as_millis() as u64;
    let [mut p99s, mut means] = [Vec::new(), Vec::new()];
    for percent in CACHED {
        let cached = (keys * percent / 100) as usize;
        let mut rng = ctx.rng(&[KEYS]);
        let mut hits = 0_u64;
        let mut took: Vec<f64> = (0..of)
            .map(|lookup| {
                let is_hit = zipf.draw(&mut rng) < cached;
                hits += u64::from(is_hit);
                let draw = seed::uniform(ctx.seed(), &[TIMES, lookup]);
                if is_hit { hit.at(draw) } else { miss.at(draw) }
            })
            .collect();
        took.sort_unstable_by(f64::total_cmp);
        let ratio = hits as f64 / of.max(1) as f64;
        means.push((ratio, took.iter().sum::<f64>() / of.max(1) as f64));
        p99s.push((ratio, quantile_of_sorted(&took, 0.99).unwrap_or(0.0)));
    }
    ctx.curve(P99_BY_HITS, CurveKind::Measured, ["ratio", "ns"], p99s);
    ctx.curve(MEAN_BY_HITS, CurveKind::Measured, ["ratio", "ns"], means);
    Ok(())
}

/// The share of the keys that must be in the cache for this share of hits.
pub(crate) fn needed(knobs: &Settings, hits: f64) -> f64 {
    let (keys, skew) = (knobs.int("keys"), knobs.float("skew"));
    let weight = |rank: u64| (rank as f64).powf(-skew);
    let all: f64 = (1..=keys).map(weight).sum();
    let mut sum = 0.0;
    let enough = (1..=keys).find(|rank| {
        sum += weight(*rank);
        sum >= hits * all
    });
    enough.unwrap_or(keys) as f64 / keys as f64
}
