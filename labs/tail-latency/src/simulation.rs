//! A trial in simulated time: the same root and leaves, with channels for a network.

use std::time::Duration;

use lab_kit::{Clock, Ledger, Schedule, pace_simulated, seed, simulate};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

use crate::actor::{RootChannels, ToLeaf, run_leaves, run_root};
use crate::leaf::Leaf;
use crate::message::{Reply, Request};
use crate::root::{Root, Tally};
use crate::setup::{Found, Setup};
use crate::shard::{Data, KEYS};

/// The streams of message delays, one for each link.
const DELAYS: u64 = 1_000;

/// Runs the trial to its end.
///
/// # Errors
/// The runtime cannot be built.
pub fn run(setup: &Setup) -> anyhow::Result<Found> {
    let Schedule::Open(starts) = setup.schedule() else {
        unreachable!("this lab's clients keep a schedule")
    };
    simulate(|clock| trial(setup, starts, clock))
}

async fn trial(setup: &Setup, starts: Vec<u64>, clock: Clock) -> Found {
    let ledger = Ledger::new(&Schedule::Open(starts.clone()), setup.timeline);
    let (requests, requests_in) = unbounded_channel();
    let (replies, replies_in) = unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let root = spawn_root(setup, requests_in, stopped, clock);
    let client = spawn_local(client(replies_in, ledger.clone(), clock));

    pace_simulated(&starts, clock, |number, intended| {
        ledger.sent(number, intended);
        let request = Request { id: number as u64, key: (number % usize::from(KEYS)) as u16 };
        let _ = requests.send((request, replies.clone()));
    })
    .await;
    while ledger.in_flight() > 0 && clock.now() < setup.deadline() {
        clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
    }
    ledger.heard_until(clock.now());
    drop(stop);
    let tally = root.await.expect("the root does not panic");
    client.abort();
    Found { clock, ledger, tally }
}

async fn client(
    mut replies: UnboundedReceiver<Reply>,
    ledger: std::sync::Arc<Ledger>,
    clock: Clock,
) {
    while let Some(Reply { id, right }) = replies.recv().await {
        let (number, now) = (id as usize, clock.now());
        if right { ledger.completed(number, now) } else { ledger.failed(number, now) }
    }
}

fn spawn_root(
    setup: &Setup,
    requests: UnboundedReceiver<(Request, UnboundedSender<Reply>)>,
    stop: oneshot::Receiver<()>,
    clock: Clock,
) -> JoinHandle<Tally> {
    let right = setup.right_answers();
    let mut leaves = Vec::new();
    for (shard, answers) in (0..).zip(&right) {
        let data = Data::Answers(answers.as_slice().into());
        leaves.extend([0, 1].map(|replica| Leaf::new(setup.leaf(shard, replica), data.clone())));
    }
    let link = |name| Link { mean: setup.message_delay, seed: setup.seed, name, clock };
    let (inbox, messages) = unbounded_channel();
    let (from_root, from_twin) = (link(0).delay(inbox.clone()), link(1).delay(inbox));
    let to_twin = move |leaf, cancel| {
        // Replicas stand side by side: 0 and 1, 2 and 3.
        let _ = from_twin.send((leaf ^ 1, ToLeaf::Cancel(cancel)));
    };
    spawn_local(run_leaves(leaves, messages, to_twin, clock));

    let (answer_to, answers) = unbounded_channel();
    let answer_to = link(2).delay(answer_to);
    let to_leaf = Box::new(move |shard: u32, replica: u8, message| {
        from_root.send((2 * shard as usize + usize::from(replica), message)).is_ok()
    });
    let root = Root::new(setup.seed, setup.policy.clone(), right, setup.timeline);
    let channels = RootChannels { requests, answers, answer_to, to_leaf, stop };
    spawn_local(run_root(root, channels, clock))
}

/// Messages between the machines of a trial. Each takes half to one and a half times the mean
/// delay, its own time: a later message may overtake an earlier one, as between connections.
struct Link {
    mean: Duration,
    seed: u64,
    name: u64,
    clock: Clock,
}

impl Link {
    /// Puts the delay before `to`; without one, there is nothing between.
    fn delay<T: 'static>(self, to: UnboundedSender<T>) -> UnboundedSender<T> {
        if self.mean.is_zero() {
            return to;
        }
        let (from, mut inbox) = unbounded_channel();
        spawn_local(async move {
            let mut count = 0;
            while let Some(message) = inbox.recv().await {
                count += 1;
                let luck = seed::uniform(self.seed, &[DELAYS, self.name, count]);
                let at = self.clock.now() + self.mean.mul_f64(0.5 + luck);
                let (clock, to) = (self.clock, to.clone());
                spawn_local(async move {
                    clock.sleep_until(at).await;
                    let _ = to.send(message);
                });
            }
        });
        from
    }
}
