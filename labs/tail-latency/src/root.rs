//! The root: asks every shard, and decides when to ask twice and when enough have answered.
//!
//! A state machine like the leaf: given what arrives and when, it says what to send. A [`Policy`]
//! is data; `lib.rs` gives each variant its policy.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use lab_kit::{Series, Timeline};

use crate::hedging::{Budget, HedgeDelay};
use crate::message::{Answer, Ask, CopyOutcome, Reply, Request};
use crate::shard::Answers;
use crate::slowness::primary;

/// When a second copy is sent, and how many shards must answer.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// The share of shards that must answer before the root replies; 1 waits for all.
    pub fraction: f64,
    /// When the other replica is asked.
    pub second: Second,
}

/// When the other replica of a shard is asked.
#[derive(Debug, Clone)]
pub(crate) enum Second {
    /// It is not asked.
    Never,
    /// It gets the same request if the first replica has not answered `after` this delay and the
    /// budget allows it.
    Hedge { after: HedgeDelay, budget: Budget },
    /// It gets the same request `after` this time, and each replica knows of the other: the one
    /// that starts first cancels its twin's copy.
    Tie { after: Duration },
}

/// What the root measured, for requests of the measured span.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Time from a request's arrival at the root to the reply.
    pub root: Series,
    /// Time from a request's arrival at the root until 95 % of the shards have answered.
    pub root_95: Series,
    /// Time from a copy's arrival at a leaf to its start.
    pub leaf_wait: Series,
    /// Time from a copy's start to its end.
    pub leaf_service: Series,
    /// Time from sending a first copy to its answer, at the root.
    pub leaf_response: Series,
    /// Parts of requests: requests × shards.
    pub parts: u64,
    /// Second copies sent.
    pub seconds: u64,
    /// Copies that did not run because their twin did.
    pub cancelled: u64,
    /// Copies that ran although their twin ran too.
    pub duplicates: u64,
    /// First copies whose two messages, there and back, took longer than the delay between tied
    /// copies.
    pub late_messages: u64,
    /// Copies that a leaf refused, or that were lost with it.
    pub refused: u64,
    /// Requests with a part that a leaf's background work held up.
    pub held_up: u64,
    /// Requests answered.
    pub answered: u64,
}

/// What the root wants sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Send<C> {
    /// To one replica of a shard.
    Ask { shard: u32, replica: u8, ask: Ask },
    /// To the client that asked.
    Reply(C, Reply),
}

/// A root. A `C` is the client that waits for a request.
#[derive(Debug)]
pub(crate) struct Root<C> {
    seed: u64,
    policy: Policy,
    right: Arc<Answers>,
    pending: BTreeMap<u64, Pending<C>>,
    timers: BinaryHeap<Reverse<(Duration, u64)>>,
    warmup: Duration,
    tally: Tally,
}

#[derive(Debug)]
struct Pending<C> {
    client: C,
    key: u16,
    asked_at: Duration,
    parts: Vec<Part>,
    /// Number of shards that have answered.
    answered: usize,
    /// Number of answers at which the reply is sent.
    enough: usize,
    /// Copies sent and not accounted for; at 0, with the reply sent, the request is over.
    copies_out: usize,
    right: bool,
    held_up: bool,
    replied: bool,
}

/// One shard's part of a request.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    primary: u8,
    copies_out: u8,
    answered: bool,
}

impl<C: Clone> Root<C> {
    /// A root over shards with these correct answers.
    pub(crate) fn new(seed: u64, policy: Policy, right: Arc<Answers>, timeline: Timeline) -> Self {
        Self {
            seed,
            policy,
            right,
            pending: BTreeMap::new(),
            timers: BinaryHeap::new(),
            warmup: timeline.warmup,
            tally: Tally::new(timeline),
        }
    }

