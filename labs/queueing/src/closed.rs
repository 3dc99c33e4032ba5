//! A closed world: clients who wait for their answers before they ask again.

use std::time::Duration;

use lab_kit::sim::{Distribution, Load, theory};
use lab_kit::{Arrivals, Clock, Ctx, CurveKind, Ledger};

use crate::queue::{Queue, affordable};
use crate::served::Served;

/// Curves over the number of clients.
pub(crate) const THROUGHPUT: &str = "throughput";
pub(crate) const OF_BOUND: &str = "throughput over the bound of one server";
pub(crate) const BUSY: &str = "time in which something is in flight";
pub(crate) const AT_P99: &str = "throughput times p99 over clients";

/// One, two, four clients and so on, each for its share of the span.
///
/// # Errors
/// The server cannot start.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let queue = Queue::of(ctx)?;
    let think = ctx.duration("think");
    let clients: Vec<u32> = doubling(ctx.int("clients") as u32).collect();
    let span = ctx.timeline().span() / clients.len() as u32;
    let served = |clients: &u32| Ok((*clients, ask(ctx, &queue, *clients, think, span)?));
    let found = clients.iter().map(served).collect::<anyhow::Result<Vec<_>>>()?;
    file(ctx, &queue, think.as_secs_f64(), &found);
    Ok(())
}

fn doubling(most: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(1_u32), |n| n.checked_mul(2)).take_while(move |n| *n <= most)
}

/// This many `clients` ask during `span`, and pause for `think` between an answer and the next
/// request.
///
/// # Errors
/// The server cannot start.
pub(crate) fn ask(
    ctx: &Ctx,
    queue: &Queue,
    clients: u32,
    think: Duration,
    span: Duration,
) -> anyhow::Result<Served> {
    let (work, pause) = (queue.work.mean() / 1e9, think.as_secs_f64());
    let most = (f64::from(clients) / (work + pause)).min(f64::from(queue.servers) / work);
    affordable(ctx, most * span.as_secs_f64())?;
    if ctx.is_live() {
        let schedule = Arrivals::Closed { clients, think }.plan(span, &mut ctx.rng(&[]));
        let ledger = Ledger::new(&schedule, ctx.timeline());
        return queue.serve(&schedule, &ledger, Clock::live());
    }
    let think = Distribution::constant(think.as_nanos() as f64)?;
    let until = span.as_nanos() as u64;
    queue.simulate(Load::Closed { clients, think, rng: ctx.rng(&[]), until }, u64::MAX)
}

fn file(ctx: &mut Ctx, queue: &Queue, think: f64, found: &[(u32, Served)]) {
    let is_exact = queue.servers == 1 && ctx.text("work") == "exponential";
    let mut curve = |name: &str, unit: &str, kind, of: &dyn Fn(f64, &Served) -> Option<f64>| {
        let at = |(clients, served): &(u32, Served)| {
            let clients = f64::from(*clients);
            Some((clients, of(clients, served)?))
        };
        let points: Vec<(f64, f64)> = found.iter().filter_map(at).collect();
        if !points.is_empty() {
            ctx.curve(name, kind, ["clients", unit], points);
        }
    };
    let work = queue.work.mean() / 1e9;
    curve(THROUGHPUT, "req/s", CurveKind::Measured, &|_, served| Some(served.throughput()));
    curve(THROUGHPUT, "req/s", CurveKind::Theory, &|clients, _| {
        let exact = theory::mean_value_analysis(&[work], think, clients as u32);
        is_exact.then_some(exact.throughput)
    });
    // Of the works that are counted: a live trial has few, so their mean is not the distribution's.
    curve(OF_BOUND, "ratio", CurveKind::Measured, &|clients, served| {
        let work = served.mean_counted_work() / 1e9;
        Some(served.throughput() / bound(clients, work, think))
    });
    curve(BUSY, "ratio", CurveKind::Measured, &|_, served| Some(served.busy_share()));
    curve(AT_P99, "ratio", CurveKind::Measured, &|clients, served| {
        Some(served.throughput() * served.response_quantile(0.99)? / 1e9 / clients)
    });
}

/// No more than this can be answered in a second by one server: each client is on its way for at
/// least think time and work, and the server works one after another (Denning & Buzen 1978).
pub(crate) fn bound(clients: f64, work: f64, think: f64) -> f64 {
    (clients / (work + think)).min(1.0 / work)
}
