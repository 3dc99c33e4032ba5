//! The fate of every offered request, and the three series that follow from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lab_record::{Accounting, Inject, LATE_GENERATOR};

use crate::arrivals::Schedule;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::pace::spare_cpu;
use crate::series::{Series, Timeline};

/// One line for each request: when it was meant to start, when it was sent, when it ended and how.
///
/// The sender and the receiver write to it without locks or allocation; histograms are filled from
/// it when all is over, so that recording costs the timed path two stores. A request that was
/// never sent or never answered keeps its line: nothing that was offered can go missing.
#[derive(Debug)]
pub struct Ledger {
    lines: Vec<Line>,
    started: AtomicU64,
    ended: AtomicU64,
}

#[derive(Debug)]
struct Line {
    intended_ns: AtomicU64,
    sent_ns: AtomicU64,
    ended_ns: AtomicU64,
}

/// Not yet, in any column.
const NEVER: u64 = u64::MAX;
/// In `sent_ns`: the bound on requests in flight was reached.
const DROPPED: u64 = u64::MAX - 1;
/// In `ended_ns`: answered wrongly, or refused.
const FAILED: u64 = u64::MAX - 1;

impl Ledger {
    /// A ledger with a line for every request that `schedule` can start.
    pub fn new(schedule: &Schedule) -> Arc<Self> {
        let line = |intended_ns| Line {
            intended_ns: AtomicU64::new(intended_ns),
            sent_ns: AtomicU64::new(NEVER),
            ended_ns: AtomicU64::new(NEVER),
        };
        let lines = match schedule {
            Schedule::Open(starts) => starts.iter().map(|at| line(*at)).collect(),
            Schedule::Closed { at_most, .. } => (0..*at_most).map(|_| line(NEVER)).collect(),
        };
        Arc::new(Self { lines, started: AtomicU64::new(0), ended: AtomicU64::new(0) })
    }

    /// Request `number` leaves now. In a closed loop this is its intended start too.
    pub fn sent(&self, number: usize, at: Duration) {
        let at_ns = at.as_nanos() as u64;
        let line = &self.lines[number];
        // Only a closed loop has no intended time before this.
        let _ = line.intended_ns.compare_exchange(NEVER, at_ns, Relaxed, Relaxed);
        line.sent_ns.store(at_ns, Relaxed);
        self.started.fetch_add(1, Relaxed);
    }

    /// Request `number` is never sent: too many are in flight.
    pub fn dropped(&self, number: usize) {
        self.lines[number].sent_ns.store(DROPPED, Relaxed);
    }

    /// Request `number` was answered rightly.
    pub fn completed(&self, number: usize, at: Duration) {
        self.end(number, at.as_nanos() as u64);
    }

    /// Request `number` was answered wrongly, or refused.
    pub fn failed(&self, number: usize) {
        self.end(number, FAILED);
    }

    /// The first end counts; a number that is not ours is no answer of ours.
    fn end(&self, number: usize, ended_ns: u64) {
        let Some(line) = self.lines.get(number) else { return };
        if line.ended_ns.compare_exchange(NEVER, ended_ns, Relaxed, Relaxed).is_ok() {
            self.ended.fetch_add(1, Relaxed);
        }
    }

    /// Requests sent and not ended.
    pub fn in_flight(&self) -> u64 {
        self.started.load(Relaxed).saturating_sub(self.ended.load(Relaxed))
    }

