//! The results of a ledger after the trial: series, ends, rates over time, and whether the
//! generator kept its schedule.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lab_record::{Accounting, End, Inject, LATE_GENERATOR};

use super::{Ledger, NEVER, Read};
use crate::ctx::Ctx;
use crate::pace::Waking;
use crate::series::{Series, Timeline};

impl Ledger {
    /// Records everything in the trial: `response`, `service` and `lateness`, the end of every
    /// request of the measured span, the rates `offered`, `attempts`, `goodput` and `throughput`
    /// over time, and whether the generator kept its schedule. `goodput` counts correct answers in
    /// time, `throughput` all answers except refusals.
    ///
    /// A request that takes longer than `timeout` from its intended start has timed out. A late
    /// answer is still in the series, since leaving it out would flatter the tail. So is a request
    /// that was never answered, and one that was dropped: its user waited in vain. Each has the
    /// time waited so far, a lower bound. Wrong answers and refusals are counted, but are in no
    /// percentile.
    ///
    /// # Errors
    /// The trial's directory cannot be written.
    pub fn settle(&self, ctx: &mut Ctx, timeout: Duration) -> anyhow::Result<()> {
        if let Some(inject) = ctx.settle() {
            self.stretch(inject);
            ctx.note(format!("A slowness of {:.1} % was injected.", 100.0 * inject.ratio));
        }
        let Settled { accounting, response, service, lateness, rates, .. } = self.sort(timeout);
        ctx.account(accounting);
        if ctx.is_live() {
            judge_generator(ctx, accounting, &response, &lateness);
        }
        for (name, counts) in RATES.into_iter().zip(rates) {
            ctx.gauge(name, "req/s", self.timeline.rates(&counts));
        }
        ctx.save("response", response)?;
        ctx.save("service", service)?;
        ctx.save("lateness", lateness)
    }

    /// The mean of `goodput` and of `throughput` over the measured span, in requests a second.
    pub fn answered_rates(&self, timeout: Duration) -> [f64; 2] {
        let Settled { rates, .. } = self.sort(timeout);
        let span_s = self.timeline.measure.as_secs_f64();
        [2, 3].map(|rate| rates[rate].iter().sum::<u64>() as f64 / span_s)
    }

    /// How the requests of the measured span have ended by now.
    pub fn sums(&self, timeout: Duration) -> Accounting {
        self.sort(timeout).accounting
    }

    /// Delays the end of the slowest answers by a share of their response time. Stretching the
    /// measured times keeps their noise and moves a quantile by exactly the ratio; real extra work,
    /// amplified by queues, would not.
    pub(super) fn stretch(&self, inject: Inject) {
        let response = |line: &super::Line| match line.read()? {
            Read { intended_ns, ended: Some((End::Completed, at_ns)), .. } => {
                Some(at_ns.saturating_sub(intended_ns))
            }
            _ => None,
        };
        let mut sorted: Vec<u64> = self.lines.iter().filter_map(response).collect();
        sorted.sort_unstable();
        let rank = (inject.from_quantile * sorted.len() as f64) as usize;
        let Some(threshold) = sorted.get(rank) else { return };
        for line in &self.lines {
            if let Some(took_ns) = response(line).filter(|took| took >= threshold) {
                line.ended.fetch_add((inject.ratio * took_ns as f64) as u64, Relaxed);
            }
        }
    }

    pub(super) fn sort(&self, timeout: Duration) -> Settled {
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(NEVER);
        let mut settled = Settled::new(self.timeline, timeout_ns, self.last_heard_ns());
        self.lines.iter().filter_map(super::Line::read).for_each(|read| settled.file(read));
        for (rate, beside) in [(1, &self.retries), (3, &self.unwanted)] {
            for (count, more) in settled.rates[rate].iter_mut().zip(beside) {
                *count += u64::from(more.load(Relaxed));
            }
        }
        settled
    }
}

const RATES: [&str; 4] = ["offered", "attempts", "goodput", "throughput"];

pub(super) struct Settled {
    timeline: Timeline,
    timeout_ns: u64,
    until_ns: u64,
    pub(super) accounting: Accounting,
    pub(super) response: Series,
    pub(super) service: Series,
    pub(super) lateness: Series,
    /// Counts for each interval of the measured span, in the order of [`RATES`].
    pub(super) rates: [Vec<u64>; RATES.len()],
}

