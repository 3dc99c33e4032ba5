//! A device with a queue of its own, first come, first served, below a queue that knows priorities.

use std::collections::VecDeque;

use lab_kit::sim::{Nanos, Profile, Spacing};
use lab_kit::{Ctx, CurveKind, Series, Settings};

use crate::charts::BY_DEPTH;
use crate::server::{classes, too_many};

pub(crate) const DEPTHS: [u64; 6] = [1, 2, 4, 8, 16, 32];
/// What random numbers are drawn for.
const ARRIVALS: u64 = 10;

/// Measures interactive requests at one depth of the device's queue.
pub(crate) fn one_depth(ctx: &mut Ctx) -> anyhow::Result<()> {
    if is_long(ctx) {
        return Ok(());
    }
    let took = queue(ctx, ctx.int("depth"))?;
    ctx.save("interactive", took)
}

/// Measures their p99 at each of several depths.
pub(crate) fn depths(ctx: &mut Ctx) -> anyhow::Result<()> {
    if is_long(ctx) {
        return Ok(());
    }
    let mut points = Vec::new();
    for depth in DEPTHS {
        let p99 = queue(ctx, depth)?.total().value_at_quantile(0.99);
        points.push((depth as f64, p99 as f64));
    }
    ctx.curve(BY_DEPTH, CurveKind::Measured, ["requests", "ns"], points);
    let theory = DEPTHS.map(|depth| (depth as f64, p99(ctx.settings(), depth)));
    ctx.curve(BY_DEPTH, CurveKind::Theory, ["requests", "ns"], theory.to_vec());
    Ok(())
}

fn is_long(ctx: &mut Ctx) -> bool {
    let ([small, large], [load, _]) = classes(ctx.settings());
    let rate = load / small as f64 + 1.0 / large as f64;
    too_many(ctx, DEPTHS.len() as f64 * rate * ctx.timeline().span().as_nanos() as f64)
}

/// The p99 in nanoseconds of a rare interactive request that goes first above the device: it waits
/// for the rest of the running batch request and for the device's queue, and then is served.
pub(crate) fn p99(knobs: &Settings, depth: u64) -> f64 {
    let ([small, large], _) = classes(knobs);
    (depth as f64 - 0.01) * large as f64 + small as f64
}

/// Response times of interactive requests beside batch requests that come again as soon as they are
/// done.
fn queue(ctx: &Ctx, depth: u64) -> anyhow::Result<Series> {
    let (sizes, [load, _]) = classes(ctx.settings());
    let small_first = ctx.text("order") == "small-first";
    let span = ctx.timeline().span();
    let end = span.as_nanos() as Nanos;
    let profile = Profile::new().hold(1e9 * load / sizes[0] as f64, span)?;
    let mut arrivals = profile.starts(span, Spacing::Poisson, ctx.rng(&[ARRIVALS]))?.peekable();
    let mut took = ctx.series();
    // When an interactive request came; `None` is a batch request.
    let mut first: VecDeque<Option<Nanos>> = VecDeque::new();
    let mut above: VecDeque<Option<Nanos>> = (0..ctx.int("backlog")).map(|_| None).collect();
    let mut device: VecDeque<Option<Nanos>> = VecDeque::new();
    let mut now = 0;
    while now < end {
        while (device.len() as u64) < depth
            && let Some(job) = first.pop_front().or_else(|| above.pop_front())
        {
            device.push_back(job);
        }
        let job = device.pop_front().flatten();
        now += if job.is_some() { sizes[0] } else { sizes[1] };
        while let Some(came) = arrivals.next_if(|at| *at <= now) {
            let queue = if small_first { &mut first } else { &mut above };
            queue.push_back(Some(came));
        }
        match job {
            Some(came) => took.record_ns(came, now - came),
            None => above.push_back(None),
        }
    }
    Ok(took)
}
