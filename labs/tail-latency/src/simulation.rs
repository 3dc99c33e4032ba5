//! A trial in simulated time: the same root and leaves, with an agenda in place of the network.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::sim::{Agenda, Alarm, Distribution, Link};
use lab_kit::{Ledger, Schedule, seed};

use crate::leaf::{self, Leaf};
use crate::message::{Answer, Ask, Cancel, Request};
use crate::root::{self, Root};
use crate::setup::{Found, Setup};
use crate::shard::{Data, KEYS};

/// The stream of message delays.
const DELAYS: u64 = 1_000;

/// Runs the trial to its end.
///
/// # Errors
/// The pending events exceed the agenda's bound.
pub(crate) fn run(setup: &Setup) -> anyhow::Result<Found> {
    let schedule = setup.schedule();
    let ledger = Ledger::new(&schedule, setup.timeline);
    let Schedule::Open(starts) = schedule else {
        unreachable!("this lab's clients keep a schedule")
    };
    let mut simulation = Simulation::new(setup, ledger.clone())?;
    let mut starts = (0..).zip(&starts);
    let mut next = move |agenda: &mut Agenda<Event>| {
        let Some((number, at)) = starts.next() else { return false };
        agenda.at(*at, Event::Request(number));
        true
    };
    let mut more = next(&mut simulation.agenda);
    while let Some(event) = simulation.agenda.step()? {
        if matches!(event, Event::Request(_)) {
            more = next(&mut simulation.agenda);
        }
        simulation.happens(event);
        if !more && ledger.in_flight() == 0 {
            break;
        }
    }
    // A request without an answer has waited until the end.
    ledger.heard_until(setup.deadline());
    Ok(Found { clock: None, ledger, tally: simulation.root.into_tally() })
}

/// An event. Leaves are numbered so that the replicas of a shard are adjacent: 0 and 1, 2 and 3.
enum Event {
    Request(u32),
    /// A leaf has something to do.
    Leaf(u32),
    /// The root has something to do.
    Root,
    /// A delayed message arrives. On the heap: an agenda of small events is faster.
    Arrives(Box<Message>),
}

/// A message from one machine to another.
enum Message {
    Ask(u32, Ask),
    Cancel(u32, Cancel),
    Answer(Answer),
}

struct Simulation {
    agenda: Agenda<Event>,
    ledger: Arc<Ledger>,
    root: Root<()>,
    root_alarm: Alarm,
    leaves: Vec<(Leaf<()>, Alarm)>,
    /// The network between all machines, if messages take time.
    link: Option<(Link, seed::Generator)>,
    /// Messages that arrive at once, if messages take no time.
    arrived: VecDeque<Message>,
    from_root: Vec<root::Send<()>>,
    from_leaf: Vec<leaf::Send<()>>,
}

impl Simulation {
    fn new(setup: &Setup, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        let (right, config) = (Arc::new(setup.right_answers()), Arc::new(setup.leaf()));
        let leaf = |index: u32| {
            let (shard, replica) = (index / 2, (index % 2) as u8);
            let data = Data::Answers(right.clone());
            (Leaf::new(config.clone(), shard, replica, data), Alarm::new())
        };
        let leaves = (0..2 * setup.leaves).map(leaf).collect();
        let mut simulation = Self {
            agenda: Agenda::until(setup.deadline().as_nanos() as u64),
            ledger,
            root: Root::new(setup.seed, setup.policy.clone(), right, setup.timeline),
            root_alarm: Alarm::new(),
            leaves,
            link: link(setup)?,
            arrived: VecDeque::new(),
            from_root: Vec::new(),
            from_leaf: Vec::new(),
        };
        (0..simulation.leaves.len() as u32)
            .for_each(|index| simulation.call_leaf(Duration::ZERO, index));
        Ok(simulation)
    }

    fn happens(&mut self, event: Event) {
        let now_ns = self.agenda.now();
        let now = Duration::from_nanos(now_ns);
        match event {
            Event::Request(number) => {
                self.ledger.sent(number as usize, now);
                let key = (number % u32::from(KEYS)) as u16;
                let request = Request { id: u64::from(number), key };
                self.root.request(now, request, (), &mut self.from_root);
                self.call_root(now);
            }
            Event::Leaf(index) if self.leaves[index as usize].1.rings(now_ns) => {
                self.call_leaf(now, index);
            }
            Event::Root if self.root_alarm.rings(now_ns) => self.call_root(now),
            Event::Leaf(_) | Event::Root => {}
            Event::Arrives(message) => self.receive(now, *message),
        }
        while let Some(message) = self.arrived.pop_front() {
            self.receive(now, message);
        }
    }

    fn receive(&mut self, now: Duration, message: Message) {
        match message {
            Message::Ask(index, ask) => {
                self.leaves[index as usize].0.ask(now, ask, (), &mut self.from_leaf);
                self.call_leaf(now, index);
            }
            Message::Cancel(index, cancel) => {
                self.leaves[index as usize].0.cancel(cancel, &mut self.from_leaf);
                self.call_leaf(now, index);
            }
            Message::Answer(answer) => {
                self.root.answer(now, answer, &mut self.from_root);
                self.call_root(now);
            }
        }
    }

    fn call_leaf(&mut self, now: Duration, index: u32) {
        let (leaf, alarm) = &mut self.leaves[index as usize];
        leaf.advance(now, &mut self.from_leaf);
        alarm.set(&mut self.agenda, nanos(leaf.next_event()), || Event::Leaf(index));
        let mut from_leaf = std::mem::take(&mut self.from_leaf);
        for send in from_leaf.drain(..) {
            self.send(match send {
                leaf::Send::Answer((), answer) => Message::Answer(answer),
                leaf::Send::Cancel(cancel) => Message::Cancel(index ^ 1, cancel),
            });
        }
        self.from_leaf = from_leaf;
    }

    fn call_root(&mut self, now: Duration) {
        self.root.advance(now, &mut self.from_root);
        self.root_alarm.set(&mut self.agenda, nanos(self.root.next_event()), || Event::Root);
        let mut from_root = std::mem::take(&mut self.from_root);
        for send in from_root.drain(..) {
            match send {
                root::Send::Ask { shard, replica, ask } => {
                    self.send(Message::Ask(2 * shard + u32::from(replica), ask));
                }
                root::Send::Reply((), reply) if reply.right => {
                    self.ledger.completed(reply.id as usize, now);
                }
                root::Send::Reply((), reply) => self.ledger.failed(reply.id as usize, now),
            }
        }
        self.from_root = from_root;
    }

    /// A message leaves one machine for another.
    fn send(&mut self, message: Message) {
        let Some((link, rng)) = &mut self.link else { return self.arrived.push_back(message) };
        if let Some(at) = link.send(self.agenda.now(), 0, rng) {
            self.agenda.at(at, Event::Arrives(Box::new(message)));
        }
    }
}

/// Each message takes its own time, half to one and a half times the mean delay or exponential: a
/// later one may overtake an earlier one, as across connections.
fn link(setup: &Setup) -> anyhow::Result<Option<(Link, seed::Generator)>> {
    let mean = setup.message_delay.as_nanos() as f64;
    if mean == 0.0 {
        return Ok(None);
    }
    let delay = if setup.exponential_messages {
        Distribution::exponential(mean)?
    } else {
        Distribution::uniform(0.5 * mean, 1.5 * mean)?
    };
    Ok(Some((Link::new(delay), seed::rng(setup.seed, &[DELAYS]))))
}

fn nanos(at: Option<Duration>) -> Option<u64> {
    at.map(|at| at.as_nanos() as u64)
}
