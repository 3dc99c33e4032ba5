//! Requests and failures over time.

use std::time::Duration;

use lab_kit::sim::Nanos;
use lab_kit::{Ctx, Timeline};

/// The most requests of a simulated trial: more would take minutes.
const MOST: f64 = 2e7;
/// When the change begins that a trial is about, as a share of its measured span.
pub(crate) const BEGIN: f64 = 0.25;

/// Counts of the measured span, cut in intervals.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    warmup: Nanos,
    interval: Nanos,
    /// Requests of each interval that failed, and all.
    counts: Vec<[u64; 2]>,
}

impl Tally {
    pub(crate) fn new(timeline: Timeline, interval: Duration) -> Self {
        let [warmup, interval, measure] =
            [timeline.warmup, interval, timeline.measure].map(|time| time.as_nanos() as Nanos);
        let interval = interval.max(1);
        Self { warmup, interval, counts: vec![[0; 2]; measure.div_ceil(interval) as usize] }
    }

    /// A request at this time; one of the warm-up, or after the span, does not count.
    pub(crate) fn count(&mut self, at: Nanos, fails: bool) {
        let Some(into) = at.checked_sub(self.warmup) else { return };
        if let Some([failed, all]) = self.counts.get_mut((into / self.interval) as usize) {
            *failed += u64::from(fails);
            *all += 1;
        }
    }

    /// When each interval begins, in seconds.
    pub(crate) fn starts_s(&self) -> Vec<f64> {
        let interval_s = self.interval as f64 / 1e9;
        (0..self.counts.len()).map(|i| i as f64 * interval_s).collect()
    }

    /// The share of failures in each interval; without a request, 0.
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.counts.iter().map(|[failed, all]| *failed as f64 / (*all).max(1) as f64).collect()
    }

    /// The error rate over time, at the middle of each interval.
    pub(crate) fn file(&self, ctx: &mut Ctx, gauge: &str) {
        let middle = self.interval as f64 / 2e9;
        let at = self.starts_s().into_iter().map(|start| start + middle);
        ctx.gauge(gauge, "ratio", at.zip(self.rates()).collect());
    }
}

/// When the change begins.
pub(crate) fn begin(timeline: Timeline) -> Duration {
    timeline.warmup + timeline.measure.mul_f64(BEGIN)
}

/// Whether a trial has more requests than it should: then it is invalid.
pub(crate) fn too_many(ctx: &mut Ctx, rate: f64) -> bool {
    let requests = rate * ctx.timeline().span().as_secs_f64();
    if requests > MOST {
        ctx.invalid(format!(
            "{requests:.0} requests are too many: less traffic, or a shorter trial"
        ));
    }
    requests > MOST
}
