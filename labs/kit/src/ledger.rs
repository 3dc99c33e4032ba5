//! When every offered request was meant to start, when it was sent, and when and how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lab_record::End;

use crate::arrivals::Schedule;
use crate::clock::Clock;
use crate::series::Timeline;

mod settle;

/// One line for each request: when it was meant to start, when it was sent, when it ended and how.
///
/// The sender and the receiver write to it without locks or allocation. Histograms are filled from
/// it after the trial, so recording costs the timed path two stores. A request that was never sent
/// or never answered keeps its line: no offered request can go missing.
#[derive(Debug)]
pub struct Ledger {
    lines: Vec<Line>,
    timeline: Timeline,
    /// Second and further attempts, by the interval of the measured span in which they were sent.
    retries: Vec<AtomicU32>,
    /// Answers that no client waited for any more, by the interval in which they came.
    unwanted: Vec<AtomicU32>,
    started: AtomicU64,
    ended: AtomicU64,
    /// The latest reported time up to which the client listened for answers.
    heard_until_ns: AtomicU64,
}

#[derive(Debug)]
struct Line {
    intended_ns: AtomicU64,
    sent_ns: AtomicU64,
    /// The end's time in nanoseconds, with the [`End`] in the upper bits.
    ended: AtomicU64,
    retries: AtomicU32,
}

/// In any column: it has not happened yet.
const NEVER: u64 = u64::MAX;
/// In `sent_ns`: the bound on requests in flight was reached.
const DROPPED: u64 = u64::MAX - 1;

/// The ends, numbered by the upper bits of `ended`; the other 61 bits hold 73 years in nanoseconds.
const ENDS: [End; 5] = [End::Completed, End::Failed, End::Refused, End::TimedOut, End::Abandoned];
const TIME_BITS: u32 = 61;

