//! Variants that only a simulation can run: the paper's tables and benchmark, which need more
//! machines, and sweeps over a delay or a correlation.

use std::time::Duration;

use anyhow::Result;
use lab_kit::{Ctx, CurveKind};

use crate::distributions;
use crate::hedging::{Budget, HedgeDelay};
use crate::leaf::Chores;
use crate::root::{Policy, Second};
use crate::setup::{Found, Setup};
use crate::simulation;
use crate::slowness::{Copy, Service};
use crate::theory::{bigtable, fanout, table2, tied};

/// Names of curves that claims read.
pub(crate) const EXTRA_BY_DELAY: &str = "extra requests by hedge delay";
pub(crate) const TAIL_BY_DELAY: &str = "p99.9 by hedge delay";
pub(crate) const DUPLICATES_BY_DELAY: &str = "duplicate starts by tie delay";
pub(crate) const SLOW_BY_CORRELATION: &str = "slow roots by correlation";

/// Tie delays of the sweep, in mean message delays.
const TIE_DELAYS: [f64; 7] = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0];
const CORRELATIONS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

fn hedge_after(after: Duration, ctx: &Ctx) -> Policy {
    let budget = Budget::new(ctx.float("hedge-budget"));
    let second = Second::Hedge { after: HedgeDelay::fixed(after), budget };
    Policy { fraction: 1.0, second }
}

pub(crate) fn bigtable(ctx: &mut Ctx) -> Result<()> {
    ctx.theory("root", |p| bigtable::batch_quantile(p) * 1e6);
    with_distribution(ctx, Policy::ALL, distributions::bigtable)
}

pub(crate) fn bigtable_hedged(ctx: &mut Ctx) -> Result<()> {
    let after = ctx.duration("hedge-after");
    ctx.theory("root", |p| bigtable::hedged_batch_quantile(p, after.as_secs_f64() * 1e3) * 1e6);
    let policy = hedge_after(after, ctx);
    with_distribution(ctx, policy, distributions::bigtable)
}

pub(crate) fn table1_independent(ctx: &mut Ctx) -> Result<()> {
    with_distribution(ctx, Policy::ALL, distributions::table1_independent)
}

pub(crate) fn table1_shared(ctx: &mut Ctx) -> Result<()> {
    let draw = match ctx.text("pauses") {
        "shared" => distributions::table1_shared,
        _ => distributions::table1_own,
    };
    with_distribution(ctx, Policy::ALL, draw)
}

/// Table 2 without hedging: two queues of requests and chores.
pub(crate) fn replica(ctx: &mut Ctx) -> Result<()> {
    replicas(ctx, Policy::ALL)
}

/// Table 2 with tied requests.
pub(crate) fn replica_tied(ctx: &mut Ctx) -> Result<()> {
    let after = Duration::from_secs_f64(table2::TIE_DELAY_MS / 1e3);
    replicas(ctx, Policy { fraction: 1.0, second: Second::Tie { after } })
}

fn replicas(ctx: &mut Ctx, policy: Policy) -> Result<()> {
    let mut setup = Setup::new(ctx, policy);
    setup.rate = table2::REQUESTS_PER_MS * 1e3;
    setup.service = Service::Distribution(distributions::table2);
    let per_ms = table2::background_per_ms(ctx.float("chores"));
    setup.chores = (per_ms > 0.0).then_some(Chores { per_ms, takes_ms: table2::background_ms });
    simulation::run(&setup)?.file(ctx)
}

/// TAS-10: what each hedge delay costs, and what it gains.
pub(crate) fn hedge_sweep(ctx: &mut Ctx) -> Result<()> {
    let (mut extra, mut tail, mut parts, mut batches) = (Vec::new(), Vec::new(), 0, 0);
    for delay_ms in bigtable::SWEEP_MS {
        let mut setup = Setup::new(ctx, hedge_after(milliseconds(delay_ms), ctx));
        setup.service = Service::Distribution(distributions::bigtable);
        let Found { tally, .. } = simulation::run(&setup)?;
        (parts, batches) = (tally.parts, tally.root.facts().count);
        extra.push((delay_ms, tally.seconds as f64 / tally.parts as f64));
        tail.push((delay_ms, tally.root.total().value_at_quantile(0.999) as f64));
    }
    let theory = |of: fn(f64) -> f64| bigtable::SWEEP_MS.map(|d| (d, of(d))).to_vec();
    let extra_theory = theory(|d| bigtable::LEAF.survival(d));
    let tail_theory = theory(|d| bigtable::hedged_batch_quantile(0.999, d) * 1e6);
    ctx.metric("batches_per_delay", batches as f64, "count");
    ctx.metric("parts_per_delay", parts as f64, "count");
    curves(ctx, EXTRA_BY_DELAY, ["ms", "ratio"], extra, extra_theory);
    curves(ctx, TAIL_BY_DELAY, ["ms", "ns"], tail, tail_theory);
    Ok(())
}

/// TAS-15: how often both copies start, by the delay of the second.
pub(crate) fn tie_sweep(ctx: &mut Ctx) -> Result<()> {
    let mean_delay = ctx.duration("message-delay");
    let mut duplicates = Vec::new();
    for delays in TIE_DELAYS {
        let after = mean_delay.mul_f64(delays);
        let setup = Setup::new(ctx, Policy { fraction: 1.0, second: Second::Tie { after } });
        let Found { tally, .. } = simulation::run(&setup)?;
        duplicates.push((delays, tally.duplicates as f64 / tally.parts as f64));
    }
    let theory = TIE_DELAYS.map(|x| (x, tied::duplicate_start_probability(x))).to_vec();
    curves(ctx, DUPLICATES_BY_DELAY, ["message delays", "ratio"], duplicates, theory);
    Ok(())
}

/// TAS-21: what hedging still helps when replicas are slow together.
pub(crate) fn correlation_sweep(ctx: &mut Ctx) -> Result<()> {
    let slow_time = ctx.duration("slow-time");
    let (slow_fraction, leaves) = (ctx.float("slow-fraction"), ctx.int("leaves") as u32);
    let mut slow_roots = Vec::new();
    for shared in CORRELATIONS {
        let mut setup = Setup::new(ctx, hedge_after(ctx.duration("hedge-after"), ctx));
        if let Service::SometimesSlow { correlation, .. } = &mut setup.service {
            *correlation = shared;
        }
        let Found { ledger, .. } = simulation::run(&setup)?;
        let (slow, of) = ledger.at_least(slow_time);
        slow_roots.push((shared, slow as f64 / of.max(1) as f64));
    }
    let theory = CORRELATIONS
        .map(|c| (c, fanout::hedged_slow_root_probability(slow_fraction, leaves, c)))
        .to_vec();
    curves(ctx, SLOW_BY_CORRELATION, ["correlation", "ratio"], slow_roots, theory);
    Ok(())
}

fn with_distribution(ctx: &mut Ctx, policy: Policy, draw: fn(Copy) -> f64) -> Result<()> {
    let mut setup = Setup::new(ctx, policy);
    setup.service = Service::Distribution(draw);
    simulation::run(&setup)?.file(ctx)
}

fn curves(
    ctx: &mut Ctx,
    name: &str,
    units: [&str; 2],
    measured: Vec<(f64, f64)>,
    theory: Vec<(f64, f64)>,
) {
    ctx.curve(name, CurveKind::Measured, units, measured);
    ctx.curve(name, CurveKind::Theory, units, theory);
}

fn milliseconds(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}
