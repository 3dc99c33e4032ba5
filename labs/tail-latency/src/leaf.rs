//! A leaf: a FIFO queue, a few workers, real work, and the protocol of tied requests.
//!
//! A state machine without clock or sockets: given what arrives and the time, it says what to send
//! and when to call it again. Live servers and the simulation drive the same one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lab_kit::seed;

use crate::message::{Answer, Ask, Cancel, CopyOutcome};
use crate::shard::Data;
use crate::slowness::{Background, CHORE_GAP, CHORE_TIME, Copy, Service};

/// The longest queue before requests are refused: no client of this lab waits that long.
const QUEUE_LIMIT: usize = 100_000;
/// The most cancellations remembered for copies that have not arrived.
const CANCELLED_LIMIT: usize = 4_096;

/// What all leaves of a trial have in common.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Requests served at a time.
    pub workers: usize,
    /// Records to look up for a request.
    pub work: u64,
    /// The distribution of its service time.
    pub service: Service,
    /// Background work that stops it, if any.
    pub background: Option<Background>,
    /// Chores that queue among the requests, if any.
    pub chores: Option<Chores>,
    /// The trial's seed.
    pub seed: u64,
}

/// A Poisson stream of work that queues among the requests and delays them as they delay each
/// other. Simulated only: it occupies a worker, but no CPU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chores {
    /// Arrivals per millisecond.
    pub per_ms: f64,
    /// The time that one takes in milliseconds, from a uniform draw.
    pub takes_ms: fn(f64) -> f64,
}

/// A leaf. An `A` is the address for a copy's answer.
///
/// A simulation goes through thousands of leaves, so a leaf is small: rarely needed data is stored
/// elsewhere.
#[derive(Debug)]
pub(crate) struct Leaf<A> {
    config: Arc<Config>,
    /// The shard that it holds.
    shard: u32,
    /// Which of the shard's replicas it is, 0 or 1.
    replica: u8,
    data: Data,
    queue: VecDeque<Waiting<A>>,
    running: BinaryHeap<Reverse<Running<A>>>,
    /// When its current background work ends, in nanoseconds; [`NEVER`] if there is none.
    held_up_until_ns: u64,
    chores_come: u64,
    /// When its next chore comes, in nanoseconds; [`NEVER`] if none does.
    next_chore_ns: u64,
    /// `None` until a cancellation comes before its copy.
    cancelled: Option<Box<Cancelled>>,
}

/// A time that no trial reaches.
const NEVER: u64 = u64::MAX;

/// Copies that need not start, and the order in which their cancellations came.
#[derive(Debug, Default)]
struct Cancelled {
    ids: HashSet<u64>,
    order: VecDeque<u64>,
}

/// What a leaf wants sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Send<A> {
    /// To the root that asked.
    Answer(A, Answer),
    /// To the twin.
    Cancel(Cancel),
}

#[derive(Debug)]
struct Waiting<A> {
    job: Job<A>,
    since_ns: u64,
    held_up: bool,
}

#[derive(Debug)]
enum Job<A> {
    Copy(Ask, A),
    /// Work of the leaf itself, which takes this many nanoseconds and has no answer.
    Chore(u64),
}

#[derive(Debug)]
struct Running<A> {
    ends_ns: u64,
    started_ns: u64,
    checksum: u32,
    waiting: Waiting<A>,
}

impl<A> Leaf<A> {
    /// An idle leaf.
    pub(crate) fn new(config: Arc<Config>, shard: u32, replica: u8, data: Data) -> Self {
        let mut leaf = Self {
            config,
            shard,
            replica,
            data,
            queue: VecDeque::new(),
            running: BinaryHeap::new(),
            held_up_until_ns: NEVER,
            chores_come: 0,
            next_chore_ns: NEVER,
            cancelled: None,
        };
        leaf.next_chore_ns = leaf.chore_after(Duration::ZERO).map_or(NEVER, nanos);
        leaf
    }

