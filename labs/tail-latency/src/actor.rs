//! Runs the leaf's and the root's state machines on channels: what carries the messages further,
//! sockets or memory, they do not know.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use lab_kit::Clock;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::leaf::{self, Leaf};
use crate::message::{Answer, Ask, Cancel, Outcome, Reply, Request};
use crate::root::{self, Root, Tally};

/// What a leaf receives.
#[derive(Debug)]
pub enum ToLeaf {
    /// From the root, and where the answer goes.
    Ask(Ask, UnboundedSender<Answer>),
    /// From the twin.
    Cancel(Cancel),
}

/// Runs leaves until nobody can reach them any more: one behind a socket, all of a simulation's in
/// one task. A message names its leaf by index; `to_twin` takes a cancellation from a leaf.
pub async fn run_leaves(
    leaves: Vec<Leaf<UnboundedSender<Answer>>>,
    mut inbox: UnboundedReceiver<(usize, ToLeaf)>,
    to_twin: impl Fn(usize, Cancel),
    clock: Clock,
) {
    let mut agenda = Agenda::new(leaves.len());
    let mut leaves = leaves;
    let mut out = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        agenda.set(index, leaf.next_event());
    }
    loop {
        let mut message = tokio::select! {
            biased;
            message = inbox.recv() => match message {
                Some(message) => Some(message),
                None => return,
            },
            () = sleep_until(clock, agenda.next()) => None,
        };
        let now = clock.now();
        while let Some((index, to_leaf)) = message {
            receive(&mut leaves[index], now, to_leaf, &mut out);
            agenda.set(index, Some(now));
            message = inbox.try_recv().ok();
        }
        while let Some(index) = agenda.due(now) {
            leaves[index].advance(now, &mut out);
            agenda.set(index, leaves[index].next_event());
            for send in out.drain(..) {
                match send {
                    // Whoever is gone needs no answer.
                    leaf::Send::Answer(to, answer) => drop(to.send(answer).ok()),
                    leaf::Send::Cancel(cancel) => to_twin(index, cancel),
                }
            }
        }
    }
}

fn receive(
    leaf: &mut Leaf<UnboundedSender<Answer>>,
    now: Duration,
    message: ToLeaf,
    out: &mut Vec<leaf::Send<UnboundedSender<Answer>>>,
) {
    match message {
        ToLeaf::Ask(ask, address) => leaf.ask(now, ask, address, out),
        ToLeaf::Cancel(cancel) => leaf.cancel(cancel, out),
    }
}

/// When each leaf has something to do. An entry of the heap counts only while it is its leaf's
/// latest: moving a leaf costs a push, and no search.
struct Agenda {
    heap: BinaryHeap<Reverse<(Duration, usize)>>,
    latest: Vec<Option<Duration>>,
}

impl Agenda {
    fn new(leaves: usize) -> Self {
        Self { heap: BinaryHeap::new(), latest: vec![None; leaves] }
    }

    fn set(&mut self, leaf: usize, at: Option<Duration>) {
        if let Some(at) = at
            && self.latest[leaf] != Some(at)
        {
            self.heap.push(Reverse((at, leaf)));
        }
        self.latest[leaf] = at;
    }

    /// The next time at which some leaf may have something to do.
    fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes a leaf that has something to do by `now`.
    fn due(&mut self, now: Duration) -> Option<usize> {
        while let Some(Reverse((at, leaf))) = self.heap.peek().copied()
            && at <= now
        {
            self.heap.pop();
            if self.latest[leaf] == Some(at) {
                self.latest[leaf] = None;
                return Some(leaf);
            }
        }
        None
    }
}

/// Sends to a replica (0 or 1) of a shard; false where it is gone.
pub type ToReplica = Box<dyn Fn(u32, u8, ToLeaf) -> bool>;

/// The channels that a root lives on.
pub struct RootChannels {
    /// From clients, with the way back.
    pub requests: UnboundedReceiver<(Request, UnboundedSender<Reply>)>,
    /// From leaves.
    pub answers: UnboundedReceiver<Answer>,
    /// The way back, for leaves in memory.
    pub answer_to: UnboundedSender<Answer>,
    /// Sends to a replica of a shard; false where it is gone.
    pub to_leaf: ToReplica,
    /// Ends the root.
    pub stop: oneshot::Receiver<()>,
}

/// Runs a root until it is stopped, and gives what it found.
pub async fn run_root(
    mut root: Root<UnboundedSender<Reply>>,
    mut channels: RootChannels,
    clock: Clock,
) -> Tally {
    let mut out = Vec::new();
    loop {
        let next_event = root.next_event();
        tokio::select! {
            biased;
            _ = &mut channels.stop => return root.into_tally(),
            Some((request, client)) = channels.requests.recv() => {
                root.request(clock.now(), request, client, &mut out);
            }
            Some(answer) = channels.answers.recv() => {
                let now = clock.now();
                root.answer(now, answer, &mut out);
                while let Ok(answer) = channels.answers.try_recv() {
                    root.answer(now, answer, &mut out);
                }
            }
            () = sleep_until(clock, next_event) => {}
        }
        root.advance(clock.now(), &mut out);
        for send in out.drain(..) {
            deliver(send, &channels);
        }
    }
}

fn deliver(send: root::Send<UnboundedSender<Reply>>, channels: &RootChannels) {
    match send {
        root::Send::Ask { shard, replica, ask } => {
            let message = ToLeaf::Ask(ask, channels.answer_to.clone());
            if !(channels.to_leaf)(shard, replica, message) {
                let lost = Answer { id: ask.id, shard, replica, outcome: Outcome::Refused };
                let _ = channels.answer_to.send(lost);
            }
        }
        root::Send::Reply(client, reply) => {
            let _ = client.send(reply);
        }
    }
}

async fn sleep_until(clock: Clock, at: Option<Duration>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_due_once_at_its_latest_time() {
        let ms = Duration::from_millis;
        let mut agenda = Agenda::new(3);
        agenda.set(0, Some(ms(5)));
        agenda.set(1, Some(ms(3)));
        agenda.set(1, Some(ms(3)));
        agenda.set(0, Some(ms(2))); // sooner
        agenda.set(2, Some(ms(1)));
        agenda.set(2, None);
        assert_eq!(agenda.due(ms(0)), None);
        let due: Vec<usize> = std::iter::from_fn(|| agenda.due(ms(10))).collect();
        assert_eq!(due, [0, 1]);
        assert_eq!(agenda.next(), None);
    }
}