    /// A request arrives: its first copies leave.
    pub(crate) fn request(
        &mut self,
        now: Duration,
        request: Request,
        client: C,
        out: &mut Vec<Send<C>>,
    ) {
        let Request { id, key } = request;
        let shards = self.right.shards();
        let ask = Ask { id, key, tied: matches!(self.policy.second, Second::Tie { .. }) };
        let mut parts = Vec::with_capacity(shards);
        for shard in 0..shards as u32 {
            let replica = primary(self.seed, id, shard);
            parts.push(Part { primary: replica, copies_out: 1, answered: false });
            out.push(Send::Ask { shard, replica, ask });
        }
        if let Some(second_at) = self.second_copies_at(now, shards) {
            self.timers.push(Reverse((second_at, id)));
        }
        let pending = Pending {
            client,
            key,
            asked_at: now,
            parts,
            answered: 0,
            enough: share_of(self.policy.fraction, shards),
            copies_out: shards,
            right: true,
            held_up: false,
            replied: false,
        };
        self.pending.insert(id, pending);
        if now >= self.warmup {
            self.tally.parts += shards as u64;
        }
    }

    /// A leaf answers. An answer to nothing that was asked is ignored.
    pub(crate) fn answer(&mut self, now: Duration, answer: Answer, out: &mut Vec<Send<C>>) {
        let Some(pending) = self.pending.get_mut(&answer.id) else { return };
        let Some(part) = pending.parts.get_mut(answer.shard as usize) else { return };
        if part.copies_out == 0 {
            return;
        }
        part.copies_out -= 1;
        pending.copies_out -= 1;
        let counts = pending.asked_at >= self.warmup;
        match answer.outcome {
            CopyOutcome::Done { checksum, wait_ns, service_ns, held_up } => {
                let at_ns = pending.asked_at.as_nanos() as u64;
                self.tally.leaf_wait.record_ns(at_ns, wait_ns);
                self.tally.leaf_service.record_ns(at_ns, service_ns);
                if answer.replica == part.primary {
                    let took = now - pending.asked_at;
                    self.tally.leaf_response.record(pending.asked_at, took);
                    self.policy.observe(took);
                    if let Second::Tie { after } = self.policy.second {
                        let messages =
                            (took.as_nanos() as u64).saturating_sub(wait_ns + service_ns);
                        let late = Duration::from_nanos(messages) > after;
                        self.tally.late_messages += u64::from(counts && late);
                    }
                }
                self.tally.duplicates += u64::from(counts && part.answered);
                let expected = self.right.get(answer.shard, pending.key);
                pending.right &= expected == Some(checksum);
                pending.held_up |= held_up;
                self.tally.settle_part(now, pending, answer.shard);
            }
            CopyOutcome::Cancelled => self.tally.cancelled += u64::from(counts),
            CopyOutcome::Refused => {
                self.tally.refused += u64::from(counts);
                if part.copies_out == 0 && !part.answered {
                    pending.right = false;
                    self.tally.settle_part(now, pending, answer.shard);
                }
            }
        }
        if pending.answered >= pending.enough && !pending.replied {
            pending.replied = true;
            let reply = Reply { id: answer.id, right: pending.right };
            out.push(Send::Reply(pending.client.clone(), reply));
            self.tally.root.record(pending.asked_at, now - pending.asked_at);
            self.tally.answered += u64::from(counts);
            self.tally.held_up += u64::from(counts && pending.held_up);
        }
        if pending.replied && pending.copies_out == 0 {
            self.pending.remove(&answer.id);
        }
    }

    /// Sends the second copies that are due.
    pub(crate) fn advance(&mut self, now: Duration, out: &mut Vec<Send<C>>) {
        while self.timers.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            if let Some(Reverse((_, id))) = self.timers.pop() {
                self.send_seconds(id, out);
            }
        }
    }

    /// When [`Root::advance`] next has something to do.
    pub(crate) fn next_event(&self) -> Option<Duration> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// Requests not yet accounted for, late copies included.
    #[cfg(test)]
    fn unsettled(&self) -> usize {
        self.pending.len()
    }

    /// The root's tally.
    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    fn second_copies_at(&mut self, now: Duration, parts: usize) -> Option<Duration> {
        match &mut self.policy.second {
            Second::Never => None,
            Second::Hedge { after, budget } => {
                budget.earn(parts);
                Some(now + after.get()?)
            }
            Second::Tie { after } => Some(now + *after),
        }
    }

    fn send_seconds(&mut self, id: u64, out: &mut Vec<Send<C>>) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let tied = match &self.policy.second {
            Second::Never => return,
            Second::Hedge { .. } if pending.replied => return,
            Second::Hedge { .. } => false,
            Second::Tie { .. } => true,
        };
        for (shard, part) in pending.parts.iter_mut().enumerate().filter(|(_, p)| !p.answered) {
            if let Second::Hedge { budget, .. } = &mut self.policy.second
                && !budget.spend()
            {
                return;
            }
            part.copies_out += 1;
            pending.copies_out += 1;
            self.tally.seconds += u64::from(pending.asked_at >= self.warmup);
            let ask = Ask { id, key: pending.key, tied };
            out.push(Send::Ask { shard: shard as u32, replica: 1 - part.primary, ask });
        }
    }
}

