//! One server and its clients, from the knobs.

use std::time::Duration;

use anyhow::ensure;
use lab_kit::load::{
    Admission, Backoff, Budget, Client, Discipline, Pause, Retries, Server, Threads, Work,
};
use lab_kit::sim::{Distribution, Nanos, Profile, Spacing};
use lab_kit::{Ctx, Schedule, Timeline, seed};

/// More requests in flight are dropped, and the trial is invalid.
const IN_FLIGHT: u64 = 20_000;
/// The most requests, and attempts if all fail, of a trial: simulated, and live.
const MOST: [[f64; 2]; 2] = [[1e7, 1e8], [1e6, 2e5]];
/// The longest that a trial waits for answers after its span.
const LINGER: Duration = Duration::from_secs(1);
/// Intervals of the measured span.
const INTERVALS: u32 = 50;
/// When the trigger begins, and when the cure of variants that have one begins and ends, as shares
/// of the measured span.
pub(crate) const TRIGGER: f64 = 0.15;
const CURE: [f64; 2] = [0.2, 0.4];
/// The share of the measured span from which on the effect of the trigger is judged.
pub(crate) const AFTER: f64 = 0.4;
/// The share of requests that a cure by shedding leaves.
const LEFT: f64 = 0.1;
/// How many times as long a rare request takes, and the share of requests that are rare (Brooker
/// 2023).
const RARE: [f64; 2] = [100.0, 0.001];

/// Purposes of random numbers, each with a stream of its own.
const WORK: u64 = 0;
const ARRIVALS: u64 = 1;

/// A server, its clients, and what happens to them.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) timeline: Timeline,
    work: Distribution,
    seed: u64,
}

impl Setup {
    /// # Errors
    /// None: the work is a knob with bounds.
    pub(crate) fn of(ctx: &mut Ctx) -> anyhow::Result<Self> {
        let mean = ctx.duration("work").as_nanos() as f64;
        let work = match ctx.text("sizes") {
            "equal" => Distribution::constant(mean)?,
            _ => Distribution::mixture([
                (1.0 - RARE[1], Distribution::exponential(mean)?),
                (RARE[1], Distribution::exponential(RARE[0] * mean)?),
            ])?,
        };
        let Timeline { warmup, measure, .. } = ctx.timeline();
        let pause =
            Pause { from: warmup + measure.mul_f64(TRIGGER), length: ctx.duration("trigger") };
        let timeout = ctx.duration("timeout");
        if pause.length > measure.mul_f64(AFTER - TRIGGER) {
            ctx.invalid(format!(
                "the trigger of {:?} leaves nothing of a trial of {measure:?} to judge",
                pause.length
            ));
        }
        let discipline = match ctx.text("order") {
            "fifo" => Discipline::Fifo,
            _ => Discipline::Lifo,
        };
        let admission = match ctx.text("admit") {
            "all" => Admission::All,
            "few" => Admission::UpTo(ctx.int("queue") as usize),
            // A request that waited longer could not be answered before its client gives up.
            _ => Admission::Within(timeout.saturating_sub(2 * ctx.duration("work"))),
        };
        let (threads, kind) = (Threads::Pool(1), Work::ExactWait);
        Ok(Self {
            server: Server { threads, discipline, admission, work: kind, pause },
            client: Client {
                connections: ctx.int("clients") as usize,
                at_most_in_flight: IN_FLIGHT,
                timeout,
                retries: retries(ctx),
                tick: Duration::ZERO,
            },
            timeline: Timeline { warmup, measure, interval: measure / INTERVALS },
            work,
            seed: ctx.seed(),
        })
    }

    /// The server's capacity, in answers a second.
    pub(crate) fn capacity(&self) -> f64 {
        1e9 / self.work.mean()
    }

    /// The work of a request, the same for all its attempts.
    pub(crate) fn work_of(&self, number: usize) -> Duration {
        let uniform = seed::uniform(self.seed, &[WORK, number as u64]);
        Duration::from_nanos((self.work.at(uniform) + 0.5) as u64)
    }

    /// The time until which clients wait for answers.
    pub(crate) fn until(&self) -> Duration {
        let attempts = self.client.retries.at_most.saturating_add(1);
        self.timeline.span() + self.client.timeout.saturating_mul(attempts).min(LINGER)
    }

    /// Requests at `load` times the capacity, or one from each client at the trigger.
    ///
    /// # Errors
    /// There are too many requests, or attempts if all fail and the schedule runs `times` times.
    pub(crate) fn schedule(&self, ctx: &Ctx, load: f64, times: f64) -> anyhow::Result<Schedule> {
        if ctx.text("arrivals") == "at-once" {
            let at = self.server.pause.from.as_nanos() as Nanos;
            return Ok(Schedule::Open(vec![at; self.client.connections]));
        }
        let (rate, span) = (load * self.capacity(), self.timeline.span());
        let at = |part: f64| self.timeline.warmup + self.timeline.measure.mul_f64(part);
        let profile = match ctx.text("cure") {
            "shed" => {
                let [from, to] = CURE.map(at);
                Profile::new().hold(rate, from)?.hold(LEFT * rate, to - from)?.hold(rate, span)?
            }
            _ => Profile::new().hold(rate, span)?,
        };
        let requests = profile.expected();
        let attempts = requests * times * (1.0 + f64::from(self.client.retries.at_most));
        let [most_requests, most_attempts] = MOST[usize::from(ctx.is_live())];
        ensure!(
            requests <= most_requests && attempts <= most_attempts,
            "{requests:.0} requests and up to {attempts:.0} attempts are too many: a lower load, fewer \
             retries, longer work or a shorter trial"
        );
        Schedule::follow(&profile, span, Spacing::Poisson, ctx.rng(&[ARRIVALS]))
    }
}

/// The retry policy of the knobs.
pub(crate) fn retries(ctx: &Ctx) -> Retries {
    let Timeline { warmup, measure, .. } = ctx.timeline();
    Retries {
        at_most: ctx.int("retries") as u32,
        after: ctx.duration("backoff"),
        backoff: match ctx.text("jitter") {
            "none" => Backoff::Doubling,
            _ => Backoff::Jittered(ctx.seed()),
        },
        budget: match ctx.text("budget") {
            "none" => Budget::Unbounded,
            "bucket" => {
                Budget::Tokens { per_success: ctx.float("tokens"), most: ctx.float("bucket") }
            }
            _ => Budget::Breaker(ctx.float("threshold")),
        },
        until: match ctx.text("cure") {
            "retries-off" => warmup + measure.mul_f64(CURE[0]),
            _ => Duration::MAX,
        },
    }
}