    /// Waits, off the timed path, until nothing is in flight or the trial is `until` old.
    pub fn drain(&self, clock: Clock, until: Duration) {
        while self.in_flight() > 0 && clock.now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Files everything into the trial: `response`, `service` and `lateness`, the fate of every
    /// request of the measured span, and whether the generator kept its schedule. A request that
    /// took longer than `patience` from its intended start has timed out: it counts as such, and
    /// its time still stands in the series, since leaving it out would flatter the tail.
    ///
    /// # Errors
    /// The trial's directory cannot be written.
    pub fn settle(&self, ctx: &mut Ctx, patience: Duration) -> anyhow::Result<()> {
        let timeline = ctx.timeline();
        if let Some(inject) = ctx.settle() {
            self.stretch(inject);
            ctx.note(format!("A slowness of {:.1} % was injected.", 100.0 * inject.ratio));
        }
        let Settled { accounting, response, service, lateness } = self.sort(timeline, patience);
        ctx.account(accounting);
        if ctx.is_live() {
            self.judge_generator(ctx, accounting, &response, &lateness);
        }
        ctx.save("response", response)?;
        ctx.save("service", service)?;
        ctx.save("lateness", lateness)
    }

    /// How many answers of the measured span took at least `threshold` from their intended start,
    /// and of how many.
    pub fn at_least(&self, timeline: Timeline, threshold: Duration) -> (u64, u64) {
        let (mut hits, mut of) = (0, 0);
        for line in &self.lines {
            let (intended, ended) = (line.intended_ns.load(Relaxed), line.ended_ns.load(Relaxed));
            let measured = intended != NEVER && intended >= timeline.warmup.as_nanos() as u64;
            if measured && ended < FAILED {
                of += 1;
                hits += u64::from(Duration::from_nanos(ended - intended) >= threshold);
            }
        }
        (hits, of)
    }

    /// Puts off the end of the slowest answers by a share of their response time. Stretching what
    /// was measured keeps its noise and moves a quantile by exactly the ratio, which real extra
    /// work, amplified by queues, would not.
    fn stretch(&self, inject: Inject) {
        let response = |line: &Line| {
            let (intended, ended) = (line.intended_ns.load(Relaxed), line.ended_ns.load(Relaxed));
            (ended < FAILED).then(|| ended.saturating_sub(intended))
        };
        let mut sorted: Vec<u64> = self.lines.iter().filter_map(response).collect();
        sorted.sort_unstable();
        let rank = (inject.from_quantile * sorted.len() as f64) as usize;
        let Some(threshold) = sorted.get(rank) else { return };
        for line in &self.lines {
            if let Some(took_ns) = response(line).filter(|took| took >= threshold) {
                line.ended_ns.fetch_add((inject.ratio * took_ns as f64) as u64, Relaxed);
            }
        }
    }

    fn sort(&self, timeline: Timeline, patience: Duration) -> Settled {
        let mut settled = Settled::new(timeline);
        for line in &self.lines {
            let intended = line.intended_ns.load(Relaxed);
            let sent = line.sent_ns.load(Relaxed);
            if intended != NEVER {
                settled.file(timeline, patience, intended, sent, line.ended_ns.load(Relaxed));
            }
        }
        settled
    }

    /// A generator that was late, or sent less than was offered, measured itself. The limits: those
    /// of [`judge_lateness`], and 99 % of the offered rate.
    fn judge_generator(
        &self,
        ctx: &mut Ctx,
        fate: Accounting,
        response: &Series,
        lateness: &Series,
    ) {
        if fate.completed > 0 {
            judge_lateness(ctx, response, lateness);
        }
        if spare_cpu().is_none() {
            ctx.note(
                "The generator shares its CPUs with the servers: there are too few to spare one.",
            );
        }
        let sent = fate.offered - fate.dropped;
        ctx.metric("sent_ratio", sent as f64 / fate.offered.max(1) as f64, "ratio");
        if (sent as f64) < 0.99 * fate.offered as f64 {
            ctx.invalid(format!("only {sent} of {} offered requests were sent", fate.offered));
        }
        if fate.failed > 0 {
            ctx.invalid(format!("{} of {} requests failed", fate.failed, fate.offered));
        }
    }
}

/// Makes a trial invalid whose generator was late: lateness p99 at most a tenth of the median
/// response.
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

struct Settled {
    accounting: Accounting,
    response: Series,
    service: Series,
    lateness: Series,
}

impl Settled {
    fn new(timeline: Timeline) -> Self {
        let series = || Series::new(timeline);
        Self {
            accounting: Accounting::default(),
            response: series(),
            service: series(),
            lateness: series(),
        }
    }

