//! The hockey stick: a load that climbs in steps, and what each step does to the requests.

use std::time::Duration;

use anyhow::ensure;
use lab_kit::sim::theory::{MMc, Single, little, md1_wait_quantile};
use lab_kit::sim::{Load, Profile};
use lab_kit::{Clock, Ctx, CurveKind, Ledger, Schedule};

use crate::queue::{Queue, TIMEOUT, affordable, arrivals, starts};
use crate::served::Served;

/// The utilisation of each step, where load and speed are 1.
pub(crate) const STEPS: [f64; 8] = [0.1, 0.3, 0.5, 0.6, 2.0 / 3.0, 0.7, 0.8, 0.9];

/// Curves over utilisation.
pub(crate) const MEAN: &str = "mean response";
pub(crate) const P99: &str = "p99 of the response";
pub(crate) const P999: &str = "p99.9 of the response";
pub(crate) const THERE: &str = "requests there";
pub(crate) const LITTLE: &str = "arrivals times mean response";
pub(crate) const SPREAD: &str = "variance of the wait over that of the work";

/// With this many requests chance moves the p99.9 of a server that is 80 % busy by some 2 %.
const ENOUGH: usize = 1_000_000;

/// Runs all steps of the staircase.
///
/// # Errors
/// On the last step more would come than can be served; or the server cannot start.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let queue = Queue::of(ctx)?;
    let stairs = Stairs::new(ctx.float("load"), ctx.float("speed"), queue, ctx.timeline().span());
    let top = stairs.utilisation(STEPS[STEPS.len() - 1]);
    ensure!(top < 1.0, "on the last step {top:.2} times as much comes as can be served");
    for (step, span) in STEPS.iter().zip(&stairs.spans) {
        affordable(ctx, stairs.rate(*step) * span.as_secs_f64())?;
    }
    let served = if ctx.is_live() { stairs.climb(ctx)? } else { stairs.simulate(ctx)? };
    stairs.file(ctx, &served);
    stairs.file_theory(ctx);
    Ok(())
}

struct Stairs {
    load: f64,
    speed: f64,
    queue: Queue,
    /// How long each step lasts.
    spans: [Duration; STEPS.len()],
}

impl Stairs {
    /// The mean of a busy queue varies more, so a step gets more requests, in proportion to
    /// `1 / (1 - r)²`.
    fn new(load: f64, speed: f64, queue: Queue, span: Duration) -> Self {
        let weights = STEPS.map(|step| 1.0 / (step * (1.0 - step).powi(2)));
        let all = weights.iter().sum::<f64>();
        Self { load, speed, queue, spans: weights.map(|weight| span.mul_f64(weight / all)) }
    }

    fn utilisation(&self, step: f64) -> f64 {
        step * self.load / self.speed
    }

    /// Arrivals a second.
    fn rate(&self, step: f64) -> f64 {
        let served = f64::from(self.queue.servers) * 1e9 / self.queue.work.mean();
        self.utilisation(step) * served
    }

    /// Each step by itself, in simulated time.
    fn simulate(&self, ctx: &Ctx) -> anyhow::Result<Vec<Served>> {
        let step = |(step, span): (&f64, &Duration)| {
            let load = arrivals(ctx, self.rate(*step), *span)?;
            self.queue.simulate(load, (span.as_nanos() as u64 / 100_000).max(1))
        };
        STEPS.iter().zip(&self.spans).map(step).collect()
    }

    /// All steps in one go, by a real server. The same requests are simulated too: what differs
    /// from that is the machine's doing, what differs from a formula may be chance.
    fn climb(&self, ctx: &mut Ctx) -> anyhow::Result<Vec<Served>> {
        let hold =
            |stairs: Profile, (step, span): (&f64, Duration)| stairs.hold(self.rate(*step), span);
        let stairs = STEPS.iter().zip(self.spans).try_fold(Profile::new(), hold)?;
        let schedule = Schedule::Open(starts(ctx, &stairs)?.collect());
        let ledger = Ledger::new(&schedule, ctx.timeline());
        let clock = Clock::live();
        ctx.began(clock);
        let served = self.queue.serve(&schedule, &ledger, clock)?;
        let Schedule::Open(starts) = schedule else { unreachable!("a profile is open") };
        let simulated = self.queue.simulate(Load::open(starts), u64::MAX)?;
        let [real, expected] = [&served, &simulated].map(Served::mean_response);
        if expected > 0.0 {
            ctx.metric("response_over_simulated", real / expected, "times");
        }
        ledger.settle(ctx, TIMEOUT)?;
        Ok(self.by_step(served))
    }

