//! A query that asks many leaves: for all answers or nearly all, after a canary or at once.

use lab_kit::sim::Knots;
use lab_kit::sim::theory::kth_is_late;
use lab_kit::{Ctx, Settings, seed};

/// One of 2,000 independent leaves, in milliseconds. The first three points are the paper's p50, p95 and
/// p99 of a leaf; the others are where its p50, p95 and p99 of all leaves need them.
const LEAF: Knots = Knots::printed(&[
    (1.0, 0.5),
    (5.0, 0.05),
    (10.0, 0.01),
    (40.0, 3.465_136e-4),
    (87.0, 2.564_633e-5),
    (140.0, 5.025_155e-6),
]);
const MS: f64 = 1e6;
/// A query each millisecond.
const EVERY: u64 = 1_000_000;
/// What random numbers are drawn for.
const LEAVES: u64 = 30;
const CANARY: u64 = 31;
const POISON: u64 = 32;

/// How many leaves there are, and how many of them a query waits for.
pub(crate) fn waits_for(knobs: &Settings) -> (u64, u64) {
    let leaves = knobs.int("leaves");
    (leaves, ((knobs.float("enough") * leaves as f64).round() as u64).clamp(1, leaves))
}

/// Asks all leaves once a millisecond.
pub(crate) fn queries(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (leaves, enough) = waits_for(ctx.settings());
    let (canaries, seed) = (ctx.int("canaries"), ctx.seed());
    let (mut took, mut missed, mut answered) = (ctx.series(), 0, 0);
    let (mut crashed, mut poisons, poison) = (0, 0_u64, ctx.float("poison"));
    for query in 0..ctx.timeline().span().as_millis() as u64 {
        if seed::uniform(seed, &[POISON, query]) < poison {
            // It crashes each leaf that reads it, and the other leaves are not asked.
            poisons += 1;
            crashed += if canaries > 0 { canaries.min(leaves) } else { leaves };
            continue;
        }
        let canary = (0..canaries).map(|i| seed::uniform(seed, &[CANARY, query, i]));
        let canary = LEAF.quantile(canary.fold(0.0, f64::max));
        // Times ascend with what they are drawn from, so the numbers are ordered as the times are.
        let draw = |leaf| seed::uniform(seed, &[LEAVES, query, leaf]);
        let mut draws: Vec<f64> = (0..leaves).map(draw).collect();
        // Leaves are alike: that with the best answer may be the first.
        let best = draws[0];
        let (_, last, _) = draws.select_nth_unstable_by(enough as usize - 1, f64::total_cmp);
        missed += u64::from(best > *last);
        answered += 1;
        took.record_ns(query * EVERY, ((canary + LEAF.quantile(*last)) * MS) as u64);
    }
    ctx.proportion("missed", missed, answered);
    ctx.metric("crashed", crashed as f64 / poisons.max(1) as f64, "leaves");
    ctx.save("query", took)
}

/// The p99 in nanoseconds of a query to `leaves` that waits for `enough` of them.
pub(crate) fn p99(leaves: u64, enough: u64) -> f64 {
    p99_of(|ms| is_late(ms, leaves, enough))
}

/// The same after a canary.
pub(crate) fn p99_after_canary(leaves: u64, enough: u64) -> f64 {
    const PARTS: u32 = 1_000;
    p99_of(|ms| {
        let canary = |i: u32| LEAF.quantile((f64::from(i) + 0.5) / f64::from(PARTS));
        let late = |i| is_late((ms - canary(i)).max(0.0), leaves, enough);
        (0..PARTS).map(late).sum::<f64>() / f64::from(PARTS)
    })
}

/// Whether more leaves are late than may be: few terms where nearly all are waited for.
fn is_late(ms: f64, leaves: u64, enough: u64) -> f64 {
    1.0 - kth_is_late(1.0 - LEAF.survival(ms), (leaves - enough + 1) as u32, leaves as u32)
}

fn p99_of(is_late: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e4);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if is_late(middle) > 0.01 { low = middle } else { high = middle }
    }
    high * MS
}
