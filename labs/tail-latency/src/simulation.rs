//! A trial in simulated time: the same root and leaves, and an agenda for what lies between them.

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
/// The requests outgrow the simulation.
pub fn run(setup: &Setup) -> anyhow::Result<Found> {
    let schedule = setup.schedule();
    let ledger = Ledger::new(&schedule, setup.timeline);
    let Schedule::Open(starts) = schedule else {
        unreachable!("this lab's clients keep a schedule")
    };
    let mut trial = Trial::new(setup, ledger.clone())?;
    let mut starts = (0..).zip(&starts);
    let mut next = move |agenda: &mut Agenda<Event>| {
        let Some((number, at)) = starts.next() else { return false };
        agenda.at(*at, Event::Request(number));
        true
    };
    let mut more = next(&mut trial.agenda);
    while let Some(event) = trial.agenda.step()? {
        if matches!(event, Event::Request(_)) {
            more = next(&mut trial.agenda);
        }
        trial.happens(event);
        if !more && ledger.in_flight() == 0 {
            break;
        }
    }
    // Who has no answer yet has waited to the end.
    ledger.heard_until(setup.deadline());
    Ok(Found { clock: None, ledger, tally: trial.root.into_tally() })
}

/// What happens; leaves by their index, in which replicas stand side by side: 0 and 1, 2 and 3.
enum Event {
    Request(usize),
    Ask(u32, Ask),
    Cancel(u32, Cancel),
    Answer(Answer),
    /// A leaf has something to do.
    Leaf(u32),
    /// The root has.
    Root,
}

struct Trial {
    agenda: Agenda<Event>,
    ledger: Arc<Ledger>,
    root: Root<()>,
    root_alarm: Alarm,
    leaves: Vec<(Leaf<()>, Alarm)>,
    /// Between all machines, where messages take any time.
    link: Option<(Link, seed::Generator)>,
    from_root: Vec<root::Send<()>>,
    from_leaf: Vec<leaf::Send<()>>,
}

impl Trial {
    fn new(setup: &Setup, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        let right = setup.right_answers();
        let mut leaves = Vec::new();
        for (shard, answers) in (0..).zip(&right) {
            let data = Data::Answers(answers.as_slice().into());
            let leaf = |replica| Leaf::new(setup.leaf(shard, replica), data.clone());
            leaves.extend([0, 1].map(|replica| (leaf(replica), Alarm::new())));
        }
        let mut trial = Self {
            agenda: Agenda::until(setup.deadline().as_nanos() as u64),
            ledger,
            root: Root::new(setup.seed, setup.policy.clone(), right, setup.timeline),
            root_alarm: Alarm::new(),
            leaves,
            link: link(setup)?,
            from_root: Vec::new(),
            from_leaf: Vec::new(),
        };
        (0..trial.leaves.len() as u32).for_each(|index| trial.call_leaf(Duration::ZERO, index));
        Ok(trial)
    }

    fn happens(&mut self, event: Event) {
        let now_ns = self.agenda.now();
        let now = Duration::from_nanos(now_ns);
        match event {
            Event::Request(number) => {
                self.ledger.sent(number, now);
                let key = (number % usize::from(KEYS)) as u16;
                let request = Request { id: number as u64, key };
                self.root.request(now, request, (), &mut self.from_root);
                self.call_root(now);
            }
            Event::Ask(index, ask) => {
                self.leaves[index as usize].0.ask(now, ask, (), &mut self.from_leaf);
                self.call_leaf(now, index);
            }
            Event::Cancel(index, cancel) => {
                self.leaves[index as usize].0.cancel(cancel, &mut self.from_leaf);
                self.call_leaf(now, index);
            }
            Event::Answer(answer) => {
                self.root.answer(now, answer, &mut self.from_root);
                self.call_root(now);
            }
            Event::Leaf(index) if self.leaves[index as usize].1.rings(now_ns) => {
                self.call_leaf(now, index);
            }
            Event::Root if self.root_alarm.rings(now_ns) => self.call_root(now),
            Event::Leaf(_) | Event::Root => {}
        }
    }

    fn call_leaf(&mut self, now: Duration, index: u32) {
        let (leaf, alarm) = &mut self.leaves[index as usize];
        leaf.advance(now, &mut self.from_leaf);
        alarm.set(&mut self.agenda, nanos(leaf.next_event()), || Event::Leaf(index));
        let mut from_leaf = std::mem::take(&mut self.from_leaf);
        for send in from_leaf.drain(..) {
            self.send(match send {
                leaf::Send::Answer((), answer) => Event::Answer(answer),
                leaf::Send::Cancel(cancel) => Event::Cancel(index ^ 1, cancel),
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
                    self.send(Event::Ask(2 * shard + u32::from(replica), ask));
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
    fn send(&mut self, message: Event) {
        let now = self.agenda.now();
        let link = self.link.as_mut();
        let arrives = link.map_or(Some(now), |(link, rng)| link.send(now, 0, rng));
        if let Some(at) = arrives {
            self.agenda.at(at, message);
        }
    }
}

/// Each message takes half to one and a half times the mean delay, its own time: a later one may
/// overtake an earlier one, as between connections.
fn link(setup: &Setup) -> anyhow::Result<Option<(Link, seed::Generator)>> {
    let mean = setup.message_delay.as_nanos() as f64;
    let delay = Distribution::uniform(0.5 * mean, 1.5 * mean)?;
    let rng = seed::rng(setup.seed, &[DELAYS]);
    Ok((mean > 0.0).then_some((Link::new(delay), rng)))
}

fn nanos(at: Option<Duration>) -> Option<u64> {
    at.map(|at| at.as_nanos() as u64)
}
