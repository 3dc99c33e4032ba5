//! A service without a queue that fails a share of its calls: the load with retries, buckets and
//! breakers.

use lab_kit::load::{Budget, Retrier, Retries};
use lab_kit::sim::Distribution;
use lab_kit::{Ctx, CurveKind, seed};
use rand::Rng;

use crate::charts::{BY_CLIENTS, LOAD, LOST};
use crate::setup::retries;

/// Failure rates.
const RATES: [f64; 12] = [0.0, 0.01, 0.02, 0.05, 0.08, 0.1, 0.2, 0.35, 0.5, 0.75, 0.9, 1.0];
/// Calls of all clients together in a round; then all clients start afresh.
pub(crate) const A_ROUND: u64 = 10_000;
/// The metric for the number of calls at each failure rate.
pub(crate) const CALLS: &str = "calls";
/// Numbers of clients that share these calls.
const CLIENTS: [u64; 3] = [10, 100, 1_000];
/// Calls a second of each client, and the mean time of a message in ns (Brooker's simulator).
const CALLS_PER_SECOND: f64 = 10.0;
const MESSAGE_NS: f64 = 10e6;
/// The number of serial clients.
const SERIAL: u64 = 100;

/// Purposes of random numbers, each with a stream of its own.
const FAILS: u64 = 10;
const TIMES: u64 = 11;

/// The totals of many calls.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    calls: u64,
    attempts: u64,
    lost: u64,
}

impl Sum {
    fn load(&self) -> f64 {
        self.attempts as f64 / self.calls.max(1) as f64
    }
}

/// Makes calls at each failure rate with the policy of the knobs, and records the attempts per call
/// and the share of calls that fail in the end.
pub(crate) fn by_failure_rate(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (mut load, mut lost) = (Vec::new(), Vec::new());
    for rate in RATES {
        let sum = calls(ctx, retries(ctx), ctx.int("clients"), rate);
        load.push((rate, sum.load()));
        lost.push((rate, sum.lost as f64 / sum.calls as f64));
        ctx.metric(CALLS, sum.calls as f64, "count");
    }
    ctx.curve(LOAD, CurveKind::Measured, ["failures", "times"], load);
    ctx.curve(LOST, CurveKind::Measured, ["failures", "ratio"], lost);
    Ok(())
}

/// The same calls from more and more clients, each with a budget of its own.
pub(crate) fn by_clients(ctx: &mut Ctx) -> anyhow::Result<()> {
    let policy = retries(ctx);
    let half = ctx.float("threshold") / 2.0;
    let breaker = Retries { budget: Budget::Breaker(ctx.float("threshold")), ..policy };
    let unbounded = Retries { budget: Budget::Unbounded, ..policy };
    let tokens = Budget::Tokens { per_success: ctx.float("tokens"), most: ctx.float("bucket") };
    let bucket = Retries { budget: tokens, ..policy };
    for (name, policy, rate) in
        [(BY_CLIENTS[0], breaker, half), (BY_CLIENTS[1], bucket, ctx.float("failure-rate"))]
    {
        let load =
            CLIENTS.map(|clients| (clients as f64, calls(ctx, policy, clients, rate).load()));
        ctx.curve(name, CurveKind::Measured, ["clients", "times"], load.into());
        let whole = calls(ctx, unbounded, 1, rate).load();
        let kept = load.map(|(_, load)| (load - 1.0) / (whole - 1.0).max(1e-9));
        for (clients, kept) in CLIENTS.iter().zip(kept) {
            ctx.metric(&format!("{name}: {clients}"), kept, "ratio");
        }
    }
    Ok(())
}

/// Makes the calls of `clients`, in one round for each 100 s of the trial; all clients start each
/// round afresh.
fn calls(ctx: &Ctx, policy: Retries, clients: u64, rate: f64) -> Sum {
    let rounds = (ctx.timeline().measure.as_secs() / 100).max(1);
    let one = ctx.text("knowledge") == "shared";
    let mut sum = Sum::default();
    let mut rng = ctx.rng(&[FAILS]);
    for _ in 0..rounds {
        let mut shared = Retrier::new(policy);
        for _ in 0..clients {
            let mut own = if one { shared.clone() } else { Retrier::new(policy) };
            for _ in 0..(A_ROUND / clients).max(1) {
                let (attempts, answered) = call(&mut own, rate, &mut rng);
                sum.calls += 1;
                sum.attempts += u64::from(attempts);
                sum.lost += u64::from(!answered);
            }
            shared = own;
        }
    }
    sum
}

/// The attempts of a call, and whether the last one was answered.
fn call(retrier: &mut Retrier, rate: f64, rng: &mut impl Rng) -> (u32, bool) {
    let mut attempt = 1;
    while seed::unit(rng.next_u64()) < rate {
        if retrier.failed(0, attempt, std::time::Duration::ZERO).is_none() {
            return (attempt, false);
        }
        attempt += 1;
    }
    retrier.succeeded();
    (attempt, true)
}

/// How backoff changes the load of a service that fails calls for a long time: with ever new
/// clients, or with a hundred that make one call at a time.
pub(crate) fn backing_off(ctx: &mut Ctx) -> anyhow::Result<()> {
    let policy = retries(ctx);
    let without = Retries { after: std::time::Duration::ZERO, ..policy };
    let [with, without] = [policy, without].map(|policy| attempts(ctx, policy));
    ctx.metric("load_change", with? as f64 / without?.max(1) as f64 - 1.0, "ratio");
    Ok(())
}

/// The attempts within the trial.
fn attempts(ctx: &Ctx, policy: Retries) -> anyhow::Result<u64> {
    let span = ctx.timeline().measure.as_nanos() as f64;
    let (rate, serial) = (ctx.float("failure-rate"), ctx.text("population") == "serial");
    let gap = Distribution::exponential(1e9 / CALLS_PER_SECOND)?;
    let message = Distribution::exponential(MESSAGE_NS)?;
    let mut within = 0;
    for client in 0..SERIAL {
        let mut rng = ctx.rng(&[TIMES, client]);
        let mut retrier = Retrier::new(policy);
        let mut next = gap.draw(&mut rng) as f64;
        while next < span {
            let (began, mut now, mut attempt) = (next, next, 1);
            loop {
                within += u64::from(now < span);
                now += (message.draw(&mut rng) + message.draw(&mut rng)) as f64;
                if seed::unit(rng.next_u64()) >= rate {
                    retrier.succeeded();
                    break;
                }
                let Some(pause) = retrier.failed(0, attempt, std::time::Duration::ZERO) else {
                    break;
                };
                now += pause.as_nanos() as f64;
                attempt += 1;
            }
            next = began + gap.draw(&mut rng) as f64;
            // A client that makes one call at a time delays its next one.
            next = if serial { next.max(now) } else { next };
        }
    }
    Ok(within)
}
