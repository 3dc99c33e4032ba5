//! The open loop: every request starts when the schedule says, whatever became of the others.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use lab_kit::{Arrivals, Clock, Ctx, Ledger, Schedule, pace, wait_until};

use crate::closed_form::predict;
use crate::filing::asked_in_stall;
use crate::setup::Setup;
use crate::target::Target;
use crate::wire;

/// Requests in flight at most; what would go over is dropped, and counted. The kernel's buffers
/// take more than this before a send waits.
const AT_MOST_IN_FLIGHT: u64 = 100_000;

/// A trial with the knobs as they are set.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let setup = Setup::of(ctx);
    let arrivals = match ctx.text("start-by") {
        "schedule" => Arrivals::Constant { rate: setup.rate },
        _ => {
            let gap = Duration::from_secs_f64(1.0 / setup.rate);
            Arrivals::Closed { think: gap.saturating_sub(setup.service) }
        }
    };
    let schedule = arrivals.plan(setup.timeline.span(), &mut ctx.rng(&[]));
    let ledger = Ledger::new(&schedule, setup.timeline);
    let asked = if ctx.is_live() {
        let (stall_by, tick) = (ctx.text("stall-by"), ctx.duration("tick"));
        ask_live(&setup, stall_by, tick, &schedule, &ledger)?
    } else {
        ask_simulated(&setup, &schedule, &ledger)
    };
    asked_in_stall(ctx, &setup, asked);
    predict(ctx, &setup);
    ledger.settle(ctx, setup.timeout())
}

/// Returns how many requests were sent during the stall.
fn ask_simulated(setup: &Setup, schedule: &Schedule, ledger: &Ledger) -> u64 {
    let mut in_stall = 0;
    let mut ask = |number, sent| {
        ledger.sent(number, sent);
        let at = setup.answered(sent);
        ledger.completed(number, at);
        in_stall += u64::from(setup.stall.holds(sent));
        at
    };
    match schedule {
        Schedule::Open(starts) => {
            for (number, at_ns) in starts.iter().enumerate() {
                ask(number, Duration::from_nanos(*at_ns));
            }
        }
        Schedule::Closed { until, think, at_most } => {
            let mut next = Duration::ZERO;
            for number in 0..*at_most {
                if next >= *until {
                    break;
                }
                next = ask(number, next) + *think;
            }
        }
    }
    in_stall
}

/// Returns how many requests were sent during the stall.
fn ask_live(
    setup: &Setup,
    stall_by: &str,
    tick: Duration,
    schedule: &Schedule,
    ledger: &Ledger,
) -> anyhow::Result<u64> {
    let clock = Clock::live();
    let target = Target::start(setup, stall_by, clock)?;
    let streams = target.connect(setup)?;
    let receiving: Vec<TcpStream> =
        streams.iter().map(TcpStream::try_clone).collect::<Result<_, _>>()?;
    let mut in_stall = 0;
    thread::scope(|scope| {
        for stream in receiving {
            scope.spawn(move || receive(stream, ledger, clock));
        }
        let Schedule::Open(starts) = schedule else { return };
        pace(starts, clock, |number, intended| {
            if ledger.in_flight() >= AT_MOST_IN_FLIGHT {
                return ledger.dropped(number);
            }
            if !tick.is_zero() {
                let ticks = intended.as_nanos().div_ceil(tick.as_nanos()) as u32;
                wait_until(clock, tick * ticks);
            }
            let sent = clock.now();
            ledger.sent(number, sent);
            in_stall += u64::from(setup.stall.holds(intended) && setup.stall.holds(sent));
            let mut stream = &streams[number % streams.len()];
            if stream.write_all(&wire::request(number as u64)).is_err() {
                ledger.abandoned(number, clock.now());
            }
            if matches!(schedule, Schedule::Closed { .. }) {
                ledger.drain(clock, clock.now() + setup.timeout());
            }
        });
        ledger.drain(clock, setup.timeline.span() + setup.timeout());
        for stream in &streams {
            // Its receiver sees the end of the stream; one that is closed already has seen it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    Ok(in_stall)
}

/// Ends when the connection does.
fn receive(stream: TcpStream, ledger: &Ledger, clock: Clock) {
    let mut stream = BufReader::new(stream);
    let mut reply = [0; wire::FRAME];
    while stream.read_exact(&mut reply).is_ok() {
        let at = clock.now();
        match wire::check(&reply) {
            (number, true) => ledger.completed(number as usize, at),
            (number, false) => ledger.failed(number as usize, at),
        }
    }
}
