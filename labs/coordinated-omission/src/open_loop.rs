//! The open loop: every request starts when the schedule says, answered or not the ones before.

use std::time::Duration;

use lab_kit::load::{Client, Retries};
use lab_kit::thread::allowed_cpus;
use lab_kit::{Arrivals, Clock, Ctx, Ledger, Schedule, cpus};

use crate::closed_form::predict;
use crate::filing::asked_in_stall;
use crate::setup::Setup;
use crate::target::Target;

/// Requests in flight at most; what would go over is dropped, and counted.
const AT_MOST_IN_FLIGHT: u64 = 100_000;

/// A trial with the knobs as they are set.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let setup = Setup::of(ctx);
    let arrivals = match ctx.text("start-by") {
        "schedule" => Arrivals::Constant { rate: setup.rate },
        _ => {
            let gap = Duration::from_secs_f64(1.0 / setup.rate);
            Arrivals::Closed { clients: 1, think: gap.saturating_sub(setup.service) }
        }
    };
    let schedule = arrivals.plan(setup.timeline.span(), &mut ctx.rng(&[]));
    let ledger = Ledger::new(&schedule, setup.timeline);
    if ctx.is_live() {
        ask_live(ctx, &setup, &schedule, &ledger)?;
    } else {
        ask_simulated(&setup, &schedule, &ledger);
    }
    let in_stall = |(intended, sent): &(Duration, Duration)| {
        setup.stall.holds(*intended) && setup.stall.holds(*sent)
    };
    asked_in_stall(ctx, &setup, ledger.sent_at().filter(in_stall).count() as u64);
    predict(ctx, &setup);
    ledger.settle(ctx, setup.timeout())
}

fn ask_simulated(setup: &Setup, schedule: &Schedule, ledger: &Ledger) {
    let ask = |number, sent| {
        ledger.sent(number, sent);
        let at = setup.answered(sent);
        ledger.completed(number, at);
        at
    };
    match schedule {
        Schedule::Open(starts) => {
            for (number, at_ns) in starts.iter().enumerate() {
                ask(number, Duration::from_nanos(*at_ns));
            }
        }
        Schedule::Closed { until, think, at_most, .. } => {
            let mut next = Duration::ZERO;
            for number in 0..*at_most {
                if next >= *until {
                    break;
                }
                next = ask(number, next) + *think;
            }
        }
    }
}

fn ask_live(
    ctx: &mut Ctx,
    setup: &Setup,
    schedule: &Schedule,
    ledger: &Ledger,
) -> anyhow::Result<()> {
    let client = Client {
        connections: setup.connections as usize,
        at_most_in_flight: AT_MOST_IN_FLIGHT,
        timeout: setup.timeout(),
        retries: Retries::default(),
        tick: ctx.duration("tick"),
    };
    let clock = Clock::live();
    let target = Target::start(setup, ctx.text("stall-by"), clock)?;
    let until = setup.timeline.span() + setup.timeout();
    let service = |_| setup.service;
    let watch = cpus::Watch::begin(&allowed_cpus())?;
    client.ask(target.address(), schedule, service, (clock, until), ledger)?.file(ctx);
    ctx.metric("others", watch.shares()?.others, "ratio");
    Ok(())
}
