//! A client's requests: when each one starts, is retried and is given up.

use std::collections::VecDeque;
use std::time::Duration;

use super::client::Client;
use super::frame::{self, Answer};
use super::peers::Peers;
use super::retries::Retrier;
use crate::arrivals::Schedule;
use crate::clock::Clock;
use crate::ledger::Ledger;

/// In a frame's number, the bits below this one are the request, the rest are the attempt.
const NUMBERS: u64 = 1 << 40;

/// The requests of a trial, to come, in flight and ended.
pub(super) struct Requests<'a, W> {
    client: Client,
    work: W,
    clock: Clock,
    ledger: &'a Ledger,
    starts: Starts<'a>,
    /// The number of requests that have started or were dropped.
    started: usize,
    /// The latest attempt of each request, sent or scheduled; entries from `started` on are unused.
    attempts: Vec<u32>,
    /// The retry state of each connection's client.
    retriers: Vec<Retrier>,
    /// Scheduled retries, the soonest first.
    again: VecDeque<Attempt>,
    /// Attempts that may time out, the soonest first.
    timeouts: VecDeque<Attempt>,
    sent: u64,
}

/// An attempt and the time at which it is due.
#[derive(Clone, Copy)]
struct Attempt {
    at: Duration,
    number: usize,
    /// Which attempt of the request: 1 is the first.
    attempt: u32,
}

impl<'a, W: Fn(usize) -> Duration> Requests<'a, W> {
    pub(super) fn new(
        client: Client,
        schedule: &'a Schedule,
        work: W,
        clock: Clock,
        ledger: &'a Ledger,
    ) -> Self {
        Self {
            client,
            work,
            clock,
            ledger,
            starts: Starts::of(schedule),
            started: 0,
            attempts: vec![0; schedule.capacity()],
            retriers: vec![Retrier::new(client.retries); client.connections],
            again: VecDeque::with_capacity(schedule.capacity()),
            timeouts: VecDeque::with_capacity(schedule.capacity()),
            sent: 0,
        }
    }

    /// Attempts sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// When there is something to do even if no answer comes.
    pub(super) fn next_event(&mut self) -> Option<Duration> {
        // Attempts that were answered meanwhile do not time out.
        while self.timeouts.front().is_some_and(|attempt| self.is_settled(*attempt)) {
            self.timeouts.pop_front();
        }
        let others = [self.again.front(), self.timeouts.front()];
        let others = others.into_iter().flatten().map(|attempt| attempt.at);
        others.chain(self.next_start()).min()
    }

    fn is_settled(&self, attempt: Attempt) -> bool {
        self.ledger.has_ended(attempt.number) || self.attempts[attempt.number] != attempt.attempt
    }

    /// When the next request starts, while the ledger has room for it.
    fn next_start(&self) -> Option<Duration> {
        let at = self.starts.next().filter(|_| self.started < self.attempts.len())?;
        let tick_ns = self.client.tick.as_nanos().max(1) as u64;
        Some(Duration::from_nanos((at.as_nanos() as u64).next_multiple_of(tick_ns)))
    }

    /// Sends all retries and requests that are due.
    pub(super) fn start(&mut self, peers: &mut Peers) {
        while let Some(attempt) = self.again.front().copied()
            && attempt.at <= self.clock.now()
        {
            self.again.pop_front();
            if !self.is_settled(attempt) {
                self.send(attempt.number, peers);
            }
        }
        while let Some(at) = self.next_start()
            && at <= self.clock.now()
        {
            self.starts.take();
            let number = self.started;
            self.started += 1;
            if self.ledger.in_flight() >= self.client.at_most_in_flight {
                self.ledger.dropped(number);
                self.starts.ended(at);
            } else {
                self.send(number, peers);
            }
        }
    }

    fn send(&mut self, number: usize, peers: &mut Peers) {
        let now = self.clock.now();
        let attempt = self.attempts[number].max(1);
        self.attempts[number] = attempt;
        self.sent += 1;
        if attempt == 1 {
            self.ledger.sent(number, now);
        } else {
            self.ledger.sent_again(number, now);
        }
        let id = number as u64 + NUMBERS * u64::from(attempt);
        let frame = frame::request(id, (self.work)(number));
        if !peers.queue(number % peers.count(), &frame) {
            return self.abandon(number, now);
        }
        let at = now + self.client.timeout;
        self.timeouts.push_back(Attempt { at, number, attempt });
    }

