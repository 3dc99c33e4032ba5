//! One tower of calls, compiled twice, and walked by frame pointer.

use std::hint::black_box;

use lab_kit::Ctx;

use crate::towers::UNIT;
use crate::towers::watch;

unsafe extern "C" {
    // Both are `climb` of workload/tower.rs: it computes, and has no precondition.
    safe fn tower_with_frame_pointers(depth: u64, steps: u64) -> u64;
    safe fn tower_without_frame_pointers(depth: u64, steps: u64) -> u64;
}

/// The build that keeps them.
pub(crate) fn kept(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, |depth, steps| tower_with_frame_pointers(depth, steps))
}

/// The build that omits them, unless the knob says otherwise.
pub(crate) fn omitted(ctx: &mut Ctx) -> anyhow::Result<()> {
    if ctx.text("omit") == "no" {
        return kept(ctx);
    }
    run(ctx, |depth, steps| tower_without_frame_pointers(depth, steps))
}

fn run(ctx: &mut Ctx, tower: fn(u64, u64) -> u64) -> anyhow::Result<()> {
    let depth = ctx.int("depth");
    let samples = watch(ctx, || {
        black_box(tower(black_box(depth), 10 * UNIT));
    })?;
    let frames = samples.stacks.iter().map(|stack| stack.split(';').count() as f64);
    let whole = samples.stacks.iter().filter(|stack| stack.split(';').count() as u64 > depth);
    ctx.proportion("whole_ratio", whole.count() as u64, samples.stacks.len() as u64);
    ctx.metric("mean_depth", frames.sum::<f64>() / samples.stacks.len().max(1) as f64, "frames");
    Ok(())
}
