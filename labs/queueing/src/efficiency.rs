//! Faster code, and what is left of it once the load has grown.

use lab_kit::Ctx;
use lab_kit::sim::Distribution;

use crate::queue::{Queue, arrivals};

/// How busy the server is before anything is done.
const UTILISATION: f64 = 0.8;

/// One server: as it was, `gain` times as fast, and then with as much more to do.
///
/// # Errors
/// The line grows without end.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (gain, span) = (ctx.float("gain"), ctx.timeline().measure);
    let service = ctx.duration("service-time").as_nanos() as f64;
    let grown = if ctx.text("then") == "load-grows" { gain } else { 1.0 };
    for (when, speed, load) in [("before", 1.0, 1.0), ("faster", gain, 1.0), ("grown", gain, grown)]
    {
        let work = Distribution::exponential(service / speed)?;
        let load = arrivals(ctx, UTILISATION * load / service * 1e9, span)?;
        let queue = Queue::new(ctx, 1, work);
        let served = queue.simulate(load, span.as_nanos() as u64 / 100_000)?;
        ctx.metric(&format!("there_{when}"), served.request_seconds() / span.as_secs_f64(), "");
        if let Some(p99) = served.response_quantile(0.99) {
            ctx.metric(&format!("p99_{when}"), p99, "ns");
        }
    }
    Ok(())
}
