//! A server of the kit with one thread, and clients that do not wait for each other.

use std::time::Duration;

use lab_kit::load::{Admission, Client, Discipline, Pause, Retries, Server, Threads, Work};
use lab_kit::thread::{first_and_last_cpu, meanwhile_on};
use lab_kit::{Arrivals, Clock, Ctx, Ledger, Settings, Waking};

/// A timeout that no answer exceeds.
const NEVER: Duration = Duration::from_secs(3_600);
/// Connections, and the most requests in flight.
const CONNECTIONS: usize = 16;
const IN_FLIGHT: u64 = 100_000;
/// The longest that a trial waits for answers after its span.
const LINGER: Duration = Duration::from_secs(10);
/// What random numbers are drawn for.
const ARRIVALS: u64 = 0;

/// Requests a second that keep a server as busy as the knobs say.
pub(crate) fn rate(knobs: &Settings) -> f64 {
    knobs.float("load") / knobs.duration("work").as_secs_f64()
}

/// Sends requests to a server with this program, on another CPU where there is one, and records how
/// they ended.
pub(crate) fn ask(
    ctx: &mut Ctx,
    clock: Clock,
    program: impl Fn(usize, Duration) -> bool + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let timeline = ctx.timeline();
    let arrivals = Arrivals::Poisson { rate: rate(ctx.settings()) };
    let schedule = arrivals.plan(timeline.span(), &mut ctx.rng(&[ARRIVALS]));
    let ledger = Ledger::new(&schedule, timeline);
    let server = Server {
        threads: Threads::Pool(1),
        discipline: Discipline::Fifo,
        admission: Admission::All,
        work: Work::Cpu,
        pause: Pause::default(),
    };
    let client = Client {
        connections: CONNECTIONS,
        at_most_in_flight: IN_FLIGHT,
        timeout: NEVER,
        retries: Retries::NONE,
        tick: Duration::ZERO,
    };
    let ((first, last), work) = (first_and_last_cpu(), ctx.duration("work"));
    let running = meanwhile_on(&[first], || server.start_with(clock, program))?;
    let until = timeline.span() + timeline.span().min(LINGER);
    let ask = || client.ask(running.address(), &schedule, |_| work, (clock, until), &ledger);
    let asked = match last {
        Some(last) => Waking::alone_on(last, ask),
        None => ask(),
    }?;
    running.stop();
    asked.file(ctx);
    ledger.settle(ctx, NEVER)
}