    /// Retries attempts that have timed out, or gives their requests up.
    pub(super) fn expire(&mut self, now: Duration) {
        while let Some(attempt) = self.timeouts.front().copied()
            && attempt.at <= now
        {
            self.timeouts.pop_front();
            if !self.is_settled(attempt) && !self.retry(attempt.number, now) {
                self.ledger.timed_out(attempt.number, now);
                self.starts.ended(now);
            }
        }
    }

    /// Schedules the next attempt, if there is to be one, and returns whether there is.
    fn retry(&mut self, number: usize, now: Duration) -> bool {
        let attempt = self.attempts[number];
        let connection = number % self.client.connections;
        let Some(pause) = self.retriers[connection].failed(number, attempt, now) else {
            return false;
        };
        self.attempts[number] = attempt + 1;
        let next = Attempt { at: now + pause, number, attempt: attempt + 1 };
        self.again.insert(self.again.partition_point(|other| other.at <= next.at), next);
        true
    }

    fn abandon(&mut self, number: usize, now: Duration) {
        self.ledger.abandoned(number, now);
        self.starts.ended(now);
    }

    /// A reply came at `now`.
    pub(super) fn take(&mut self, id: u64, says: Answer, now: Duration) {
        let (number, attempt) = ((id & (NUMBERS - 1)) as usize, (id / NUMBERS) as u32);
        let ours = self.attempts.get(number).is_some_and(|sent| (1..=*sent).contains(&attempt));
        if !ours {
            return;
        }
        if self.ledger.has_ended(number) {
            if says != Answer::Refused {
                self.ledger.answered_unwanted(now);
            }
            return;
        }
        match says {
            Answer::Correct => {
                self.retriers[number % self.client.connections].succeeded();
                self.ledger.completed(number, now);
            }
            Answer::Wrong => self.ledger.failed(number, now),
            // A later attempt is on its way.
            Answer::Refused if attempt < self.attempts[number] => return,
            Answer::Refused if self.retry(number, now) => return,
            Answer::Refused => self.ledger.refused(number, now),
        }
        self.starts.ended(now);
    }

    /// A connection is closed: no request sent on it can be answered.
    pub(super) fn break_off(&mut self, connection: usize) {
        let now = self.clock.now();
        for number in (connection..self.started).step_by(self.client.connections) {
            if self.attempts[number] > 0 && !self.ledger.has_ended(number) {
                self.abandon(number, now);
            }
        }
    }
}

/// When the next request that is no retry starts.
enum Starts<'a> {
    Open(std::slice::Iter<'a, u64>),
    Closed {
        /// When each thinking client asks next, the soonest first.
        ready: VecDeque<Duration>,
        think: Duration,
        until: Duration,
    },
}

impl<'a> Starts<'a> {
    fn of(schedule: &'a Schedule) -> Self {
        match schedule {
            Schedule::Open(starts) => Self::Open(starts.iter()),
            Schedule::Closed { clients, until, think, .. } => Self::Closed {
                ready: (0..*clients).map(|_| Duration::ZERO).collect(),
                think: *think,
                until: *until,
            },
        }
    }

    fn next(&self) -> Option<Duration> {
        match self {
            Self::Open(left) => left.as_slice().first().map(|ns| Duration::from_nanos(*ns)),
            Self::Closed { ready, until, .. } => ready.front().copied().filter(|at| at < until),
        }
    }

    fn take(&mut self) {
        match self {
            Self::Open(left) => drop(left.next()),
            Self::Closed { ready, .. } => drop(ready.pop_front()),
        }
    }

    /// A request has ended: the user who waited for it thinks.
    fn ended(&mut self, now: Duration) {
        if let Self::Closed { ready, think, .. } = self {
            let next = now + *think;
            // Replies that were read together may have come in another order.
            ready.insert(ready.partition_point(|at| *at <= next), next);
        }
    }
}