impl Settled {
    fn new(timeline: Timeline, timeout_ns: u64, until_ns: u64) -> Self {
        let series = || Series::new(timeline);
        Self {
            timeline,
            timeout_ns,
            until_ns,
            accounting: Accounting::default(),
            response: series(),
            service: series(),
            lateness: series(),
            rates: [(); RATES.len()].map(|()| vec![0; timeline.intervals()]),
        }
    }

    fn file(&mut self, read: Read) {
        let Read { intended_ns, sent_ns, attempts, .. } = read;
        let (end, at_ns, answered) = self.end_of(read);
        if let Some(sent_ns) = sent_ns {
            self.lateness.record_ns(intended_ns, sent_ns.saturating_sub(intended_ns));
        }
        if !matches!(end, End::Failed | End::Refused) {
            let since = |from_ns: u64| at_ns.saturating_sub(from_ns);
            file(&mut self.response, intended_ns, since(intended_ns), answered);
            if let Some(sent_ns) = sent_ns {
                file(&mut self.service, intended_ns, since(sent_ns), answered);
            }
        }
        if self.timeline.measures(intended_ns) {
            self.accounting += Accounting { attempts, ..Accounting::one(end) };
        }
        self.count(0, intended_ns);
        sent_ns.into_iter().for_each(|sent_ns| self.count(1, sent_ns));
        if end == End::Completed {
            self.count(2, at_ns);
        }
        if answered && end != End::Refused {
            self.count(3, at_ns);
        }
    }

    /// How a request ended, when, and whether an answer ended it.
    fn end_of(&self, read: Read) -> (End, u64, bool) {
        let late = |at_ns: u64| at_ns.saturating_sub(read.intended_ns) > self.timeout_ns;
        match (read.sent_ns, read.ended) {
            (None, _) => (End::Dropped, self.until_ns, false),
            (_, None) if late(self.until_ns) => (End::TimedOut, self.until_ns, false),
            (_, None) => (End::InFlight, self.until_ns, false),
            (_, Some((End::Completed, at_ns))) if late(at_ns) => (End::TimedOut, at_ns, true),
            (_, Some((end @ (End::TimedOut | End::Abandoned), at_ns))) => (end, at_ns, false),
            (_, Some((end, at_ns))) => (end, at_ns, true),
        }
    }

    fn count(&mut self, rate: usize, at_ns: u64) {
        if let Some(interval) = self.timeline.interval_of(at_ns) {
            self.rates[rate][interval] += 1;
        }
    }
}

fn file(series: &mut Series, intended_ns: u64, took_ns: u64, answered: bool) {
    if answered {
        series.record_ns(intended_ns, took_ns);
    } else {
        series.record_censored_ns(intended_ns, took_ns);
    }
}

/// Makes a trial invalid if its generator was late or sent too little: it measured itself, not the
/// server. The limits: those of [`judge_lateness`], and 99 % of the offered rate.
fn judge_generator(ctx: &mut Ctx, sum: Accounting, response: &Series, lateness: &Series) {
    if response.facts().count > 0 {
        judge_lateness(ctx, response, lateness);
    }
    if let Some(waking) = Waking::of_this_thread() {
        ctx.note(waking.sentence());
        ctx.metric("generator_spin", waking.spin().as_nanos() as f64, "ns");
        ctx.metric("generator_rest", waking.rest().as_nanos() as f64, "ns");
    }
    let (sent, offered) = (sum.offered - sum.dropped, sum.offered);
    ctx.metric("sent_ratio", sent as f64 / offered.max(1) as f64, "ratio");
    if (sent as f64) < 0.99 * offered as f64 && !ctx.expects(End::Dropped) {
        ctx.invalid(format!("only {sent} of {offered} offered requests were sent"));
    }
}

/// Makes a trial invalid if the p99 of lateness is above a tenth of the median response.
fn judge_lateness(ctx: &mut Ctx, response: &Series, lateness: &Series) {
    let p99 = lateness.total().value_at_quantile(0.99);
    let p50 = response.total().value_at_quantile(0.5);
    ctx.metric("generator_lateness_p99", p99 as f64, "ns");
    if p99 > p50 / 10 {
        ctx.invalid(format!(
            "{LATE_GENERATOR}: p99 {:?} is above a tenth of the median response {:?}",
            Duration::from_micros(p99 / 1_000),
            Duration::from_micros(p50 / 1_000),
        ));
    }
}
