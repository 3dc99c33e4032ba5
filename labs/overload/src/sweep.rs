//! A server under increasing load: what it answers in time, and what it answers at all.

use std::sync::Arc;
use std::time::Duration;

use lab_kit::cpus::Watch;
use lab_kit::thread::{first_and_last_cpu, meanwhile_on};
use lab_kit::{Clock, Ctx, CurveKind, Ledger, Timeline, Waking};

use crate::charts::{GOODPUT, THROUGHPUT};
use crate::setup::Setup;
use crate::simulation::simulate;

/// Loads below the highest one, as multiples of the capacity.
const LOADS: [f64; 4] = [0.2, 0.6, 1.0, 2.0];
/// A step below the highest load takes 1/8 of the trial's span, the highest load half of it.
const STEP: u32 = 8;
/// A step with fewer requests than this says nothing, and is left out.
const ENOUGH: f64 = 50.0;

/// Runs the steps, and records the curves, the figures at the highest load, and its requests one by
/// one. The client has a CPU to itself if there are two.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    match first_and_last_cpu() {
        (first, Some(last)) if ctx.is_live() => {
            Waking::alone_on(last, || steps(ctx, &[first, last]))
        }
        (first, _) => steps(ctx, &[first]),
    }
}

fn steps(ctx: &mut Ctx, cpus: &[usize]) -> anyhow::Result<()> {
    let setup = Setup::of(ctx);
    let (most, span) = (ctx.float("load"), ctx.timeline().measure);
    let (mut goodput, mut throughput) = (Vec::new(), Vec::new());
    let step = span / STEP;
    let tells = |load: &f64| load * setup.capacity() * step.as_secs_f64() >= ENOUGH;
    let loads = LOADS.into_iter().filter(|load| *load < most).filter(tells);
    let mut last = None;
    for (load, measure) in loads.map(|load| (load, step)).chain([(most, span / 2)]) {
        let timeline = timeline(&setup, load, measure);
        let (ledger, others) = if ctx.is_live() {
            ask(ctx, &setup, load, timeline, cpus)?
        } else {
            (simulate(ctx, &setup, load, timeline)?, 0.0)
        };
        let [in_time, answered] =
            ledger.answered_rates(setup.timeout).map(|rate| rate / setup.capacity());
        goodput.push((load, in_time));
        throughput.push((load, answered));
        last = Some((ledger, others));
    }
    file(ctx, &setup, [goodput, throughput], last)
}

/// The warm-up lets the queue grow. If all requests wait, one that is answered at `t` came at `t /
/// load`: at twice the capacity, all answers are late from `2 · timeout` on.
fn timeline(setup: &Setup, load: f64, measure: Duration) -> Timeline {
    let grows = if load > 1.0 { 2 * setup.timeout } else { setup.timeout / 2 };
    Timeline { warmup: grows.max(25 * setup.work), measure, interval: measure / 10 }
}

/// Asks a server on the first of these CPUs from the last one; returns the ledger and the share of
/// these CPUs that other programs used.
fn ask(
    ctx: &mut Ctx,
    setup: &Setup,
    load: f64,
    timeline: Timeline,
    cpus: &[usize],
) -> anyhow::Result<(Arc<Ledger>, f64)> {
    let schedule = setup.schedule(ctx, load, timeline);
    let ledger = Ledger::new(&schedule, timeline);
    let clock = Clock::live();
    let running = meanwhile_on(&cpus[..1], || setup.server().start(clock))?;
    let watch = Watch::begin(cpus)?;
    let until = (clock, timeline.span() + setup.timeout);
    let work = |_| setup.service();
    setup.client().ask(running.address(), &schedule, work, until, &ledger)?.file(ctx);
    let others = watch.shares()?.others;
    ctx.metric("longest_queue", running.stop().longest_queue as f64, "count");
    Ok((ledger, others))
}

fn file(
    ctx: &mut Ctx,
    setup: &Setup,
    [goodput, throughput]: [Vec<(f64, f64)>; 2],
    last: Option<(Arc<Ledger>, f64)>,
) -> anyhow::Result<()> {
    let Some((ledger, others)) = last else { return Ok(()) };
    for (name, points) in [("goodput", &goodput), ("throughput", &throughput)] {
        ctx.metric(name, points[points.len() - 1].1, "ratio");
        let peak = points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        ctx.metric(&format!("peak_{name}"), peak, "ratio");
    }
    let units = ["times capacity", "of capacity"];
    ctx.curve(GOODPUT, CurveKind::Measured, units, goodput);
    ctx.curve(THROUGHPUT, CurveKind::Measured, units, throughput);
    ctx.metric("others", others, "ratio");
    let ends = ledger.sums(setup.timeout);
    ctx.proportion("unlucky", ends.timed_out + ends.in_flight, ends.offered);
    ledger.settle(ctx, setup.timeout)
}
