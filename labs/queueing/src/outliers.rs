//! One client and one server, and now and then a request that takes a second.

use std::time::Duration;

use lab_kit::Ctx;
use lab_kit::sim::Distribution;

use crate::closed::ask;
use crate::queue::Queue;

/// Files how many requests a second were answered by the time of the last outlier.
///
/// # Errors
/// The server cannot start.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (usual, slow) = (ctx.duration("service-time"), ctx.duration("slow-time"));
    let share = ctx.float("slow-share");
    let part = |time: Duration| Distribution::constant(time.as_nanos() as f64);
    let work = Distribution::mixture([(1.0 - share, part(usual)?), (share, part(slow)?)])?;
    let queue = Queue { spread: Some(share), ..Queue::new(ctx, 1, work) };
    let served = ask(ctx, &queue, 1, Duration::ZERO, ctx.timeline().span())?;
    let longest = served.visits.iter().map(|visit| visit.work).max();
    let last = served.visits.iter().rposition(|visit| Some(visit.work) == longest);
    let Some(last) = last else { anyhow::bail!("no request was answered") };
    let until = served.visits[last].ended.max(1) as f64;
    ctx.metric("throughput", (last + 1) as f64 * 1e9 / until, "req/s");
    Ok(())
}
