//! One fast server against several slow ones that together work as fast.

use lab_kit::Ctx;
use lab_kit::sim::Distribution;

use crate::queue::{Queue, arrivals};
use crate::served::Served;

/// How busy either side is.
const UTILISATION: f64 = 0.5;

/// The same requests for both: of exponential work, and then with some that block the line.
///
/// # Errors
/// The line grows without end.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let mean = ctx.duration("service-time").as_nanos() as f64;
    let [fast, slow] = both(ctx, |times| Distribution::exponential(mean * times))?;
    ctx.metric("mean_of_slow_over_fast", slow.mean_response() / fast.mean_response(), "times");
    // One in a thousand takes a hundred times as long.
    let long = |times: f64| {
        let part = |ns: f64| Distribution::constant(ns * times);
        Distribution::mixture([(0.999, part(mean)?), (0.001, part(100.0 * mean)?)])
    };
    let [fast, slow] = both(ctx, long)?;
    let ratio = slow.mean_response() / fast.mean_response();
    ctx.metric("mean_of_slow_over_fast_with_long_ones", ratio, "times");
    let short = [fast, slow].map(|served| {
        let least = served.visits.iter().map(|visit| visit.work).min();
        served.only(|visit| Some(visit.work) == least).response_quantile(0.99)
    });
    if let [Some(fast), Some(slow)] = short {
        ctx.metric("p99_of_short_fast_over_slow", fast / slow, "times");
    }
    Ok(())
}

/// One server, and `servers` of them, each slower by that factor. `work` makes a service that takes
/// a given number of times as long.
fn both(
    ctx: &Ctx,
    work: impl Fn(f64) -> anyhow::Result<Distribution>,
) -> anyhow::Result<[Served; 2]> {
    let (servers, span) = (ctx.int("servers") as u32, ctx.timeline().measure);
    let serve = |count: u32| {
        let work = work(f64::from(count) / f64::from(servers))?;
        let load = arrivals(ctx, UTILISATION * f64::from(count) * 1e9 / work.mean(), span)?;
        Queue::new(ctx, count, work).simulate(load, u64::MAX)
    };
    Ok([serve(1)?, serve(servers)?])
}