    fn by_step(&self, served: Served) -> Vec<Served> {
        let mut steps: Vec<Served> = STEPS.iter().map(|_| Served::default()).collect();
        let ends: Vec<f64> = self
            .spans
            .iter()
            .scan(0.0, |end, span| {
                *end += span.as_secs_f64();
                Some(*end)
            })
            .collect();
        let step = |at: f64| ends.partition_point(|end| *end <= at).min(STEPS.len() - 1);
        for visit in served.visits {
            steps[step(visit.came as f64 / 1e9)].visits.push(visit);
        }
        for look in served.looks {
            steps[step(look.0)].looks.push(look);
        }
        steps
    }

    /// The curves that theory has beside those: of Poisson arrivals, exponential work or one
    /// server.
    fn file_theory(&self, ctx: &mut Ctx) {
        let Queue { servers, work, .. } = &self.queue;
        let (servers, service) = (*servers, work.mean());
        let exponential = ctx.text("work") == "exponential";
        let one = |arrivals| Single { arrivals, service, second_moment: work.second_moment() };
        let many = |arrivals| MMc { arrivals, service, servers };
        let mean = |arrivals| match servers {
            1 => Some(one(arrivals).response()),
            _ => exponential.then(|| many(arrivals).response()),
        };
        let p99 = |arrivals| match ctx.text("work") {
            "exponential" => Some(many(arrivals).response_quantile(0.99)),
            "constant" if servers == 1 => {
                Some(service + md1_wait_quantile(arrivals, service, 0.99)?)
            }
            _ => None,
        };
        let finely = (1..=95).map(|percent| f64::from(percent) / 100.0);
        let points = |of: &dyn Fn(f64) -> Option<f64>| -> Vec<(f64, f64)> {
            let at = |rho: f64| Some((rho, of(rho * f64::from(servers) / service)? / service));
            finely.clone().filter_map(at).collect()
        };
        let curves = [(MEAN, points(&mean)), (P99, points(&p99))];
        if ctx.text("arrivals") == "poisson" {
            for (name, points) in curves.into_iter().filter(|(_, points)| !points.is_empty()) {
                ctx.curve(name, CurveKind::Theory, ["utilisation", "service times"], points);
            }
        }
    }

    /// Times are in mean service times.
    fn file(&self, ctx: &mut Ctx, served: &[Served]) {
        let service = self.queue.work.mean();
        let stays = match ctx.text("clock") {
            "client" => Served::mean_response,
            _ => Served::mean_work,
        };
        let seen: f64 = served.iter().map(Served::request_seconds).sum();
        let stayed = served.iter().map(|served| served.visits.len() as f64 * stays(served) / 1e9);
        let stayed: f64 = stayed.sum();
        if stayed > 0.0 {
            ctx.metric("seen_over_stayed", seen / stayed, "times");
        }
        let mut curve = |name: &str, unit: &str, of: &dyn Fn(&Served, f64) -> Option<f64>| {
            let steps = STEPS.iter().zip(&self.spans).zip(served);
            let at = |((step, span), served): ((&f64, &Duration), &Served)| {
                Some((self.utilisation(*step), of(served, span.as_secs_f64())?))
            };
            let some = steps.filter(|(_, served)| !served.visits.is_empty());
            let points: Vec<(f64, f64)> = some.filter_map(at).collect();
            if !points.is_empty() {
                ctx.curve(name, CurveKind::Measured, ["utilisation", unit], points);
            }
        };
        let quantile = |q| move |served: &Served, _| Some(served.response_quantile(q)? / service);
        curve(P99, "service times", &quantile(0.99));
        curve(P999, "service times", &|served, span| {
            let told = served.visits.len() >= ENOUGH;
            told.then(|| quantile(0.999)(served, span)).flatten()
        });
        curve(THERE, "requests", &|served, span| Some(served.request_seconds() / span));
        curve(LITTLE, "requests", &|served, span| {
            let arrivals = served.visits.len() as f64 / span;
            Some(little(arrivals, stays(served) / 1e9))
        });
        curve(SPREAD, "times", &|served, _| served.spread());
        let some = STEPS.iter().zip(served).filter(|(_, served)| !served.visits.is_empty());
        let mean = |(step, served): (&f64, &Served)| {
            (self.utilisation(*step), served.mean_response_in(service))
        };
        let means: Vec<_> = some.map(mean).collect();
        ctx.estimates(MEAN, ["utilisation", "service times"], &means);
    }
}
