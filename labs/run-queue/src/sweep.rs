//! What each of n spinners waits, for 1, 2, 4 and 8 of them.

use std::time::Duration;

use lab_kit::cpus::watch;
use lab_kit::thread::{self, named};
use lab_kit::{Clock, Ctx, CurveKind, Timeline};

use crate::charts::{WAITING, WAITING_THEORY};
use crate::spinner::{spin, take, what_they_do};
use crate::waits::{ProcessWaits, ThreadWaits};

/// How many spin at a time.
pub(crate) const SPINNERS: [usize; 4] = [1, 2, 4, 8];
/// Time for the threads to spread over the CPUs, before waits are counted.
const SETTLE: Duration = Duration::from_millis(100);
/// The intended length of a step: CPU time of others is known in hundredths of a second.
const STEP: Duration = Duration::from_secs(1);

/// The waits of one step.
struct Step {
    spinners: usize,
    accounts: Vec<ThreadWaits>,
    /// The share of the CPUs that others took meanwhile.
    others: f64,
}

/// The share of its time that each of n spinners waits for one of the CPUs, if no other thread
/// wants them.
pub(crate) fn waiting_share(cpus: f64, spinners: usize) -> f64 {
    (1.0 - cpus / spinners as f64).max(0.0)
}

/// Runs all steps in rounds. Of steps with the same number of spinners, the one that others
/// disturbed least counts; the choice does not depend on its result.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(cpus) = take(ctx) else { return Ok(()) };
    let whole = ProcessWaits::begin()?;
    let measure = ctx.timeline().measure / SPINNERS.len() as u32;
    let rounds = (measure.as_secs_f64() / STEP.as_secs_f64()).round().max(1.0) as u32;
    let mut steps = Vec::new();
    for _ in 0..rounds {
        for spinners in SPINNERS {
            steps.push(step(ctx, &cpus, spinners, measure / rounds)?);
        }
    }
    file_shares(ctx, &cpus, &steps);
    file_whole(ctx, whole, &cpus, &steps)
}

fn step(ctx: &Ctx, cpus: &[usize], spinners: usize, measure: Duration) -> anyhow::Result<Step> {
    let timeline = Timeline { warmup: SETTLE, measure, interval: measure };
    let (work, trial) = (what_they_do(ctx), Clock::live());
    let threads = (1..=spinners).map(|spinner| {
        named(format!("spinner-{spinner}"), move || spin(cpus, timeline, trial, |_, _| work()))
    });
    let mut watched = None;
    let accounts =
        thread::run(threads.collect(), || watched = Some(watch(timeline, trial, [cpus])))?;
    let others = watched.transpose()?.map_or(1.0, |[shares]| shares.others);
    Ok(Step { spinners, accounts, others })
}

fn file_shares(ctx: &mut Ctx, cpus: &[usize], steps: &[Step]) {
    let (mut points, mut theory, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    for spinners in SPINNERS {
        let of_this = steps.iter().filter(|step| step.spinners == spinners);
        let Some(step) = of_this.min_by(|a, b| a.others.total_cmp(&b.others)) else { continue };
        let shares = || step.accounts.iter().map(ThreadWaits::waiting_share);
        let share = shares().sum::<f64>() / spinners as f64;
        let farthest = shares().map(|one| (one - share).abs()).fold(0.0, f64::max);
        ctx.metric(&metric(spinners), share, "ratio");
        ctx.metric(&format!("uneven_{spinners}"), farthest, "ratio");
        worst = worst.max(step.others);
        points.push((spinners as f64, share));
        theory.push((spinners as f64, waiting_share(cpus.len() as f64, spinners)));
    }
    ctx.metric("others", worst, "ratio");
    ctx.curve(WAITING, CurveKind::Measured, ["spinners", "ratio"], points);
    ctx.curve(WAITING_THEORY, CurveKind::Theory, ["spinners", "ratio"], theory);
}

/// The metric of the share of time that each of `spinners` spinners waits.
pub(crate) fn metric(spinners: usize) -> String {
    format!("waiting_{spinners}")
}

/// The figures that a probe can be compared with: all waits of all threads of this process, from
/// their beginning on.
fn file_whole(
    ctx: &mut Ctx,
    whole: ProcessWaits,
    cpus: &[usize],
    steps: &[Step],
) -> anyhow::Result<()> {
    let lived =
        |accounts: &[ThreadWaits]| accounts.iter().map(|account| account.lived).sum::<Duration>();
    let all: Duration = steps.iter().map(|step| lived(&step.accounts)).sum();
    let expected: f64 = steps
        .iter()
        .map(|step| {
            waiting_share(cpus.len() as f64, step.spinners) * lived(&step.accounts).as_secs_f64()
        })
        .sum();
    ctx.metric("spinners_lived", all.as_secs_f64(), "s");
    ctx.metric("expected_whole", expected / all.as_secs_f64(), "ratio");
    let others = steps.iter().map(|step| step.others).sum::<f64>() / steps.len() as f64;
    ctx.metric("others_whole", others, "ratio");
    whole.file(ctx, steps.iter().flat_map(|step| &step.accounts).map(|one| one.total).sum())
}
