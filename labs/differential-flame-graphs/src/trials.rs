//! The variants: the same build twice beside a slower one, half the load, a feature switched on,
//! and work that waits for memory.

use std::hint::black_box;
use std::time::Duration;

use lab_flame::diff::Normalise;
use lab_kit::{Ctx, CurveKind, Side, seed};

use crate::service::{SLOWER, Service};
use crate::sides::{coloured, compare, growth_in_errors, growths, is_new, moved, profile, rank};
use crate::store::Store;

/// Long against a request, short against what drifts on a machine.
const TURN: Duration = Duration::from_millis(60);

/// The curve of apparent growth of each function's share, though nothing changed.
pub(crate) const GROWTH_SAME_BUILD: &str = "growth, same build";
/// The same where one function changed.
pub(crate) const GROWTH_ONE_SLOWER: &str = "growth, one slower";

/// Three sides: a build, the same again, and one that is slower in one function.
pub(crate) fn slower(ctx: &mut Ctx) -> anyhow::Result<()> {
    let injection = ctx.float("injection");
    let service = |injection, path| Service { injection, seed: ctx.seed() ^ path, served: 0 };
    let [mut a, mut again, mut b] = [service(0.0, 1), service(0.0, 2), service(injection, 3)];
    let sides = [
        Side { name: "before", turn: TURN, work: &mut || a.serve() },
        Side { name: "before-again", turn: TURN, work: &mut || again.serve() },
        Side { name: "after", turn: TURN, work: &mut || b.serve() },
    ];
    let seen = profile(ctx, sides)?;
    let same_build = compare(&seen[0], &seen[1], Normalise::Samples)?;
    let one_slower = compare(&seen[0], &seen[2], Normalise::Samples)?;
    ctx.metric("colour_same_build", moved(&same_build, coloured), "ratio");
    ctx.metric("colour_one_slower", moved(&one_slower, coloured), "ratio");
    ctx.metric("moved_same_build", moved(&same_build, |_| true), "ratio");
    ctx.metric("moved_one_slower", moved(&one_slower, |_| true), "ratio");
    for (name, diff) in [(GROWTH_SAME_BUILD, &same_build), (GROWTH_ONE_SLOWER, &one_slower)] {
        ctx.curve(name, CurveKind::Measured, ["function", "points"], growths(diff));
    }
    if let Some(rank) = rank(&one_slower, SLOWER) {
        ctx.metric("rank_of_slower", rank as f64, "");
    }
    if let Some(errors) = growth_in_errors(&one_slower, SLOWER) {
        ctx.metric("growth_of_slower", errors, "standard errors");
    }
    Ok(())
}

/// The same build at full load and at a share of it.
pub(crate) fn half_load(ctx: &mut Ctx) -> anyhow::Result<()> {
    let load = ctx.float("load");
    let service = |path| Service { injection: 0.0, seed: ctx.seed() ^ path, served: 0 };
    let [mut full, mut half] = [service(1), service(2)];
    let sides = [
        Side { name: "before", turn: TURN, work: &mut || full.serve() },
        Side { name: "after", turn: TURN.mul_f64(load), work: &mut || half.serve() },
    ];
    let seen = profile(ctx, sides)?;
    let raw = compare(&seen[0], &seen[1], Normalise::Nothing)?;
    let normalised = compare(&seen[0], &seen[1], Normalise::Samples)?;
    let blue = raw.paths.iter().filter(|path| path.own.delta() < 0.0 && coloured(path));
    let blue: f64 = blue.map(|path| path.own.before).sum();
    ctx.metric("blue_as_it_stands", blue / raw.paths[0].inclusive.before, "ratio");
    ctx.metric("moved_normalised", moved(&normalised, |_| true), "ratio");
    Ok(())
}

/// A store before and after it learns to compress.
pub(crate) fn compression(ctx: &mut Ctx) -> anyhow::Result<()> {
    let compresses = ctx.text("compression") == "on";
    let mut before = Store::new(ctx.seed(), false);
    let mut after = Store::new(ctx.seed(), compresses);
    let sides = [
        Side { name: "before", turn: TURN, work: &mut || before.write_block() },
        Side { name: "after", turn: TURN, work: &mut || after.write_block() },
    ];
    let seen = profile(ctx, sides)?;
    let diff = compare(&seen[0], &seen[1], Normalise::Samples)?;
    // Where nothing compresses, the function has no place at all: one behind the last.
    let place = rank(&diff, "longest_match").unwrap_or(diff.names.len() + 1);
    ctx.metric("rank_of_match", place as f64, "");
    ctx.metric("path_is_new", f64::from(u8::from(is_new(&diff, "compress_block"))), "");
    Ok(())
}

/// Computing beside waiting for memory: what a step of each costs, for lack of a cycle counter.
pub(crate) fn work_per_sample(ctx: &mut Ctx) -> anyhow::Result<()> {
    let next = ring(ctx.int("memory") as usize * 1024 / size_of::<u32>(), ctx.seed());
    let (mut computed, mut chased) = (0_u64, 0_u64);
    let mut at = 0;
    let sides = [
        Side {
            name: "compute",
            turn: TURN,
            work: &mut || {
                black_box(compute(BATCH));
                computed += BATCH;
            },
        },
        Side {
            name: "chase",
            turn: TURN,
            work: &mut || {
                at = chase(&next, at, BATCH);
                chased += BATCH;
            },
        },
    ];
    let seen = profile(ctx, sides)?;
    // A sample is as long on either side, so samples over steps is what a step costs.
    let cost = |samples: u64, steps: u64| samples as f64 / steps as f64;
    let [compute, chase] = [cost(seen[0].total(), computed), cost(seen[1].total(), chased)];
    ctx.metric("cost_of_a_wait", chase / compute, "times");
    Ok(())
}

const BATCH: u64 = 5_000;

#[inline(never)]
fn compute(steps: u64) -> u64 {
    (0..steps).fold(21, |x, i| black_box(x ^ i.wrapping_mul(x | 1)))
}

#[inline(never)]
fn chase(next: &[u32], from: u32, steps: u64) -> u32 {
    (0..steps).fold(from, |at, _| next[at as usize])
}

/// A random ring through all places (Sattolo 1986), so that no step can be foreseen.
fn ring(places: usize, seed: u64) -> Vec<u32> {
    let mut next: Vec<u32> = (0..places as u32).collect();
    for place in (1..places).rev() {
        let other = (seed::uniform(seed, &[place as u64]) * place as f64) as usize;
        next.swap(place, other);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_visits_every_place_before_it_repeats() {
        let next = ring(1_000, 5);
        let mut at = 0;
        let steps = (1..).find(|_| {
            at = next[at] as usize;
            at == 0
        });
        assert_eq!(steps, Some(1_000));
    }
}
