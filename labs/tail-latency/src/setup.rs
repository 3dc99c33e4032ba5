//! A trial's set-up, read once from its knobs, and the recording of its findings.

use std::sync::Arc;
use std::time::Duration;

use lab_kit::{Arrivals, Clock, Ctx, Ledger, Schedule, Timeline, seed};

use crate::leaf::{self, Chores};
use crate::root::{Policy, Tally};
use crate::shard::{Answers, Shard};
use crate::slowness::{Background, Service};

/// How long a client waits for an answer before it counts the request as timed out.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The stream of arrivals; the lab's other streams are in `slowness`.
const ARRIVALS: u64 = 100;

/// Everything a trial is made of, live or simulated.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Shards, each with two replicas.
    pub leaves: u32,
    /// Requests a leaf serves at a time.
    pub workers: usize,
    /// Records that a leaf looks up for a request.
    pub work: u64,
    /// Requests a second.
    pub rate: f64,
    /// The distribution of a leaf's service time.
    pub service: Service,
    /// Background work that stops leaves, if any.
    pub background: Option<Background>,
    /// Chores that queue among the requests, if any; simulated only.
    pub chores: Option<Chores>,
    /// When to ask twice, and for how many answers to wait.
    pub policy: Policy,
    /// The mean time of a message between root and leaf, and between twins; simulated only.
    pub message_delay: Duration,
    /// Whether a message takes an exponential time, rather than half to one and a half of the mean.
    pub exponential_messages: bool,
    /// Addresses of leaves that run elsewhere: two for each shard, in order.
    pub addresses: Vec<String>,
    /// The trial's seed.
    pub seed: u64,
    /// How the trial's time is cut.
    pub timeline: Timeline,
}

/// What a trial found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The clock of a live trial.
    pub clock: Option<Clock>,
    /// How every request ended.
    pub ledger: Arc<Ledger>,
    /// What the root measured.
    pub tally: Tally,
}

impl Setup {
    /// Reads the knobs.
    pub(crate) fn new(ctx: &Ctx, policy: Policy) -> Self {
        let service = Service::SometimesSlow {
            typical: ctx.duration("service-time"),
            slow: ctx.duration("slow-time"),
            slow_fraction: ctx.float("slow-fraction"),
            correlation: ctx.float("correlation"),
        };
        Self {
            leaves: ctx.int("leaves") as u32,
            workers: ctx.int("workers") as usize,
            work: ctx.int("work"),
            rate: ctx.float("rate"),
            service,
            background: None,
            chores: None,
            policy,
            message_delay: ctx.duration("message-delay"),
            exponential_messages: ctx.text("messages") == "exponential",
            addresses: split_addresses(ctx.text("leaf-addresses")),
            seed: ctx.seed(),
            timeline: ctx.timeline(),
        }
    }

    /// The schedule of arrivals: the same for every policy with a seed.
    pub(crate) fn schedule(&self) -> Schedule {
        let mut rng = seed::rng(self.seed, &[ARRIVALS]);
        Arrivals::Poisson { rate: self.rate }.plan(self.timeline.span(), &mut rng)
    }

    /// When a trial stops waiting for answers.
    pub(crate) fn deadline(&self) -> Duration {
        self.timeline.span() + CLIENT_TIMEOUT
    }

    /// The correct answers of every shard.
    pub(crate) fn right_answers(&self) -> Answers {
        (0..self.leaves).map(|number| Shard::new(number).answers(self.work)).collect()
    }

    /// The configuration of the leaves.
    pub(crate) fn leaf(&self) -> leaf::Config {
        leaf::Config {
            workers: self.workers,
            work: self.work,
            service: self.service,
            background: self.background,
            chores: self.chores,
            seed: self.seed,
        }
    }
}

impl Found {
    /// Records series, metrics and the ends of requests in the trial.
    ///
    /// # Errors
    /// The trial's directory cannot be written.
    pub(crate) fn file(self, ctx: &mut Ctx) -> anyhow::Result<()> {
        let Self { clock, ledger, tally } = self;
        if let Some(clock) = clock {
            ctx.began(clock);
        }
        let (slow, of) = ledger.at_least(ctx.duration("slow-time"));
        ctx.proportion("slow_roots_ratio", slow, of);
        ctx.proportion("extra_requests_ratio", tally.seconds, tally.parts);
        ctx.proportion("duplicate_executions_ratio", tally.duplicates, tally.parts);
        ctx.proportion("late_messages_ratio", tally.late_messages, tally.parts);
        ctx.proportion("roots_held_up_ratio", tally.held_up, tally.answered);
        for (name, count) in [
            ("second_copies", tally.seconds),
            ("duplicate_executions", tally.duplicates),
            ("cancellations", tally.cancelled),
            ("refusals", tally.refused),
        ] {
            ctx.metric(name, count as f64, "count");
        }
        for (name, series) in [
            ("root", tally.root),
            ("root-95", tally.root_95),
            ("leaf-wait", tally.leaf_wait),
            ("leaf-service", tally.leaf_service),
            ("leaf-response", tally.leaf_response),
        ] {
            ctx.save(name, series)?;
        }
        ledger.settle(ctx, CLIENT_TIMEOUT)
    }
}

/// `a:1,b:1,c:1,d:1`: the two replicas of the first shard, then of the second.
fn split_addresses(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
