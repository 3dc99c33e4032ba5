//! One hot stack, and one function that calls two: what Gregg's first exercises hide for a
//! profiler to find, re-made from what they do.

use std::hint::black_box;
use std::time::Duration;

use lab_kit::spin::{repeat, steps};
use lab_kit::{Ctx, Samples, sample};

/// Steps of `lab_kit::spin`: some ten microseconds.
pub(crate) const UNIT: u64 = 10_000;

/// `func_a` calls `func_b` calls `func_c`, which does all the work.
mod hot {
    use super::{UNIT, black_box, steps};

    #[inline(never)]
    pub(super) fn func_a(aside: u64) -> u64 {
        // What follows a call keeps it from becoming a jump, which would leave no frame.
        black_box(func_b()) ^ black_box(steps(aside, 2))
    }

    #[inline(never)]
    fn func_b() -> u64 {
        black_box(func_c()) ^ 1
    }

    #[inline(never)]
    fn func_c() -> u64 {
        steps(10 * UNIT, 3)
    }
}

/// `func_a` calls `func_b`, whose `func_c` works a little, and `func_d`, whose `func_e` works more.
mod split {
    use super::{UNIT, black_box, steps};

    #[inline(never)]
    pub(super) fn func_a(times: u64) -> u64 {
        black_box(func_b()) ^ black_box(func_d(times))
    }

    #[inline(never)]
    fn func_b() -> u64 {
        black_box(func_c()) ^ 1
    }

    #[inline(never)]
    fn func_c() -> u64 {
        steps(UNIT, 4)
    }

    #[inline(never)]
    fn func_d(times: u64) -> u64 {
        black_box(func_e(times)) ^ 1
    }

    #[inline(never)]
    fn func_e(times: u64) -> u64 {
        steps(times * UNIT, 5)
    }
}

/// All work in one tower, but for the share `aside`.
pub(crate) fn hot_stack(ctx: &mut Ctx) -> anyhow::Result<()> {
    let aside = (ctx.float("aside") * (10 * UNIT) as f64) as u64;
    let samples = watch(ctx, || {
        black_box(hot::func_a(black_box(aside)));
    })?;
    let tower = samples.stacks.iter().filter(|stack| ends(stack, &["func_a", "func_b", "func_c"]));
    ctx.proportion("one_tower_ratio", tower.count() as u64, samples.stacks.len() as u64);
    Ok(())
}

/// Two functions that work 1 : `times`.
pub(crate) fn one_to_five(ctx: &mut Ctx) -> anyhow::Result<()> {
    let times = ctx.int("times");
    let samples = watch(ctx, || {
        black_box(split::func_a(black_box(times)));
    })?;
    for (metric, leaf) in [("func_c_ratio", "func_c"), ("func_e_ratio", "func_e")] {
        let under_a = |stack: &&String| ends(stack, &[leaf]) && stack.contains("func_a;");
        let count = samples.stacks.iter().filter(under_a).count();
        ctx.proportion(metric, count as u64, samples.stacks.len() as u64);
    }
    Ok(())
}

/// Samples `work`, over and over, and keeps the stacks for `cargo xtask flame`.
pub(crate) fn watch(ctx: &Ctx, work: impl FnMut()) -> anyhow::Result<Samples> {
    let period = Duration::from_secs(1) / ctx.int("hz") as u32;
    let ((), samples) = sample(period, || repeat(ctx.timeline().measure, work))?;
    ctx.keep("sampled.folded", &samples.folded())?;
    Ok(samples)
}

/// Whether a stack ends in these functions, of any module.
fn ends(stack: &str, functions: &[&str]) -> bool {
    let mut frames = stack.rsplit(';');
    let plain = |frame: &str| frame.rsplit("::").next().unwrap_or(frame).to_owned();
    functions.iter().rev().all(|function| frames.next().is_some_and(|f| plain(f) == *function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_matched_by_the_plain_names_of_their_last_frames() {
        let stack = "lab::hot::func_a;lab::hot::func_b;lab::hot::func_c";
        assert!(ends(stack, &["func_b", "func_c"]));
        assert!(!ends(stack, &["func_a", "func_b"]) && !ends("func_c", &["func_b", "func_c"]));
    }
}
