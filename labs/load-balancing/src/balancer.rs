//! Who decides where a request goes, and by what.

use lab_kit::seed::{self, Generator};
use lab_kit::sim::Nanos;
use rand::Rng as _;

use crate::servers::Servers;

/// What a balancer goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The shortest of so many queues, drawn at random; of one, just that.
    BestOf(u64),
    /// The shortest queue of all; of several, one of them at random.
    Least,
    /// Each server in its turn, by so many balancers that do not know of each other.
    RoundRobin(u64),
    /// A copy in each of so many queues, drawn at random. The first that starts cancels the others, and
    /// that takes no time: what counts is the work before them, which nobody has to know.
    Tied(u64),
}

/// A policy, and the queue lengths that it knows.
#[derive(Debug)]
pub(crate) struct Balancer {
    policy: Policy,
    /// How long lengths are used until they are looked at again; 0: they are those of the moment.
    refresh: Nanos,
    known: Vec<usize>,
    next_look: Nanos,
    /// The next server of each balancer that takes turns.
    turns: Vec<usize>,
    /// Servers that a request looks at.
    drawn: Vec<usize>,
    rng: Generator,
}

impl Balancer {
    pub(crate) fn new(policy: Policy, refresh: Nanos, servers: usize, mut rng: Generator) -> Self {
        let balancers = if let Policy::RoundRobin(balancers) = policy { balancers } else { 0 };
        let turns = (0..balancers).map(|_| one_of(servers, &mut rng)).collect();
        let (known, drawn) = (vec![0; servers], Vec::new());
        Self { policy, refresh, known, next_look: 0, turns, drawn, rng }
    }

    /// The server for the request of this moment.
    pub(crate) fn choose(&mut self, now: Nanos, servers: &mut Servers) -> usize {
        let all = servers.count();
        self.look(now, servers);
        match self.policy {
            Policy::Least => {
                let least = self.known.iter().min().copied().unwrap_or(0);
                let ties = self.known.iter().filter(|length| **length == least).count();
                let nth = one_of(ties, &mut self.rng);
                let equal = self.known.iter().enumerate().filter(|(_, length)| **length == least);
                equal.map(|(server, _)| server).nth(nth).unwrap_or(0)
            }
            Policy::RoundRobin(balancers) => {
                let turn = &mut self.turns[one_of(balancers as usize, &mut self.rng)];
                *turn = (*turn + 1) % all;
                *turn
            }
            Policy::BestOf(choices) if self.refresh > 0 => {
                self.best(choices, all, |known, server| known[server])
            }
            Policy::BestOf(1) => one_of(all, &mut self.rng),
            Policy::BestOf(choices) => {
                self.best(choices, all, |_, server| servers.length(now, server))
            }
            Policy::Tied(choices) => {
                self.best(choices, all, |_, server| servers.free_at(now, server) as usize)
            }
        }
    }

    /// The least of so many servers, drawn at random, or of all.
    fn best(
        &mut self,
        choices: u64,
        all: usize,
        mut by: impl FnMut(&[usize], usize) -> usize,
    ) -> usize {
        self.drawn.clear();
        while self.drawn.len() < all.min(choices as usize) {
            let server = one_of(all, &mut self.rng);
            if !self.drawn.contains(&server) {
                self.drawn.push(server);
            }
        }
        let least = self.drawn.iter().min_by_key(|server| by(&self.known, **server));
        least.copied().unwrap_or(0)
    }

    /// Notes all lengths, where it is time to and they matter.
    fn look(&mut self, now: Nanos, servers: &mut Servers) {
        let all_matter = self.refresh > 0 || self.policy == Policy::Least;
        if !all_matter || now < self.next_look {
            return;
        }
        for (server, known) in self.known.iter_mut().enumerate() {
            *known = servers.length(now, server);
        }
        self.next_look = now - now.checked_rem(self.refresh).unwrap_or(0) + self.refresh;
    }
}

/// One of so many, each as likely.
pub(crate) fn one_of(count: usize, rng: &mut Generator) -> usize {
    (seed::unit(rng.next_u64()) * count as f64) as usize
}