    /// A copy arrives.
    pub(crate) fn ask(&mut self, now: Duration, ask: Ask, address: A, out: &mut Vec<Send<A>>) {
        let cancelled = self.cancelled.as_mut().filter(|_| ask.tied);
        if cancelled.is_some_and(|cancelled| cancelled.ids.remove(&ask.id)) {
            out.push(Send::Answer(address, self.answer(ask.id, CopyOutcome::Cancelled)));
        } else if self.queue.len() >= QUEUE_LIMIT {
            out.push(Send::Answer(address, self.answer(ask.id, CopyOutcome::Refused)));
        } else {
            let (job, since_ns) = (Job::Copy(ask, address), nanos(now));
            self.queue.push_back(Waiting { job, since_ns, held_up: false });
        }
    }

    /// The twin has started its copy. This leaf's copy leaves the queue; if it has not arrived yet,
    /// it will not enter; if it has started, both run, and the root counts a duplicate.
    pub(crate) fn cancel(&mut self, cancel: Cancel, out: &mut Vec<Send<A>>) {
        let of_this = |job: &Job<A>| matches!(job, Job::Copy(ask, _) if ask.id == cancel.id);
        if let Some(index) = self.queue.iter().position(|waiting| of_this(&waiting.job)) {
            if let Some(Waiting { job: Job::Copy(_, address), .. }) = self.queue.remove(index) {
                out.push(Send::Answer(address, self.answer(cancel.id, CopyOutcome::Cancelled)));
            }
        } else if !self.running.iter().any(|Reverse(running)| of_this(&running.waiting.job)) {
            self.cancelled.get_or_insert_default().remember(cancel.id);
        }
    }

    /// Ends jobs whose time is over, and starts waiting jobs on free workers.
    pub(crate) fn advance(&mut self, now: Duration, out: &mut Vec<Send<A>>) {
        self.take_up_chores(now);
        let now_ns = nanos(now);
        while self.running.peek().is_some_and(|Reverse(running)| running.ends_ns <= now_ns) {
            if let Some(Reverse(running)) = self.running.pop() {
                self.end(now_ns, running, out);
            }
        }
        self.held_up_until_ns = self.background_until(now).map_or(NEVER, nanos);
        if self.held_up_until_ns != NEVER {
            self.queue.iter_mut().for_each(|waiting| waiting.held_up = true);
            return;
        }
        while self.running.len() < self.config.workers
            && let Some(waiting) = self.queue.pop_front()
        {
            self.start(now_ns, waiting, out);
        }
    }

    /// When [`Leaf::advance`] next has something to do, if nothing arrives before.
    pub(crate) fn next_event(&self) -> Option<Duration> {
        let ends_ns = self.running.peek().map_or(NEVER, |Reverse(of)| of.ends_ns);
        let resumes_ns = if self.queue.is_empty() { NEVER } else { self.held_up_until_ns };
        let next_ns = ends_ns.min(resumes_ns).min(self.next_chore_ns);
        (next_ns != NEVER).then(|| Duration::from_nanos(next_ns))
    }

    fn start(&mut self, now_ns: u64, waiting: Waiting<A>, out: &mut Vec<Send<A>>) {
        let (checksum, takes_ns) = match waiting.job {
            Job::Chore(takes_ns) => (0, takes_ns),
            Job::Copy(Ask { id, key, tied }, _) => {
                if tied {
                    out.push(Send::Cancel(Cancel { id }));
                }
                let Config { seed, work, ref service, .. } = *self.config;
                let (shard, replica) = (self.shard, self.replica);
                let takes = service.time(Copy { seed, id, shard, replica });
                (self.data.look_up(shard, key, work), nanos(takes))
            }
        };
        let (started_ns, ends_ns) = (now_ns, now_ns + takes_ns);
        self.running.push(Reverse(Running { ends_ns, started_ns, checksum, waiting }));
    }

    fn end(&self, now_ns: u64, running: Running<A>, out: &mut Vec<Send<A>>) {
        let Running { started_ns, checksum, waiting, .. } = running;
        if let Job::Copy(ask, address) = waiting.job {
            let outcome = CopyOutcome::Done {
                checksum,
                wait_ns: started_ns - waiting.since_ns,
                service_ns: now_ns - started_ns,
                held_up: waiting.held_up,
            };
            out.push(Send::Answer(address, self.answer(ask.id, outcome)));
        }
    }

