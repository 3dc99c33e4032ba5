//! Response times and queues, by the balancer's policy and knowledge.

use std::time::Duration;

use lab_kit::sim::Nanos;
use lab_kit::stats::{Estimate, mean_interval, quantile_of_sorted};
use lab_kit::{Ctx, CurveKind};

use crate::balancer::Policy;
use crate::charts::{BY_LOAD, BY_PROBE, BY_SERVERS, LENGTHS, LONGEST};
use crate::lengths::Lengths;
use crate::setup::Setup;
use crate::theory;

/// Samples of the queues in a trial.
const LOOKS: u64 = 200;
/// Servers whose queues are drawn one by one.
const ROWS: usize = 40;
/// Queue lengths that are counted separately.
const LENGTH: usize = 12;
/// Batches of a trial whose means give a confidence interval.
const BATCHES: usize = 20;

/// Response times and queue lengths with the settings of the knobs.
pub(crate) fn requests(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(setup) = Setup::of(ctx)? else { return Ok(()) };
    let every = (setup.span.as_nanos() as Nanos / LOOKS).max(1);
    let (mut response, mut mean) = (ctx.series(), Mean::default());
    let (mut at_least, mut longest) = ([0_usize; LENGTH], Vec::new());
    let drawn = setup.servers as usize <= ROWS;
    let mut over_time = drawn.then(|| Lengths::of(setup.servers as usize));
    setup.run(
        every,
        |now, servers| {
            let lengths = servers.lengths(now);
            longest.push((now as f64 / 1e9, lengths.iter().max().copied().unwrap_or(0) as f64));
            for (length, count) in at_least.iter_mut().enumerate() {
                *count += lengths.iter().filter(|there| **there >= length).count();
            }
            if let Some(over_time) = &mut over_time {
                over_time.look(now, &lengths);
            }
        },
        |at, took| {
            response.record_ns(at, took);
            mean.add(took);
        },
    )?;
    ctx.metric("mean", mean.value() / setup.mean_work(), "services");
    let of = at_least[0].max(1) as f64;
    let shares = (1..LENGTH).map(|length| (length as f64, at_least[length] as f64 / of)).collect();
    ctx.curve(LENGTHS, CurveKind::Measured, ["requests", "ratio"], shares);
    if let Policy::BestOf(choices) = setup.policy {
        let share = |length: usize| theory::at_least(setup.load, choices, length as u32);
        let shares = (1..LENGTH).map(|length| (length as f64, share(length))).collect();
        ctx.curve(LENGTHS, CurveKind::Theory, ["requests", "ratio"], shares);
    }
    if let Some(over_time) = over_time {
        over_time.file(ctx);
    }
    ctx.gauge(LONGEST, "requests", longest);
    ctx.save("response", response)
}

/// The mean response at one load after another.
pub(crate) fn by_load(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(setup) = Setup::of(ctx)? else { return Ok(()) };
    let loads = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99].into_iter().filter(|l| *l <= setup.load);
    let mut found = Vec::new();
    for load in loads {
        let setup = Setup { load, ..setup.clone() };
        let stretch = (setup.span.as_nanos() as usize / BATCHES).max(1);
        let mut batches = [Mean::default(); BATCHES + 1];
        setup.run(
            Nanos::MAX,
            |_, _| (),
            |at, took| batches[(at as usize / stretch).min(BATCHES)].add(took),
        )?;
        let warm = BATCHES / 5;
        let means: Vec<f64> = batches[warm..BATCHES].iter().map(Mean::value).collect();
        let (value, interval) = mean_interval(&means);
        let services = |ns: f64| ns / setup.mean_work();
        let interval = interval.map(|(low, high)| (services(low), services(high)));
        found.push((load, Estimate { value: services(value), interval }));
    }
    let units = ["load", "services"];
    if let Policy::BestOf(choices) = setup.policy {
        let points = (30..100).map(|percent| f64::from(percent) / 100.0);
        let points = points.filter(|load| *load <= setup.load);
        let mean = |load| (load, theory::best_of(load, choices));
        ctx.curve(BY_LOAD, CurveKind::Theory, units, points.map(mean).collect());
    }
    ctx.estimates(BY_LOAD, units, &found);
    Ok(())
}

