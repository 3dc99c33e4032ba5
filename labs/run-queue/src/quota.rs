//! A thread that nobody keeps from its CPU but a quota.

use std::time::Duration;

use lab_kit::thread::{self, allowed_cpus, named};
use lab_kit::{Clock, Ctx, Series};

use crate::cgroup::Group;
use crate::spinner::spin;

/// Of which the quota is a part; the kernel's own default.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);
/// Longer than any slice, and shorter than what a quota takes: so long without a CPU is a gap.
const GAP: Duration = Duration::from_millis(25);

/// Spins in a cgroup with a quota, and files its gaps by its own clock.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let group = match Group::make(ctx.duration("quota"), PERIOD) {
        Ok(group) => group,
        Err(error) => {
            ctx.metric("cgroup_errno", f64::from(error.raw_os_error().unwrap_or(0)), "");
            ctx.note(format!("No cgroup with a quota could be made: {error}."));
            return Ok(());
        }
    };
    let (timeline, trial) = (ctx.timeline(), Clock::live());
    let mut gaps = Series::new(timeline);
    let spinner = named("spinner", || {
        group.take_this_thread()?;
        spin(&allowed_cpus(), timeline, trial, |now, last| {
            if now - last >= GAP {
                gaps.record(now, now - last);
            }
        })
    });
    let account = thread::run(vec![spinner], || ())?.remove(0);
    let throttled = group.throttled()?;
    drop(group);
    let facts = gaps.facts();
    ctx.metric("gap_mean", facts.mean_ns, "ns");
    ctx.metric("gaps", facts.count as f64, "count");
    let periods = timeline.measure.as_secs_f64() / PERIOD.as_secs_f64();
    ctx.metric("gaps_a_period", facts.count as f64 / periods, "");
    // Without a CPU and not for the quota: others had it.
    let others = account.total.waited.saturating_sub(throttled);
    ctx.metric("others", others.as_secs_f64() / account.lived.as_secs_f64(), "ratio");
    ctx.metric("throttled", throttled.as_secs_f64() / account.lived.as_secs_f64(), "ratio");
    ctx.save("gap", gaps)?;
    ctx.save("run-queue", account.series)
}
