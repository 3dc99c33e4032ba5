//! The predictions, from formulas alone.

use std::time::Duration;

use lab_kit::Ctx;
use lab_kit::sim::theory::MMc;

use crate::setup::Setup;

/// The `q` quantile of a stall of `stall` that delayed a share `delayed` of all requests, the first
/// of them by all of it and the last by nothing (Tene).
pub(crate) fn quantile_of_a_stall(stall: f64, delayed: f64, q: f64) -> f64 {
    stall * (1.0 - (1.0 - q) / delayed)
}

/// The `q` quantile of what an open loop of equal gaps sees.
///
/// Requests that come `t` into the stall wait for what is left of it, so those above the quantile
/// came in its first `(1 − q) · span`. The stall also holds back the replies that were due as it
/// began, up to a service time's worth. A trial that ends within the stall cuts off the short
/// waits alone, and changes nothing here until fewer than `1 − q` of its requests are delayed.
pub(crate) fn open_quantile(setup: &Setup, q: f64) -> Duration {
    let Setup { service, stall, timeline, .. } = *setup;
    let beyond = timeline.measure.mul_f64(1.0 - q);
    let held_back = service.min(stall.from - timeline.warmup);
    if stall.length.is_zero() || beyond >= setup.stalled_span() + held_back {
        return service;
    }
    stall.length + service + held_back - beyond
}

/// Files the prediction with a trial's results, for its claims.
pub(crate) fn predict(ctx: &mut Ctx, setup: &Setup) {
    ctx.metric("p99_by_closed_form", open_quantile(setup, 0.99).as_nanos() as f64, "ns");
}

/// How many requests a page may have until it is as likely as not that one is above the `q`
/// quantile: `q^k = 1/2`.
pub(crate) fn requests_to_even_odds(q: f64) -> f64 {
    0.5_f64.ln() / q.ln()
}

/// One server of exponential service, as busy as `utilisation`.
pub(crate) fn m_m_1(service: f64, utilisation: f64) -> MMc {
    MMc { arrivals: utilisation / service, service, servers: 1 }
}

/// Bytes of an HDR histogram from 1 to `highest` with `2 · half` linear steps in its first bucket,
/// by the formula of its README.
pub(crate) fn hdr_bytes(highest: f64, half: f64) -> f64 {
    512.0 + 8.0 * half * ((highest / (2.0 * half)).log2().ceil() + 2.0)
}

#[cfg(test)]
mod tests {
    use lab_kit::Timeline;
    use lab_kit::load::Pause;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn setup(stall_at_ms: u32, stall_ms: u32) -> Setup {
        Setup {
            rate: 1_000.0,
            connections: 8,
            service: MS,
            stall: Pause { from: MS * (500 + stall_at_ms), length: MS * stall_ms },
            timeline: Timeline { warmup: MS * 500, measure: MS * 8_000, interval: MS * 80 },
        }
    }

    #[test]
    fn p99_of_the_open_loop_is_the_stall_minus_a_hundredth_of_the_span() {
        // 1.4 s − 80 ms, and a millisecond of service at either end.
        assert_eq!(open_quantile(&setup(3_000, 1_400), 0.99), MS * 1_322);
        assert_eq!(open_quantile(&setup(0, 1_400), 0.99), MS * 1_321, "no reply was due before");
        assert_eq!(open_quantile(&setup(7_900, 1_400), 0.99), MS * 1_322, "cut off by the end");
        assert_eq!(open_quantile(&setup(7_950, 1_400), 0.99), MS, "50 ms are under 1 % of it");
        assert_eq!(open_quantile(&setup(3_000, 0), 0.99), MS);
    }

    #[test]
    fn both_closed_forms_of_the_quantile_agree() {
        // Without service time: the share delayed is 1.4 s of 8 s.
        let setup = Setup { service: Duration::ZERO, ..setup(3_000, 1_400) };
        let seconds = quantile_of_a_stall(1.4, 1.4 / 8.0, 0.99);
        assert!((seconds - open_quantile(&setup, 0.99).as_secs_f64()).abs() < 1e-9);
    }
}
