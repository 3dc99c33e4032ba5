//! A thread that only a quota keeps from its CPU.

use std::time::Duration;

use lab_kit::cgroup::Group;
use lab_kit::thread::{self, allowed_cpus, named};
use lab_kit::{Clock, Ctx, Series};

use crate::spinner::spin;

/// The period of the quota; the kernel's default.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);
/// The least time without a CPU that counts as a gap: longer than any slice, shorter than
/// throttling.
const GAP: Duration = Duration::from_millis(25);

const FIX: &str =
    "run as root, or: systemd-run --user --scope -p Delegate=yes cargo xtask lab run-queue";

/// Spins in a cgroup with a quota, and files its gaps by its own clock.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let group = match Group::make(ctx.duration("quota"), PERIOD) {
        Ok(group) => group,
        Err(error) => {
            ctx.unavailable(format!("a cgroup with a quota: {error}"), FIX);
            return Ok(());
        }
    };
    let (timeline, trial) = (ctx.timeline(), Clock::live());
    let mut gaps = Series::new(timeline);
    let mut ends = Vec::new();
    let spinner = named("spinner", || {
        group.take_this_thread()?;
        spin(&allowed_cpus(), timeline, trial, |now, last| {
            if now - last >= GAP {
                gaps.record(now, now - last);
                ends.push(now);
            }
        })
    });
    let account = thread::run(vec![spinner], || ())?.remove(0);
    let throttled = group.throttled()?;
    drop(group);
    let facts = gaps.facts();
    ctx.metric("gap_mean", facts.mean_ns, "ns");
    ctx.metric("gaps", facts.count as f64, "count");
    ctx.metric("gaps_a_period", a_period(&ends), "");
    // Without a CPU, but not because of the quota: other threads had it.
    let others = account.total.waited.saturating_sub(throttled);
    ctx.metric("others", others.as_secs_f64() / account.lived.as_secs_f64(), "ratio");
    ctx.metric("throttled", throttled.as_secs_f64() / account.lived.as_secs_f64(), "ratio");
    ctx.save("gap", gaps)?;
    ctx.save("run-queue", account.series)
}

/// The number of gaps a period, counted from the first gap's end to the last one's: where the span
/// begins and ends within the periods is random, and one gap of eight would be an eighth.
fn a_period(ends: &[Duration]) -> f64 {
    match ends {
        [first, .., last] => {
            let periods = (*last - *first).as_secs_f64() / PERIOD.as_secs_f64();
            (ends.len() - 1) as f64 / periods
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_gaps_is_taken_from_the_first_to_the_last() {
        let ends = |ms: &[u64]| ms.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>();
        // Four gaps in a span of three and a half periods.
        assert!((a_period(&ends(&[95, 195, 295, 395])) - 1.0).abs() < 1e-9);
        assert!((a_period(&ends(&[95, 295, 495])) - 0.5).abs() < 1e-9);
        assert_eq!(a_period(&ends(&[95])), 0.0);
    }
}