    fn take_up_chores(&mut self, now: Duration) {
        while self.next_chore_ns <= nanos(now)
            && let Some(chores) = self.config.chores
        {
            let since_ns = self.next_chore_ns;
            let takes_ms = (chores.takes_ms)(self.draw_for_chore(CHORE_TIME));
            let job = Job::Chore((takes_ms * 1e6) as u64);
            self.queue.push_back(Waiting { job, since_ns, held_up: false });
            self.chores_come += 1;
            let next = self.chore_after(Duration::from_nanos(since_ns));
            self.next_chore_ns = next.map_or(NEVER, nanos);
        }
    }

    fn chore_after(&self, last: Duration) -> Option<Duration> {
        let per_ms = self.config.chores?.per_ms;
        let gap_ms = seed::unit_exponential(self.draw_for_chore(CHORE_GAP)) / per_ms;
        Some(last + Duration::from_secs_f64(gap_ms / 1e3))
    }

    fn draw_for_chore(&self, purpose: u64) -> f64 {
        let (shard, replica) = (self.shard, self.replica);
        Copy { seed: self.config.seed, id: self.chores_come, shard, replica }.own(purpose)
    }

    fn background_until(&self, now: Duration) -> Option<Duration> {
        let leaf = u64::from(self.shard) << 8 | u64::from(self.replica);
        self.config.background.as_ref()?.busy_until(self.config.seed, leaf, now)
    }

    fn answer(&self, id: u64, outcome: CopyOutcome) -> Answer {
        Answer { id, shard: self.shard, replica: self.replica, outcome }
    }
}

impl Cancelled {
    fn remember(&mut self, id: u64) {
        if self.order.len() >= CANCELLED_LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.ids.insert(id);
        self.order.push_back(id);
    }
}

fn nanos(at: Duration) -> u64 {
    at.as_nanos() as u64
}