    fn file(&mut self, timeline: Timeline, patience: Duration, intended: u64, sent: u64, end: u64) {
        let measured = intended >= timeline.warmup.as_nanos() as u64;
        let mut fate = Accounting { offered: 1, ..Accounting::default() };
        match (sent, end) {
            // A line that was never reached is one the generator dropped.
            (NEVER | DROPPED, _) => fate.dropped = 1,
            (_, NEVER) => fate.in_flight = 1,
            (_, FAILED) => fate.failed = 1,
            _ if Duration::from_nanos(end - intended) > patience => fate.timed_out = 1,
            _ => fate.completed = 1,
        }
        if sent < DROPPED {
            self.lateness.record_ns(intended, sent.saturating_sub(intended));
            if end < FAILED {
                self.response.record_ns(intended, end - intended);
                self.service.record_ns(intended, end - sent);
            }
        }
        if measured {
            self.accounting += fate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn timeline() -> Timeline {
        Timeline { warmup: 10 * MS, measure: 100 * MS, interval: 10 * MS }
    }

    #[test]
    fn every_offered_request_has_one_fate() {
        let starts = [5, 20, 30, 40, 50, 60, 70].map(|ms| ms * 1_000_000).to_vec();
        let ledger = Ledger::new(&Schedule::Open(starts));
        for number in 0..5 {
            ledger.sent(number, MS * (6 + 10 * number as u32));
        }
        ledger.dropped(5); // and 6 was never reached
        ledger.completed(1, 25 * MS);
        ledger.completed(1, 99 * MS); // a second answer changes nothing
        ledger.completed(2, 90 * MS);
        ledger.failed(3);
        ledger.completed(1_000, 25 * MS); // nor does one to a question that nobody asked
        assert_eq!(ledger.in_flight(), 2);
        let settled = ledger.sort(timeline(), 50 * MS);
        let expected = Accounting {
            offered: 6,
            completed: 1,
            failed: 1,
            timed_out: 1,
            in_flight: 1,
            dropped: 2,
        };
        assert_eq!(settled.accounting, expected);
        assert!(settled.accounting.adds_up());
        assert_eq!(settled.response.facts().count, 2, "what timed out is in the tail all the same");
        assert_eq!(settled.response.facts().max_ns, 60_000_000);
    }

    #[test]
    fn an_injected_slowness_moves_what_it_names_by_exactly_its_ratio() {
        let responses = |inject: Inject| {
            let ledger = Ledger::new(&Schedule::Open(vec![20_000_000; 10]));
            for number in 0..9 {
                ledger.sent(number, 20 * MS);
                ledger.completed(number, MS * (21 + number as u32)); // 1 to 9 ms
            }
            ledger.sent(9, 20 * MS);
            ledger.failed(9);
            ledger.stretch(inject);
            let ended = ledger.lines.iter().map(|line| line.ended_ns.load(Relaxed));
            ended.filter(|ns| *ns < FAILED).map(|ns| ns / 1_000 - 20_000).collect::<Vec<_>>()
        };
        assert_eq!(
            responses(Inject { from_quantile: 0.0, ratio: 0.1 }),
            [1_100, 2_200, 3_300, 4_400, 5_500, 6_600, 7_700, 8_800, 9_900]
        );
        assert_eq!(
            responses(Inject { from_quantile: 0.8, ratio: 0.1 }),
            [1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_800, 9_900]
        );
    }

    #[test]
    fn response_runs_from_the_intended_start_and_service_from_the_send() {
        let ledger = Ledger::new(&Schedule::Open(vec![20_000_000]));
        ledger.sent(0, 50 * MS);
        ledger.completed(0, 51 * MS);
        let settled = ledger.sort(timeline(), Duration::MAX);
        let max = |series: &Series| series.facts().max_ns / 1_000_000;
        assert_eq!(
            (max(&settled.response), max(&settled.service), max(&settled.lateness)),
            (31, 1, 30)
        );
    }
}
