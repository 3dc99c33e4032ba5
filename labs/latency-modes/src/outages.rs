//! Response times, or outages, as who counts them sees them, and as who meets them does.
//!
//! They are log-normal, given by median and p99. The post asks to read its milliseconds as minutes,
//! and so does this lab.

use std::time::Duration;

use lab_kit::seed::{unit, unit_exponential, unit_normal};
use lab_kit::stats::{Student, batch_means};
use lab_kit::{Ctx, Settings};
use rand::Rng as _;

/// The series: each outage once, or once for everybody who meets it.
pub(crate) const OUTAGE: &str = "outage";
/// The 99th percentile of a standard normal number.
pub(crate) const Z99: f64 = 2.326_347_874_040_840_8;
/// Means whose spread gives the standard error, and how they are distributed.
const BATCHES: usize = 40;
const DEVIATIONS: Student = Student { df: BATCHES - 1 };

/// A log-normal time in ns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogNormal {
    location: f64,
    sigma: f64,
}

impl LogNormal {
    /// The distribution of a run's knobs.
    pub(crate) fn of(knobs: &Settings) -> Self {
        let [median, p99] = ["median", "p99"].map(|knob| knobs.duration(knob).as_nanos() as f64);
        Self { location: libm::log(median), sigma: libm::log(p99 / median) / Z99 }
    }

    /// E\[X\].
    pub(crate) fn mean(self) -> f64 {
        self.moment(1.0)
    }

    /// E\[X²\]/E\[X\]: the mean of the outage that is met at a random moment.
    pub(crate) fn met(self) -> f64 {
        self.moment(2.0) / self.moment(1.0)
    }

    /// E\[X²\]/(2 E\[X\]): the mean of what is left of it.
    pub(crate) fn left(self) -> f64 {
        self.met() / 2.0
    }

    pub(crate) fn sigma(self) -> f64 {
        self.sigma
    }

    fn moment(self, order: f64) -> f64 {
        libm::exp(order * self.location + order * order * self.sigma * self.sigma / 2.0)
    }

    /// The quantile of a log-normal time; of one that is met, with `weight` 1.
    fn quantile(self, p: f64, weight: f64) -> f64 {
        let location = self.location + weight * self.sigma * self.sigma;
        libm::exp(location + self.sigma * unit_normal(p))
    }
}

/// One outage after the other, in each simulated millisecond one; who meets them comes at random,
/// on average once in the mean of an outage.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (outages, mut rng) = (LogNormal::of(ctx.settings()), ctx.rng(&[0]));
    let by_moment = ctx.text("seen") == "by-moment";
    let count = ctx.timeline().span().as_millis() as usize;
    let mut uniform = || unit(rng.next_u64());
    let mut series = ctx.series();
    let (mut met, mut left) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut until_next = outages.mean() * unit_exponential(uniform());
    for i in 0..count {
        let (lasts, at) = (outages.quantile(uniform(), 0.0), Duration::from_millis(i as u64));
        let mut meet = |left_of_it: f64| {
            series.record(at, Duration::from_nanos(lasts as u64));
            met.push(lasts);
            left.push(left_of_it);
        };
        if !by_moment {
            meet(lasts);
            continue;
        }
        while until_next < lasts {
            meet(lasts - until_next);
            until_next += outages.mean() * unit_exponential(uniform());
        }
        until_next -= lasts;
    }
    for (name, values) in [("met", met), ("left", left)] {
        let (mean, interval) = batch_means(&values, BATCHES);
        let half = interval.map_or(0.0, |(low, high)| (high - low) / 2.0);
        ctx.metric(name, mean, "ns");
        ctx.metric(&format!("{name}_error"), half / DEVIATIONS.quantile_95(), "ns");
    }
    ctx.theory(OUTAGE, |p| outages.quantile(p, f64::from(u8::from(by_moment))));
    ctx.save(OUTAGE, series)
}
