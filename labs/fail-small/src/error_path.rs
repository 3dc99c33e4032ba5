//! A proxy whose errors cost more CPU time than its answers, as they collect what helps to debug
//! them.

use std::hint::black_box;
use std::time::Duration;

use lab_kit::sim::Load;
use lab_kit::sim::{Discipline, Nanos, Profile, Spacing, Station, Visit, serve};
use lab_kit::{Clock, Ctx, CurveKind, Series, Settings, Side, sample_in_turns, seed, spin};

use crate::charts::BY_ERRORS;
use crate::live;
use crate::tally::too_many;

/// Error rates of the sweep, beside 0.
const STEPS: u32 = 7;
/// Long against a request, short against what drifts on a machine.
const TURN: Duration = Duration::from_millis(60);
/// What random numbers are drawn for.
const ARRIVALS: u64 = 0;
const FAILURES: u64 = 1;

/// A proxy as the knobs describe it: seconds of work, of an error on top, and requests a second.
#[derive(Debug, Clone, Copy)]
struct Proxy {
    work: f64,
    enrich: f64,
    rate: f64,
}

impl Proxy {
    fn of(knobs: &Settings) -> Self {
        let [work, enrich] = ["work", "enrich"].map(|knob| knobs.duration(knob).as_secs_f64());
        Self { work, enrich, rate: live::rate(knobs) }
    }
}

/// How busy a proxy would be: above 1, it cannot keep up.
pub(crate) fn utilisation(knobs: &Settings, errors: f64) -> f64 {
    let Proxy { work, enrich, rate } = Proxy::of(knobs);
    rate * (work + errors * enrich)
}

/// The error rate from which on it cannot keep up; infinite where errors cost nothing more.
pub(crate) fn critical(knobs: &Settings) -> f64 {
    let Proxy { work, enrich, rate } = Proxy::of(knobs);
    (1.0 / rate - work) / enrich
}

/// The share of the CPU time that errors take on top of answers.
pub(crate) fn enriching(knobs: &Settings) -> f64 {
    let Proxy { work, enrich, .. } = Proxy::of(knobs);
    let extra = knobs.float("errors") * enrich;
    extra / (work + extra)
}

/// The mean response in nanoseconds of a request that does not fail: of M/G/1 (Pollaczek 1930,
/// Khinchine 1932), or where the queue grows, half of what it has grown to by the end of `span`.
pub(crate) fn mean_response(knobs: &Settings, errors: f64, span: Duration) -> f64 {
    let Proxy { work, enrich, rate } = Proxy::of(knobs);
    let busy = utilisation(knobs, errors);
    let square = (1.0 - errors) * work.powi(2) + errors * (work + enrich).powi(2);
    let waits = match busy {
        ..1.0 => rate * square / (2.0 * (1.0 - busy)),
        _ => (busy - 1.0) * span.as_secs_f64() / 2.0,
    };
    1e9 * (work + waits)
}

fn fails(seed: u64, request: u64, errors: f64) -> bool {
    seed::uniform(seed, &[FAILURES, request]) < errors
}

/// Serves a trial's requests, and records what those took that did not fail.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (seed, errors) = (ctx.seed(), ctx.float("errors"));
    if ctx.is_live() {
        let enrich = ctx.duration("enrich");
        return live::ask(ctx, Clock::live(), move |request, work| {
            answer(work, fails(seed, request as u64, errors).then_some(enrich))
        });
    }
    let rate = live::rate(ctx.settings());
    if too_many(ctx, rate) {
        return Ok(());
    }
    let took = simulate(ctx, errors)?;
    ctx.save("response", took)
}

fn simulate(ctx: &Ctx, errors: f64) -> anyhow::Result<Series> {
    let (seed, span) = (ctx.seed(), ctx.timeline().span());
    let [work, enrich] = ["work", "enrich"].map(|knob| ctx.duration(knob).as_nanos() as Nanos);
    let profile = Profile::new().hold(live::rate(ctx.settings()), span)?;
    let starts = profile.starts(span, Spacing::Poisson, ctx.rng(&[ARRIVALS]))?;
    let mut took = ctx.series();
    let is_answered = |visit: &Visit| !fails(seed, visit.number, errors);
    serve(
        &mut Station::new(1, Discipline::Fifo)?,
        Load::open(starts),
        |request| if fails(seed, request, errors) { work + enrich } else { work },
        |visit| {
            if let Some(visit) = visit.ok().filter(is_answered) {
                took.record_ns(visit.came, visit.ended - visit.came);
            }
        },
    )?;
    Ok(took)
}

/// The mean response at error rates from 0 to `errors`.
pub(crate) fn rates(ctx: &mut Ctx) -> anyhow::Result<()> {
    let rate = live::rate(ctx.settings());
    if ctx.float("errors") == 0.0 {
        ctx.invalid("no request fails: there is no error path");
        return Ok(());
    }
    if too_many(ctx, rate * f64::from(STEPS + 1)) {
        return Ok(());
    }
    let span = ctx.timeline().span();
    let (mut measured, mut theory) = (Vec::new(), Vec::new());
    for step in 0..=STEPS {
        let errors = ctx.float("errors") * f64::from(step) / f64::from(STEPS);
        let took = simulate(ctx, errors)?.facts();
        if took.count > 0 {
            measured.push((errors, took.mean_ns));
        }
        theory.push((errors, mean_response(ctx.settings(), errors, span)));
    }
    ctx.metric("span", span.as_secs_f64(), "s");
    ctx.curve(BY_ERRORS, CurveKind::Measured, ["ratio", "ns"], measured);
    ctx.curve(BY_ERRORS, CurveKind::Theory, ["ratio", "ns"], theory);
    Ok(())
}

/// Samples the proxy's program with plain errors and with enriched ones. The requests that fail are
/// spread evenly.
pub(crate) fn profile(ctx: &mut Ctx) -> anyhow::Result<()> {
    let errors = ctx.float("errors");
    let [work, enrich] = ["work", "enrich"].map(|knob| ctx.duration(knob));
    let request = |served: &mut f64, enrich: Duration| {
        let fails = ((*served + 1.0) * errors).floor() > (*served * errors).floor();
        *served += 1.0;
        black_box(answer(work, fails.then_some(enrich)));
    };
    let [mut plain, mut enriched] = [0.0, 0.0];
    let sides = [
        Side { name: "before", turn: TURN, work: &mut || request(&mut plain, Duration::ZERO) },
        Side { name: "after", turn: TURN, work: &mut || request(&mut enriched, enrich) },
    ];
    let [_, after] = sample_in_turns(ctx, sides)?;
    let enriching = after.stacks.iter().filter(|stack| stack.contains("enrich_error")).count();
    ctx.proportion("enriching", enriching as u64, after.stacks.len() as u64);
    Ok(())
}

/// A request: it is answered, or it fails and takes this much more.
#[inline(never)]
fn answer(work: Duration, fails: Option<Duration>) -> bool {
    render(work);
    fails.into_iter().for_each(enrich_error);
    fails.is_none()
}

#[inline(never)]
fn render(work: Duration) {
    spin::cpu(work);
    // Without something after the call, this is a jump, which has no frame. Without another thing
    // than in `enrich_error`, both are one function.
    black_box("page");
}

#[inline(never)]
fn enrich_error(cost: Duration) {
    spin::cpu(cost);
    black_box("stack, context and logs");
}