/// The number of shards in a `fraction` of `shards`; at least one.
fn share_of(fraction: f64, shards: usize) -> usize {
    // 0.95 × 20 is a hair more than 19.
    ((fraction * shards as f64 - 1e-9).ceil() as usize).clamp(1, shards)
}

impl Policy {
    /// Waits for every shard and asks each once.
    pub(crate) const ALL: Self = Self { fraction: 1.0, second: Second::Never };

    fn observe(&mut self, leaf_response: Duration) {
        if let Second::Hedge { after, .. } = &mut self.second {
            after.observe(leaf_response);
        }
    }
}

impl Tally {
    fn new(timeline: Timeline) -> Self {
        let series = || Series::new(timeline);
        Self {
            root: series(),
            root_95: series(),
            leaf_wait: series(),
            leaf_service: series(),
            leaf_response: series(),
            parts: 0,
            seconds: 0,
            cancelled: 0,
            duplicates: 0,
            late_messages: 0,
            refused: 0,
            held_up: 0,
            answered: 0,
        }
    }

    /// The first answer of a part counts towards the reply.
    fn settle_part<C>(&mut self, now: Duration, pending: &mut Pending<C>, shard: u32) {
        let part = &mut pending.parts[shard as usize];
        if part.answered {
            return;
        }
        part.answered = true;
        pending.answered += 1;
        if pending.answered == share_of(0.95, pending.parts.len()) {
            self.root_95.record(pending.asked_at, now - pending.asked_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn root(shards: usize, policy: Policy) -> Root<()> {
        let timeline = Timeline { warmup: Duration::ZERO, measure: 1_000 * MS, interval: 100 * MS };
        let right = Arc::new(Answers::from_iter(vec![vec![7]; shards]));
        Root::new(1, policy, right, timeline)
    }

    fn done(shard: u32, replica: u8, checksum: u32) -> Answer {
        let outcome = CopyOutcome::Done { checksum, wait_ns: 0, service_ns: 0, held_up: false };
        Answer { id: 1, shard, replica, outcome }
    }

    /// Starts request 1 and returns the replicas that were asked, by shard.
    fn start(root: &mut Root<()>) -> Vec<u8> {
        let mut out = Vec::new();
        root.request(Duration::ZERO, Request { id: 1, key: 0 }, (), &mut out);
        out.iter()
            .map(|send| match send {
                Send::Ask { replica, .. } => *replica,
                Send::Reply(..) => panic!("no leaf has answered"),
            })
            .collect()
    }

    fn hedge_after(delay: Duration, budget: f64) -> Policy {
        let second = Second::Hedge { after: HedgeDelay::fixed(delay), budget: Budget::new(budget) };
        Policy { fraction: 1.0, second }
    }

    #[test]
    fn the_slowest_shard_decides_and_a_wrong_answer_is_counted() {
        for (last, right) in [(7, true), (8, false)] {
            let mut root = root(3, Policy::ALL);
            let asked = start(&mut root);
            let mut out = Vec::new();
            root.answer(2 * MS, done(0, asked[0], 7), &mut out);
            root.answer(3 * MS, done(2, asked[2], 7), &mut out);
            assert!(out.is_empty());
            root.answer(90 * MS, done(1, asked[1], last), &mut out);
            assert_eq!(out, [Send::Reply((), Reply { id: 1, right })]);
            assert_eq!(root.unsettled(), 0);
            assert_eq!(root.tally.root.facts().max_ns, 90_000_000);
        }
    }

    #[test]
    fn good_enough_answers_early_and_still_accounts_for_the_late() {
        let mut root = root(20, Policy { fraction: 0.95, second: Second::Never });
        let asked = start(&mut root);
        let mut out = Vec::new();
        for shard in 0..19 {
            assert!(out.is_empty());
            root.answer(MS, done(shard, asked[shard as usize], 7), &mut out);
        }
        assert_eq!(out.len(), 1);
        assert_eq!(root.unsettled(), 1);
        root.answer(90 * MS, done(19, asked[19], 7), &mut out);
        assert_eq!((out.len(), root.unsettled()), (1, 0));
    }

    #[test]
    fn a_hedge_goes_to_the_other_replica_of_the_shards_that_are_late() {
        let mut root = root(3, hedge_after(10 * MS, 1.0));
        let asked = start(&mut root);
        let mut out = Vec::new();
        root.answer(MS, done(0, asked[0], 7), &mut out);
        root.answer(MS, done(2, asked[2], 7), &mut out);
        assert_eq!(root.next_event(), Some(10 * MS));
        root.advance(10 * MS, &mut out);
        let ask = Ask { id: 1, key: 0, tied: false };
        assert_eq!(out, [Send::Ask { shard: 1, replica: 1 - asked[1], ask }]);
        out.clear();
        root.answer(12 * MS, done(1, 1 - asked[1], 7), &mut out);
        assert_eq!(out.len(), 1, "the second copy answers for the first");
        root.answer(99 * MS, done(1, asked[1], 7), &mut out);
        assert_eq!((out.len(), root.unsettled()), (1, 0));
        assert_eq!((root.tally.seconds, root.tally.duplicates), (1, 1));
    }

    #[test]
    fn the_budget_bounds_the_hedges() {
        let mut root = root(100, hedge_after(10 * MS, 0.1));
        start(&mut root);
        let mut out = Vec::new();
        root.advance(10 * MS, &mut out);
        assert_eq!(out.len(), 10, "a tenth of 100 parts");
    }

    #[test]
    fn a_cancelled_tied_copy_settles_without_running() {
        let mut root = root(1, Policy { fraction: 1.0, second: Second::Tie { after: MS } });
        let asked = start(&mut root);
        let mut out = Vec::new();
        root.advance(MS, &mut out);
        let ask = Ask { id: 1, key: 0, tied: true };
        assert_eq!(out, [Send::Ask { shard: 0, replica: 1 - asked[0], ask }]);
        let cancelled = Answer { outcome: CopyOutcome::Cancelled, ..done(0, 1 - asked[0], 0) };
        root.answer(2 * MS, cancelled, &mut out);
        root.answer(5 * MS, done(0, asked[0], 7), &mut out);
        assert_eq!((root.tally.cancelled, root.tally.duplicates), (1, 0));
        assert_eq!(root.unsettled(), 0);
    }

    #[test]
    fn unsolicited_answers_are_ignored() {
        let mut root = root(1, Policy::ALL);
        let asked = start(&mut root);
        let mut out = Vec::new();
        root.answer(MS, done(9, 0, 7), &mut out);
        root.answer(MS, Answer { id: 5, ..done(0, 0, 7) }, &mut out);
        root.answer(MS, done(0, asked[0], 7), &mut out);
        root.answer(MS, done(0, asked[0], 7), &mut out);
        assert_eq!((out.len(), root.tally.duplicates), (1, 0));
    }

    #[test]
    fn a_lost_leaf_fails_the_request_unless_its_twin_answers() {
        let refused = |replica| Answer { outcome: CopyOutcome::Refused, ..done(0, replica, 0) };
        let mut alone = root(1, Policy::ALL);
        let asked = start(&mut alone);
        let mut out = Vec::new();
        alone.answer(MS, refused(asked[0]), &mut out);
        assert_eq!(out, [Send::Reply((), Reply { id: 1, right: false })]);

        let mut hedged = root(1, hedge_after(MS, 1.0));
        let asked = start(&mut hedged);
        out.clear();
        hedged.advance(MS, &mut out);
        hedged.answer(2 * MS, refused(asked[0]), &mut out);
        hedged.answer(3 * MS, done(0, 1 - asked[0], 7), &mut out);
        assert_eq!(out.last(), Some(&Send::Reply((), Reply { id: 1, right: true })));
    }
}
