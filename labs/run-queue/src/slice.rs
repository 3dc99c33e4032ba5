//! How long a thread may keep a CPU when another is ready to run.

use std::time::Duration;

use rustix::time::{ClockId, clock_getres};

/// The slice that this thread is granted, and that slice rounded up to timer ticks. The kernel
/// looks whether it is over at each tick and at each wake-up, so that it ends between the two.
/// `None` if this kernel does not report it: it does since 6.6, if built with CONFIG_SCHED_DEBUG.
pub(crate) fn slice() -> Option<[Duration; 2]> {
    let slice_ns = lab_kit::proc::slice()?.as_nanos() as u64;
    // The coarse clock moves at each tick.
    let tick_ns = clock_getres(ClockId::MonotonicCoarse).tv_nsec as u64;
    let at_ticks_ns = slice_ns.div_ceil(tick_ns.max(1)) * tick_ns;
    Some([slice_ns, at_ticks_ns].map(Duration::from_nanos))
}

#[cfg(test)]
mod tests {
    use lab_skip::{Need, skip};

    use super::*;

    #[test]
    fn a_slice_ends_at_a_tick() {
        let Some([slice, at_ticks]) = slice() else {
            return skip(Need::Scheduler, "this kernel tells no slice");
        };
        let tick_ns = clock_getres(ClockId::MonotonicCoarse).tv_nsec as u128;
        assert!(!slice.is_zero() && slice <= at_ticks, "{slice:?}");
        assert_eq!(at_ticks.as_nanos() % tick_ns, 0, "{at_ticks:?}");
    }
}
