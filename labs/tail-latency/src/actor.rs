//! Runs the leaf's and the root's state machines in real time, on channels that sockets feed.

use std::time::Duration;

use lab_kit::Clock;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::leaf::{self, Leaf};
use crate::message::{Answer, Ask, Cancel, CopyOutcome, Reply, Request};
use crate::root::{self, Root, Tally};

/// What a leaf receives.
#[derive(Debug)]
pub(crate) enum ToLeaf {
    /// From the root, with the channel for the answer.
    Ask(Ask, UnboundedSender<Answer>),
    /// From the twin.
    Cancel(Cancel),
}

/// Runs a leaf until nothing can reach it any more; `to_twin` takes its cancellations.
pub(crate) async fn run_leaf(
    mut leaf: Leaf<UnboundedSender<Answer>>,
    mut inbox: UnboundedReceiver<ToLeaf>,
    to_twin: impl Fn(Cancel),
    clock: Clock,
) {
    let mut out = Vec::new();
    loop {
        let mut message = tokio::select! {
            biased;
            message = inbox.recv() => match message {
                Some(message) => Some(message),
                None => return,
            },
            () = sleep_until(clock, leaf.next_event()) => None,
        };
        let now = clock.now();
        while let Some(to_leaf) = message {
            receive(&mut leaf, now, to_leaf, &mut out);
            message = inbox.try_recv().ok();
        }
        leaf.advance(now, &mut out);
        for send in out.drain(..) {
            match send {
                // A caller that is gone needs no answer.
                leaf::Send::Answer(to, answer) => drop(to.send(answer).ok()),
                leaf::Send::Cancel(cancel) => to_twin(cancel),
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

/// Sends to a replica (0 or 1) of a shard; false if the replica is gone.
pub(crate) type ToReplica = Box<dyn Fn(u32, u8, ToLeaf) -> bool>;

/// The channels of a root.
pub(crate) struct RootChannels {
    /// Requests from clients, each with the channel for its reply.
    pub requests: UnboundedReceiver<(Request, UnboundedSender<Reply>)>,
    /// Answers from leaves.
    pub answers: UnboundedReceiver<Answer>,
    /// The other end of `answers`, for copies that cannot be delivered.
    pub answer_to: UnboundedSender<Answer>,
    /// Sends to a replica of a shard; false if the replica is gone.
    pub to_leaf: ToReplica,
    /// Ends the root.
    pub stop: oneshot::Receiver<()>,
}

/// Runs a root until it is stopped, and returns its tally.
pub(crate) async fn run_root(
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
                let lost = Answer { id: ask.id, shard, replica, outcome: CopyOutcome::Refused };
                let _ = channels.answer_to.send(lost);
            }
        }
        root::Send::Reply(client, reply) => {
            let _ = client.send(reply);
        }
    }
}

/// Sleeps until `at`, which tokio rounds up to its next millisecond: good enough to simulate a
/// device.
async fn sleep_until(clock: Clock, at: Option<Duration>) {
    match at {
        Some(at) => tokio::time::sleep(at.saturating_sub(clock.now())).await,
        None => std::future::pending().await,
    }
}