/// The longest queue by the number of servers, each ten times the one before, over equally many
/// requests.
pub(crate) fn by_servers(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(most) = Setup::of(ctx)? else { return Ok(()) };
    let sizes = [1_000, 100, 10, 1].map(|part| (most.servers / part, part as u32));
    if sizes[0].0 < 10 {
        ctx.invalid("three decades of servers begin at ten or more: 10,000 at least in all");
        return Ok(());
    }
    let mut found = Vec::new();
    for (servers, part) in sizes {
        let setup = Setup { servers, span: most.span * part, ..most.clone() };
        let mut longest = Mean::default();
        let (every, warm) = (most.span.as_nanos() as Nanos / LOOKS, setup.span.as_nanos() / 2);
        setup.run(
            every.max(1),
            |now, servers| {
                if u128::from(now) >= warm {
                    longest.add(servers.lengths(now).into_iter().max().unwrap_or(0) as Nanos);
                }
            },
            |_, _| (),
        )?;
        found.push((libm::log10(servers as f64), longest.value()));
    }
    ctx.curve(BY_SERVERS, CurveKind::Measured, ["powers of ten", "requests"], found);
    Ok(())
}

/// Ages of the known lengths, in percent of `refresh`.
pub(crate) const AGES: [u32; 14] = [0, 2, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100];

/// The mean response by the greatest age of the known lengths, up to `refresh`.
pub(crate) fn by_age(ctx: &mut Ctx, names: &[&str; 4]) -> anyhow::Result<()> {
    let Some(setup) = Setup::of(ctx)? else { return Ok(()) };
    let policies = [Policy::BestOf(1), Policy::BestOf(2), Policy::BestOf(3), Policy::Least];
    for (name, policy) in names.iter().zip(policies) {
        let mut found = Vec::new();
        for percent in AGES {
            let refresh = setup.refresh * percent / 100;
            let setup = Setup { policy, refresh, ..setup.clone() };
            let mut mean = Mean::default();
            setup.run(Nanos::MAX, |_, _| (), |_, took| mean.add(took))?;
            found.push((refresh.as_secs_f64(), mean.value() / setup.mean_work()));
        }
        ctx.curve(name, CurveKind::Measured, ["s of age", "services"], found);
    }
    Ok(())
}

/// The p99 of requests that probe queues before they go to one, by the time on the way, and of
/// requests that wait in several queues without probing.
pub(crate) fn by_probe(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(setup) = Setup::of(ctx)? else { return Ok(()) };
    let p99 = |setup: &Setup| {
        let mut took = Vec::new();
        setup.run(Nanos::MAX, |_, _| (), |_, ns| took.push(ns as f64 / setup.mean_work()))?;
        took.sort_unstable_by(f64::total_cmp);
        Ok::<_, anyhow::Error>(quantile_of_sorted(&took, 0.99).unwrap_or(0.0))
    };
    let service = Duration::from_nanos(setup.mean_work() as u64);
    let tied = Policy::Tied(ctx.int("choices"));
    let at_once = p99(&Setup { policy: tied, probe: Duration::ZERO, ..setup.clone() })?;
    for (name, policy) in BY_PROBE.into_iter().zip([Policy::BestOf(2), Policy::Least, tied]) {
        let mut found = Vec::new();
        for percent in [0, 25, 50, 100, 200, 400] {
            let probe = service * percent / 100;
            let probed = || p99(&Setup { policy, probe, ..setup.clone() });
            let p99 = if policy == tied { at_once } else { probed()? };
            found.push((f64::from(percent) / 100.0, p99));
        }
        ctx.curve(name, CurveKind::Measured, ["services", "services"], found);
    }
    Ok(())
}

/// A running mean.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Nanos) {
        self.sum += value as f64;
        self.count += 1;
    }

    /// The mean; 0 without values.
    fn value(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}