impl Ledger {
    /// A ledger with a line for every request that `schedule` can start.
    pub fn new(schedule: &Schedule, timeline: Timeline) -> Arc<Self> {
        let line = |intended_ns| Line {
            intended_ns: AtomicU64::new(intended_ns),
            sent_ns: AtomicU64::new(NEVER),
            ended: AtomicU64::new(NEVER),
            retries: AtomicU32::new(0),
        };
        let lines = match schedule {
            Schedule::Open(starts) => starts.iter().map(|at| line(*at)).collect(),
            Schedule::Closed { at_most, .. } => (0..*at_most).map(|_| line(NEVER)).collect(),
        };
        Arc::new(Self {
            lines,
            timeline,
            retries: counters(timeline),
            unwanted: counters(timeline),
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            heard_until_ns: AtomicU64::new(0),
        })
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

    /// Request `number`, sent before, is sent once more: a retry or a hedge.
    pub fn sent_again(&self, number: usize, at: Duration) {
        self.lines[number].retries.fetch_add(1, Relaxed);
        if let Some(interval) = self.timeline.interval_of(at.as_nanos() as u64) {
            self.retries[interval].fetch_add(1, Relaxed);
        }
    }

    /// Request `number` is never sent: too many are in flight.
    pub fn dropped(&self, number: usize) {
        self.lines[number].sent_ns.store(DROPPED, Relaxed);
    }

    /// Request `number` was answered correctly.
    pub fn completed(&self, number: usize, at: Duration) {
        self.end(number, End::Completed, at);
    }

    /// Request `number` was answered wrongly.
    pub fn failed(&self, number: usize, at: Duration) {
        self.end(number, End::Failed, at);
    }

    /// Request `number` was answered with a refusal.
    pub fn refused(&self, number: usize, at: Duration) {
        self.end(number, End::Refused, at);
    }

    /// An answer came after its request had ended, so no client waited for it. It cost the server
    /// as much as any other, and counts in the rate `throughput`.
    pub fn answered_unwanted(&self, at: Duration) {
        if let Some(interval) = self.timeline.interval_of(at.as_nanos() as u64) {
            self.unwanted[interval].fetch_add(1, Relaxed);
        }
    }

    /// The client stopped waiting for request `number`, at its timeout.
    pub fn timed_out(&self, number: usize, at: Duration) {
        self.end(number, End::TimedOut, at);
    }

    /// The client gave up request `number`, or its connection broke, so no answer can come.
    pub fn abandoned(&self, number: usize, at: Duration) {
        self.end(number, End::Abandoned, at);
    }

    /// The first end counts; an unknown number is ignored.
    fn end(&self, number: usize, end: End, at: Duration) {
        let Some(line) = self.lines.get(number) else { return };
        let code = ENDS.iter().position(|known| *known == end).expect("one of the five above");
        let ended = at.as_nanos() as u64 | (code as u64) << TIME_BITS;
        if line.ended.compare_exchange(NEVER, ended, Relaxed, Relaxed).is_ok() {
            self.ended.fetch_add(1, Relaxed);
        }
    }

    /// Whether request `number` has ended.
    pub fn has_ended(&self, number: usize) -> bool {
        self.lines.get(number).is_some_and(|line| line.ended.load(Relaxed) != NEVER)
    }

    /// When request `number` ended.
    pub fn ended_at(&self, number: usize) -> Option<Duration> {
        let (_, at_ns) = self.lines.get(number)?.read()?.ended?;
        Some(Duration::from_nanos(at_ns))
    }

    /// For each request that was sent: its intended start, and when it was sent.
    pub fn sent_at(&self) -> impl Iterator<Item = (Duration, Duration)> {
        let times = self.lines.iter().filter_map(|line| {
            let read = line.read()?;
            Some((read.intended_ns, read.sent_ns?))
        });
        times.map(|(intended, sent)| (Duration::from_nanos(intended), Duration::from_nanos(sent)))
    }

    /// The number of requests sent and not ended.
    pub fn in_flight(&self) -> u64 {
        self.started.load(Relaxed).saturating_sub(self.ended.load(Relaxed))
    }

    /// Waits, off the timed path, until no request is in flight or the trial has lasted `until`.
    pub fn drain(&self, clock: Clock, until: Duration) {
        while self.in_flight() > 0 && clock.now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.heard_until(clock.now());
    }

    /// The client listened for answers until `at`: a request without one has waited at least that
    /// long. [`Ledger::drain`] reports this itself.
    pub fn heard_until(&self, at: Duration) {
        self.heard_until_ns.fetch_max(at.as_nanos() as u64, Relaxed);
    }

    /// The number of requests of the measured span that took at least `threshold` from their
    /// intended start, and the sample size. A request that was never answered and has waited for
    /// less is in neither number.
    pub fn at_least(&self, threshold: Duration) -> (u64, u64) {
        let until_ns = self.last_heard_ns();
        let (mut hits, mut of) = (0, 0);
        for line in &self.lines {
            let Some(read) = line.read().filter(|read| self.timeline.measures(read.intended_ns))
            else {
                continue;
            };
            let (took_ns, exact) = match read.ended {
                Some((End::Completed, at_ns)) => (at_ns.saturating_sub(read.intended_ns), true),
                Some((End::Failed | End::Refused, _)) => continue,
                Some((_, at_ns)) => (at_ns.saturating_sub(read.intended_ns), false),
                None => (until_ns.saturating_sub(read.intended_ns), false),
            };
            let slow = Duration::from_nanos(took_ns) >= threshold;
            hits += u64::from(slow);
            of += u64::from(slow || exact);
        }
        (hits, of)
    }

    /// The last moment at which the client is known to have listened.
    fn last_heard_ns(&self) -> u64 {
        let of_line = |read: Read| {
            let ended = read.ended.map_or(0, |(_, at_ns)| at_ns);
            ended.max(read.sent_ns.unwrap_or(0))
        };
        let seen = self.lines.iter().filter_map(Line::read).map(of_line).max();
        self.heard_until_ns.load(Relaxed).max(seen.unwrap_or(0))
    }
}

fn counters(timeline: Timeline) -> Vec<AtomicU32> {
    (0..timeline.intervals()).map(|_| AtomicU32::new(0)).collect()
}

/// A snapshot of a line.
#[derive(Debug, Clone, Copy)]
struct Read {
    intended_ns: u64,
    /// `None` if it was dropped or its turn never came; both count as dropped.
    sent_ns: Option<u64>,
    ended: Option<(End, u64)>,
    attempts: u64,
}

impl Line {
    /// `None` for a request that a closed loop never reached.
    fn read(&self) -> Option<Read> {
        let (intended_ns, sent) = (self.intended_ns.load(Relaxed), self.sent_ns.load(Relaxed));
        let ended = self.ended.load(Relaxed);
        let end = ENDS.get((ended >> TIME_BITS) as usize);
        let sent_ns = (sent < DROPPED).then_some(sent);
        (intended_ns != NEVER).then(|| Read {
            intended_ns,
            sent_ns,
            ended: end.map(|end| (*end, ended & ((1 << TIME_BITS) - 1))),
            attempts: u64::from(sent_ns.is_some()) + u64::from(self.retries.load(Relaxed)),
        })
    }
}

#[cfg(test)]
mod tests;
