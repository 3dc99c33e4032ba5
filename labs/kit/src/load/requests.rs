//! A client's requests: when each one starts, is retried and is given up. Without a clock and
//! without sockets, so that they are the same in real and in simulated time.

use std::collections::VecDeque;
use std::time::Duration;

use super::client::Client;
use super::frame::Answer;
use super::retries::Retrier;
use crate::arrivals::Schedule;
use crate::ledger::Ledger;

/// In a frame's number, the bits below this one are the request, the rest are the attempt.
const NUMBERS: u64 = 1 << 40;

/// The requests of a trial, to come, in flight and ended.
pub(super) struct Requests<'a> {
    client: Client,
    ledger: &'a Ledger,
    starts: Starts<'a>,
    /// The number of requests that have started or were dropped.
    started: usize,
    /// The latest attempt of each request, sent or scheduled; entries from `started` on are unused.
    attempts: Vec<u32>,
    /// The retry state of each connection's client.
    retriers: Vec<Retrier>,
    /// Scheduled retries, the soonest first.
    again: VecDeque<Due>,
    /// Attempts that may time out, the soonest first.
    timeouts: VecDeque<Due>,
    sent: u64,
}

/// An attempt of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) number: usize,
    /// Which attempt of the request: 1 is the first.
    pub(super) attempt: u32,
}

impl Attempt {
    /// The number of this attempt's frame.
    pub(super) fn id(self) -> u64 {
        self.number as u64 + NUMBERS * u64::from(self.attempt)
    }

    /// The attempt whose frame has this number.
    pub(super) fn of_id(id: u64) -> Self {
        Self { number: (id % NUMBERS) as usize, attempt: (id / NUMBERS) as u32 }
    }
}

/// An attempt, and when it is to be sent or times out.
#[derive(Clone, Copy)]
struct Due {
    at: Duration,
    of: Attempt,
}

fn pop_due(queue: &mut VecDeque<Due>, now: Duration) -> Option<Attempt> {
    let first = queue.front().filter(|due| due.at <= now)?.of;
    queue.pop_front();
    Some(first)
}

impl<'a> Requests<'a> {
    pub(super) fn new(client: Client, schedule: &'a Schedule, ledger: &'a Ledger) -> Self {
        Self {
            client,
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
        while self.timeouts.front().is_some_and(|due| self.is_settled(due.of)) {
            self.timeouts.pop_front();
        }
        let others = [self.again.front(), self.timeouts.front()];
        others.into_iter().flatten().map(|due| due.at).chain(self.next_start()).min()
    }

    fn is_settled(&self, Attempt { number, attempt }: Attempt) -> bool {
        self.ledger.has_ended(number) || self.attempts[number] != attempt
    }

    /// When the next request starts, while the ledger has room for it.
    fn next_start(&self) -> Option<Duration> {
        let at = self.starts.next().filter(|_| self.started < self.attempts.len())?;
        let tick_ns = self.client.tick.as_nanos().max(1) as u64;
        Some(Duration::from_nanos((at.as_nanos() as u64).next_multiple_of(tick_ns)))
    }

    /// The next attempt that is due `now`, a retry or a first one, recorded as sent.
    pub(super) fn next_to_send(&mut self, now: Duration) -> Option<Attempt> {
        while let Some(retry) = pop_due(&mut self.again, now) {
            if !self.is_settled(retry) {
                self.ledger.sent_again(retry.number, now);
                return Some(self.send(retry, now));
            }
        }
        while let Some(at) = self.next_start()
            && at <= now
        {
            self.starts.take();
            let number = self.started;
            self.started += 1;
            if self.ledger.in_flight() < self.client.at_most_in_flight {
                self.attempts[number] = 1;
                self.ledger.sent(number, now);
                return Some(self.send(Attempt { number, attempt: 1 }, now));
            }
            self.ledger.dropped(number);
            self.starts.ended(at);
        }
        None
    }

    fn send(&mut self, of: Attempt, now: Duration) -> Attempt {
        self.sent += 1;
        self.timeouts.push_back(Due { at: now + self.client.timeout, of });
        of
    }

    /// Retries attempts that have timed out, or gives their requests up.
    pub(super) fn expire(&mut self, now: Duration) {
        while let Some(of) = pop_due(&mut self.timeouts, now) {
            if !self.is_settled(of) && !self.retry(of.number, now) {
                self.ledger.timed_out(of.number, now);
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
        let next = Due { at: now + pause, of: Attempt { number, attempt: attempt + 1 } };
        self.again.insert(self.again.partition_point(|other| other.at <= next.at), next);
        true
    }

    /// No answer to this request can come any more.
    pub(super) fn abandon(&mut self, number: usize, now: Duration) {
        self.ledger.abandoned(number, now);
        self.starts.ended(now);
    }

    /// A reply to an attempt came at `now`.
    pub(super) fn take(&mut self, of: Attempt, says: Answer, now: Duration) {
        let Attempt { number, attempt } = of;
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
    pub(super) fn break_off(&mut self, connection: usize, now: Duration) {
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