/// Running jobs are ordered by their end; equal ends by their start, so that a simulation repeats.
impl<A> Ord for Running<A> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let order = |of: &Self| (of.ends_ns, of.started_ns, of.waiting.since_ns);
        order(self).cmp(&order(other))
    }
}
impl<A> PartialOrd for Running<A> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<A> PartialEq for Running<A> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<A> Eq for Running<A> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::Answers;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_leaf_without_cancellations_fits_into_two_cache_lines() {
        assert!(size_of::<Leaf<()>>() <= 128, "{} bytes", size_of::<Leaf<()>>());
    }

    /// A leaf that serves every request in 10 ms.
    fn leaf(workers: usize, background: Option<Background>) -> Leaf<()> {
        let service = Service::SometimesSlow {
            typical: Duration::ZERO,
            slow: 10 * MS,
            slow_fraction: 1.0,
            correlation: 0.0,
        };
        let config = Config { workers, work: 1, service, background, chores: None, seed: 1 };
        Leaf::new(config.into(), 0, 0, Data::Answers(Answers::from_iter([vec![0]]).into()))
    }

    fn ask(id: u64) -> Ask {
        Ask { id, key: 0, tied: true }
    }

    fn outcomes(out: &[Send<()>]) -> Vec<(u64, &'static str)> {
        let name = |send: &Send<()>| match send {
            Send::Answer((), Answer { id, outcome: CopyOutcome::Done { .. }, .. }) => (*id, "done"),
            Send::Answer((), Answer { id, outcome: CopyOutcome::Cancelled, .. }) => {
                (*id, "cancelled")
            }
            Send::Answer((), Answer { id, outcome: CopyOutcome::Refused, .. }) => (*id, "refused"),
            Send::Cancel(Cancel { id }) => (*id, "cancel twin"),
        };
        out.iter().map(name).collect()
    }

    #[test]
    fn queued_requests_report_how_long_they_waited() {
        let (mut leaf, mut out) = (leaf(1, None), Vec::new());
        leaf.ask(Duration::ZERO, ask(1), (), &mut out);
        leaf.ask(2 * MS, ask(2), (), &mut out);
        for at in [2, 12, 22] {
            leaf.advance(at * MS, &mut out);
        }
        let done = |send: &Send<()>| match send {
            Send::Answer(
                _,
                Answer { outcome: CopyOutcome::Done { wait_ns, service_ns, .. }, .. },
            ) => Some((wait_ns / 1_000_000, service_ns / 1_000_000)),
            _ => None,
        };
        assert_eq!(out.iter().filter_map(done).collect::<Vec<_>>(), [(2, 10), (10, 10)]);
    }

    #[test]
    fn a_starting_copy_cancels_its_twin_which_never_runs() {
        let (mut leaf, mut out) = (leaf(1, None), Vec::new());
        leaf.cancel(Cancel { id: 3 }, &mut out); // before its copy arrives
        for id in [1, 2, 3] {
            leaf.ask(Duration::ZERO, ask(id), (), &mut out);
        }
        leaf.advance(Duration::ZERO, &mut out);
        leaf.cancel(Cancel { id: 2 }, &mut out); // queued
        leaf.cancel(Cancel { id: 1 }, &mut out); // running: too late
        leaf.advance(10 * MS, &mut out);
        let expected = [(3, "cancelled"), (1, "cancel twin"), (2, "cancelled"), (1, "done")];
        assert_eq!(outcomes(&out), expected);
        assert_eq!(leaf.next_event(), None);
    }

    #[test]
    fn requests_wait_for_background_work_and_are_marked() {
        let all = Background { duty_cycle: 1.0, period: 20 * MS, synchronized: true };
        let (mut leaf, mut out) = (leaf(1, Some(all)), Vec::new());
        leaf.ask(5 * MS, ask(1), (), &mut out);
        leaf.advance(5 * MS, &mut out);
        assert!(out.is_empty());
        assert_eq!(leaf.next_event(), Some(20 * MS));
        Arc::make_mut(&mut leaf.config).background = None;
        leaf.advance(20 * MS, &mut out);
        leaf.advance(30 * MS, &mut out);
        let held_up = out.iter().any(|send| {
            matches!(
                send,
                Send::Answer(_, Answer { outcome: CopyOutcome::Done { held_up: true, .. }, .. })
            )
        });
        assert!(held_up, "{out:?}");
    }

    #[test]
    fn a_chore_delays_the_request_behind_it_and_has_no_answer() {
        let (mut leaf, mut out) = (leaf(1, None), Vec::new());
        Arc::make_mut(&mut leaf.config).chores = Some(Chores { per_ms: 1e-9, takes_ms: |_| 30.0 });
        leaf.next_chore_ns = 0;
        leaf.advance(Duration::ZERO, &mut out);
        leaf.ask(Duration::ZERO, ask(1), (), &mut out);
        for at in [30, 40] {
            leaf.advance(at * MS, &mut out);
        }
        assert_eq!(outcomes(&out), [(1, "cancel twin"), (1, "done")]);
        let waited = out.iter().any(|send| {
            matches!(
                send,
                Send::Answer(
                    _,
                    Answer { outcome: CopyOutcome::Done { wait_ns: 30_000_000, .. }, .. }
                )
            )
        });
        assert!(waited, "{out:?}");
    }

    #[test]
    fn a_full_queue_refuses_and_forgotten_cancellations_are_few() {
        let (mut leaf, mut out) = (leaf(1, None), Vec::new());
        for id in 0..=QUEUE_LIMIT as u64 {
            leaf.ask(Duration::ZERO, ask(id), (), &mut out);
        }
        assert_eq!(outcomes(&out), [(QUEUE_LIMIT as u64, "refused")]);
        for id in 1_000_000..1_010_000 {
            leaf.cancel(Cancel { id }, &mut out);
        }
        assert_eq!(leaf.cancelled.unwrap().ids.len(), CANCELLED_LIMIT);
    }
}
