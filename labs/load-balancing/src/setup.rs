//! A trial's set-up: requests, the balancer that spreads them, and the servers.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::ensure;
use lab_kit::sim::{Distribution, Nanos, Profile, Spacing};
use lab_kit::{Ctx, seed};

use crate::balancer::{Balancer, Policy};
use crate::servers::Servers;

/// The most requests of a trial: more would take minutes.
const MOST: f64 = 1e8;
/// The smallest sample size of a trial, in requests: fewer say nothing.
const FEWEST: f64 = 100.0;
/// A trial must be at least this many times as long as `refresh` and `probe`.
const LOOKS: u32 = 4;
/// The share of a trial that does not count, since servers begin idle.
const WARM_UP: f64 = 0.1;

/// Purposes of random numbers, each with a stream of its own.
const ARRIVALS: u64 = 0;
const WORK: u64 = 1;
const CHOICE: u64 = 2;

/// What a trial simulates.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    pub(crate) servers: u64,
    /// The utilisation of each server.
    pub(crate) load: f64,
    /// How long known lengths are used before they are read again.
    pub(crate) refresh: Duration,
    /// The time from the probe of the queues to a request's arrival at its server.
    pub(crate) probe: Duration,
    pub(crate) span: Duration,
    pub(crate) work: Distribution,
    pub(crate) spacing: Spacing,
    pub(crate) seed: u64,
}

impl Setup {
    /// Reads the knobs. `None` if the trial could show nothing: then it is invalid, with the
    /// reasons.
    ///
    /// # Errors
    /// None: the work is a knob with bounds.
    pub(crate) fn of(ctx: &mut Ctx) -> anyhow::Result<Option<Self>> {
        let mean = ctx.duration("service").as_nanos() as f64;
        let work = match ctx.text("sizes") {
            "equal" => Distribution::constant(mean)?,
            _ => Distribution::exponential(mean)?,
        };
        let spacing = if ctx.text("arrivals") == "even" { Spacing::Even } else { Spacing::Poisson };
        let choices = ctx.int("choices");
        let policy = match ctx.text("policy") {
            "best-of" => Policy::BestOf(choices),
            "round-robin" => Policy::RoundRobin(ctx.int("balancers")),
            "least" => Policy::Least,
            _ => Policy::Tied(choices),
        };
        let setup = Self {
            policy,
            servers: ctx.int("servers"),
            load: ctx.float("load"),
            refresh: ctx.duration("refresh"),
            probe: ctx.duration("probe"),
            span: ctx.timeline().span(),
            work,
            spacing,
            seed: ctx.seed(),
        };
        let reasons = setup.reasons();
        reasons.iter().for_each(|reason| ctx.invalid(reason));
        Ok(reasons.is_empty().then_some(setup))
    }

    /// The reasons why a trial could show nothing.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.requests() < FEWEST {
            reasons.push(format!(
                "too few requests at load {1} in {2:?} to tell anything: {0:.0}",
                self.requests(),
                self.load,
                self.span
            ));
        }
        for (what, length) in
            [("lengths are known anew every", self.refresh), ("a request comes after", self.probe)]
        {
            if length > self.span / LOOKS {
                reasons.push(format!("{what} {length:?}, and the trial lasts {:?}", self.span));
            }
        }
        reasons
    }

    /// The expected number of requests.
    fn requests(&self) -> f64 {
        self.load * self.servers as f64 * self.span.as_nanos() as f64 / self.work.mean()
    }

    /// The mean work of a request in nanoseconds.
    pub(crate) fn mean_work(&self) -> f64 {
        self.work.mean()
    }

    /// When the warm-up ends, in nanoseconds: from then on requests count.
    pub(crate) fn warm(&self) -> Nanos {
        self.span.mul_f64(WARM_UP).as_nanos() as Nanos
    }

    /// Sends all requests. Calls `look` at the servers every `every`, and `each` with the arrival
    /// time and response time of each request that counts.
    ///
    /// # Errors
    /// The requests are too many.
    pub(crate) fn run(
        &self,
        every: Nanos,
        mut look: impl FnMut(Nanos, &mut Servers),
        mut each: impl FnMut(Nanos, Nanos),
    ) -> anyhow::Result<()> {
        ensure!(
            self.requests() <= MOST,
            "{:.0} requests are too many: fewer servers, a lower load, a longer service or a shorter trial",
            self.requests()
        );
        let rng = |purpose| seed::rng(self.seed, &[purpose]);
        let rate = 1e9 * self.load * self.servers as f64 / self.work.mean();
        let profile = Profile::new().hold(rate, self.span)?;
        let mut works = rng(WORK);
        let mut servers = Servers::new(self.servers);
        let refresh = self.refresh.as_nanos() as Nanos;
        let mut balancer = Balancer::new(self.policy, refresh, servers.count(), rng(CHOICE));
        let (probe, warm) = (self.probe.as_nanos() as Nanos, self.warm());
        let mut next_look = every;
        let mut looks = |until: Nanos, servers: &mut Servers| {
            while next_look <= until {
                look(next_look, servers);
                next_look += every;
            }
        };
        let mut on_the_way: VecDeque<(Nanos, usize)> = VecDeque::new();
        for now in profile.starts(self.span, self.spacing, rng(ARRIVALS))? {
            // Requests that have arrived by now are in the queues that this one sees.
            let come = |request: &(Nanos, usize)| request.0 <= now;
            while let Some((came, server)) = on_the_way.front().copied().filter(come) {
                on_the_way.pop_front();
                looks(came, &mut servers);
                let end = servers.join(came, server, self.work.draw(&mut works));
                if came >= warm {
                    each(came, end - came);
                }
            }
            looks(now, &mut servers);
            on_the_way.push_back((now + probe, balancer.choose(now, &mut servers)));
        }
        Ok(())
    }
}
