//! A server that pauses once, and clients that retry: what is answered afterwards.

use std::time::Duration;

use lab_kit::thread::{first_and_last_cpu, meanwhile_on};
use lab_kit::{Clock, Ctx, CurveKind, Ledger, Timeline, Waking, allow_open_files};

use crate::charts::{HIDDEN, IN_SERVER};
use crate::setup::Setup;

/// Samples of the server's queue in a trial.
const LOOKS: u32 = 400;
/// A timeout that no answer exceeds: clients give up by themselves.
const NEVER: Duration = Duration::from_secs(3_600);
/// Open files in addition to those of connections.
const OTHER_FILES: u64 = 64;
/// Steps of the bisection over the load.
const STEPS: u32 = 8;
/// The greatest load that is tried.
const MOST: f64 = 1.5;

/// Asks the server, live or simulated, and records how the requests ended.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let setup = Setup::of(ctx)?;
    let schedule = setup.schedule(ctx, ctx.float("load"), 1.0)?;
    let ledger = Ledger::new(&schedule, setup.timeline);
    let work = |number| setup.work_of(number);
    if ctx.is_live() {
        allow_open_files(2 * setup.client.connections as u64 + OTHER_FILES)?;
        let ((first, last), clock) = (first_and_last_cpu(), Clock::live());
        let server = meanwhile_on(&[first], || setup.server.start(clock))?;
        let ask = || {
            let until = (clock, setup.until());
            setup.client.ask(server.address(), &schedule, work, until, &ledger)
        };
        let asked = match last {
            Some(last) => Waking::alone_on(last, ask),
            None => ask(),
        }?;
        asked.file(ctx);
    } else {
        let look = setup.timeline.measure / LOOKS;
        let done =
            setup.client.simulate(setup.server, &schedule, work, [setup.until(), look], &ledger)?;
        ctx.gauge(IN_SERVER, "requests", done.lengths);
    }
    ctx.metric("capacity", setup.capacity(), "req/s");
    let ends = ledger.sums(NEVER);
    ctx.proportion("answered", ends.completed, ends.offered);
    ledger.settle(ctx, NEVER)
}

/// For each number of retries, the greatest load at which the server recovers from its pause, found
/// by bisection.
pub(crate) fn hidden_capacity(ctx: &mut Ctx) -> anyhow::Result<()> {
    let setup = Setup::of(ctx)?;
    let mut found = Vec::new();
    for retries in 0..=ctx.int("retries") as u32 {
        let mut setup = setup.clone();
        setup.client.retries.at_most = retries;
        let (mut comes_back, mut stays_down) = (0.0, MOST);
        for _ in 0..STEPS {
            let load = (comes_back + stays_down) / 2.0;
            if recovers(ctx, &setup, load)? { comes_back = load } else { stays_down = load }
        }
        found.push((f64::from(retries), comes_back));
    }
    let theory = found.iter().map(|(retries, _)| (*retries, 1.0 / (1.0 + retries))).collect();
    let units = ["retries", "ratio"];
    ctx.curve(HIDDEN, CurveKind::Theory, units, theory);
    ctx.curve(HIDDEN, CurveKind::Measured, units, found);
    Ok(())
}

/// Whether most requests of the last tenth of the trial are answered.
fn recovers(ctx: &Ctx, setup: &Setup, load: f64) -> anyhow::Result<bool> {
    let times = f64::from(STEPS * (1 + setup.client.retries.at_most));
    let schedule = setup.schedule(ctx, load, times)?;
    let last = setup.timeline.measure / 10;
    let timeline = Timeline { warmup: setup.timeline.span() - last, measure: last, interval: last };
    let ledger = Ledger::new(&schedule, timeline);
    let ends = [setup.until(), Duration::ZERO];
    setup.client.simulate(setup.server, &schedule, |n| setup.work_of(n), ends, &ledger)?;
    let sums = ledger.sums(NEVER);
    Ok(2 * sums.completed > sums.offered)
}
