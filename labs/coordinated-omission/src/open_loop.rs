//! The open loop: every request starts when the schedule says, whatever became of the others.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use lab_kit::{Arrivals, Clock, Ctx, Ledger, Schedule, pace};

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
    let arrivals = Arrivals::Constant { rate: setup.rate };
    let schedule = arrivals.plan(setup.timeline.span(), &mut ctx.rng(&[]));
    let ledger = Ledger::new(&schedule, setup.timeline);
    let asked = if ctx.is_live() {
        ask_live(&setup, ctx.text("stall-by"), &schedule, &ledger)?
    } else {
        ask_simulated(&setup, &schedule, &ledger)
    };
    asked_in_stall(ctx, &setup, asked);
    predict(ctx, &setup);
    ledger.settle(ctx, setup.timeout())
}

/// Returns how many requests were sent during the stall.
fn ask_simulated(setup: &Setup, schedule: &Schedule, ledger: &Ledger) -> u64 {
    let Schedule::Open(starts) = schedule else { return 0 };
    let mut in_stall = 0;
    for (number, at_ns) in starts.iter().enumerate() {
        let sent = Duration::from_nanos(*at_ns);
        ledger.sent(number, sent);
        ledger.completed(number, setup.answered(sent));
        in_stall += u64::from(setup.stall.holds(sent));
    }
    in_stall
}

/// Returns how many requests were sent during the stall.
fn ask_live(
    setup: &Setup,
    stall_by: &str,
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
        pace(schedule, clock, |number, intended| {
            if ledger.in_flight() >= AT_MOST_IN_FLIGHT {
                return ledger.dropped(number);
            }
            let sent = clock.now();
            ledger.sent(number, sent);
            in_stall += u64::from(setup.stall.holds(intended) && setup.stall.holds(sent));
            let mut stream = &streams[number % streams.len()];
            if stream.write_all(&wire::request(number as u64)).is_err() {
                ledger.abandoned(number, clock.now());
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
