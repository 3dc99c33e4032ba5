//! Balancers: which server gets a request, and by what policy.

use lab_kit::seed::{self, Generator};
use lab_kit::sim::Nanos;
use rand::Rng as _;

use crate::servers::Servers;

/// How a balancer chooses a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The shortest of this many queues, drawn at random.
    BestOf(u64),
    /// The shortest of all queues; of equal ones, one at random.
    Least,
    /// Round robin, by this many balancers that do not know of each other.
    RoundRobin(u64),
    /// A copy in each of this many queues, drawn at random. The first copy that starts cancels the
    /// others, in no time: in effect the request goes where the least work is ahead of it, which
    /// the balancer need not know.
    Tied(u64),
}

/// A policy, and the queue lengths that it knows.
#[derive(Debug)]
pub(crate) struct Balancer {
    policy: Policy,
    /// How long known lengths are used before they are read again; 0 for current lengths.
    refresh: Nanos,
    known: Vec<usize>,
    next_look: Nanos,
    /// The latest server of each round-robin balancer.
    turns: Vec<usize>,
    /// The servers whose queues the current request compares.
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

    /// The server for a request that comes now.
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

    /// The server with the least `by` among `choices` servers drawn at random, or among all.
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

    /// Reads all lengths, if they are due and the policy uses them.
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

/// One of `count` numbers from 0 on, each equally likely.
pub(crate) fn one_of(count: usize, rng: &mut Generator) -> usize {
    (seed::unit(rng.next_u64()) * count as f64) as usize
}
