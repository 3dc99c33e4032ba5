//! The stall at every moment of the span, simulated: is there one at which the open loop misses it,
//! or the closed loop does not?

use std::time::Duration;

use lab_kit::{Arrivals, Ctx, CurveKind, Schedule};

use crate::closed_form::open_quantile;
use crate::setup::Setup;
use crate::tool::{End, Tool, ask_simulated};

/// Moments tried, from the first to 98 % of the span: a stall that begins in the last hundredth
/// delays less than a hundredth of the requests, and no p99 can show it.
const MOMENTS: u32 = 50;

/// Ten must lie above a p99.
const SAMPLES: usize = 1_000;

/// What the two loops see of a stall at one moment.
struct Seen {
    at_s: f64,
    open_ns: f64,
    predicted_ns: f64,
    closed_ns: f64,
}

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let setup = Setup::of(ctx);
    let Setup { rate, timeline, .. } = setup;
    let schedule = Arrivals::Constant { rate }.plan(timeline.span(), &mut ctx.rng(&[]));
    if schedule.capacity() < SAMPLES {
        let few = schedule.capacity();
        ctx.note(format!("{few} requests are too few for a p99: nothing was simulated."));
        return Ok(());
    }
    let seen = (0..MOMENTS).map(|i| look(&setup, &schedule, timeline.measure * i / MOMENTS));
    let seen: Vec<Seen> = seen.collect::<anyhow::Result<_>>()?;
    let off = |s: &Seen| (s.open_ns / s.predicted_ns - 1.0).abs();
    ctx.metric("largest_error", seen.iter().map(off).fold(0.0, f64::max), "ratio");
    let above = |s: &Seen| s.open_ns / s.closed_ns;
    ctx.metric("smallest_ratio", seen.iter().map(above).fold(f64::INFINITY, f64::min), "times");
    draw(ctx, "p99 of the open loop", CurveKind::Measured, &seen, |s| s.open_ns);
    draw(ctx, "p99 by the closed form", CurveKind::Theory, &seen, |s| s.predicted_ns);
    draw(ctx, "p99 of the closed loop", CurveKind::Measured, &seen, |s| s.closed_ns);
    Ok(())
}

fn look(setup: &Setup, schedule: &Schedule, at: Duration) -> anyhow::Result<Seen> {
    let mut setup = *setup;
    setup.stall.from = setup.timeline.warmup + at;
    let Schedule::Open(starts) = schedule else { anyhow::bail!("constant arrivals are open") };
    let starts = starts.iter().map(|ns| Duration::from_nanos(*ns));
    let open = starts.map(|sent| setup.answered(sent) - sent).collect();
    let answers =
        ask_simulated(Tool::ClosedLoop, &setup)?.into_iter().filter_map(|r| match r.end {
            End::Answered { sent, at, .. } => Some(at - sent),
            End::Skipped | End::Unanswered { .. } => None,
        });
    Ok(Seen {
        at_s: at.as_secs_f64(),
        open_ns: p99_ns(open),
        predicted_ns: open_quantile(&setup, 0.99).as_nanos() as f64,
        closed_ns: p99_ns(answers.collect()),
    })
}

fn p99_ns(mut values: Vec<Duration>) -> f64 {
    values.sort_unstable();
    let rank = (values.len() as f64 * 0.99).ceil() as usize;
    values.get(rank.saturating_sub(1)).map_or(f64::NAN, |value| value.as_nanos() as f64)
}

fn draw(ctx: &mut Ctx, name: &str, kind: CurveKind, seen: &[Seen], y: fn(&Seen) -> f64) {
    ctx.curve(name, kind, ["s", "ns"], seen.iter().map(|s| (s.at_s, y(s))).collect());
}
