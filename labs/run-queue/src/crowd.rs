//! A thread that sleeps and wakes, among some that spin: how long until it runs?

use std::thread::sleep;
use std::time::Duration;

use lab_kit::cpus::watch;
use lab_kit::stats::median_of_counts;
use lab_kit::thread::{self, keep_on, named};
use lab_kit::{Clock, Ctx, Series, Timeline, tighten_timer};
use lab_record::hlog::recorded;
use rand::{Rng, RngExt as _};

use crate::modes::modes;
use crate::slice::slice;
use crate::spinner::{spin, take, what_they_do};
use crate::waits::{ProcessWaits, ThreadWaits, WaitRecorder};

/// What random numbers are drawn for.
const PAUSES: u64 = 0;
/// How long the sleeper sleeps: at random, so that it does not stay in step with the timer tick.
const PAUSE_US: [u64; 2] = [1_000, 3_000];
/// From this length on, a wait is for a CPU that another thread has, not only for a switch.
const LONG_NS: u64 = 1_000_000;

/// Runs the sleeper among its spinners.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(cpus) = take(ctx) else { return Ok(()) };
    let (cpus, timeline, work, rng) =
        (&cpus[..], ctx.timeline(), what_they_do(ctx), ctx.rng(&[PAUSES]));
    let (whole, trial) = (ProcessWaits::begin()?, Clock::live());
    ctx.began(trial);
    let mut threads = vec![named("sleeper", move || sleep_and_wake(cpus, timeline, trial, rng))];
    threads.extend((1..=ctx.int("spinners")).map(|spinner| {
        named(format!("spinner-{spinner}"), move || {
            let account = spin(cpus, timeline, trial, |_, _| work())?;
            Ok((account, None))
        })
    }));
    let mut watched = None;
    let ended = thread::run(threads, || watched = Some(watch(timeline, trial, [cpus])))?;
    if let Some([shares]) = watched.transpose()? {
        ctx.metric("others", shares.others, "ratio");
    }
    file_shape(ctx, cpus.len(), &ended);
    let waited = ended.iter().map(|(account, _)| account.total).sum();
    file_series(ctx, ended)?;
    whole.file(ctx, waited)
}

/// Notes how long after the end of each sleep it ran: by its own clock, which sees a late timer as
/// well as a wait for a CPU, and by the kernel's, which sees the wait alone.
///
/// Each pause begins when the one before has ended, late or not: this asks what a wake-up costs,
/// not what a schedule would have met.
fn sleep_and_wake(
    cpus: &[usize],
    timeline: Timeline,
    trial: Clock,
    mut rng: impl Rng,
) -> anyhow::Result<(ThreadWaits, Option<Series>)> {
    keep_on(cpus);
    tighten_timer();
    let mut waits = WaitRecorder::begin(timeline, trial)?;
    let mut wake_to_run = Series::new(timeline);
    while trial.now() < timeline.span() {
        let pause = Duration::from_micros(rng.random_range(PAUSE_US[0]..PAUSE_US[1]));
        let due = trial.now() + pause;
        sleep(pause);
        wake_to_run.record(due, trial.now().saturating_sub(due));
        waits.note();
    }
    Ok((waits.end(), Some(wake_to_run)))
}

/// Where waits cluster, and where they should: a thread that has used its slice waits for the
/// slices of those that share its CPU.
fn file_shape(ctx: &mut Ctx, cpus: usize, ended: &[(ThreadWaits, Option<Series>)]) {
    let run_queue = all_waits(ctx, ended);
    let waits = recorded(&run_queue.total());
    if let Some(modes) = modes(waits.iter().copied()) {
        ctx.metric("first_mode", modes.first_ns as f64, "ns");
        ctx.metric("second_mode", modes.second_ns.unwrap_or(0) as f64, "ns");
    }
    let long: Vec<(u64, u64)> = waits.into_iter().filter(|(ns, _)| *ns >= LONG_NS).collect();
    ctx.proportion("long_waits", counts(&long), run_queue.facts().count);
    ctx.metric("long_wait_median", median_of_counts(&long).unwrap_or(0.0), "ns");
    let beside = ctx.int("spinners") as f64 / cpus as f64 - 1.0;
    ctx.metric("spinners_beside", beside.max(0.0), "");
    if let Some([slice, at_ticks]) = slice() {
        ctx.metric("slice", slice.as_nanos() as f64, "ns");
        ctx.metric("slice_at_ticks", at_ticks.as_nanos() as f64, "ns");
    }
}

fn counts(values: &[(u64, u64)]) -> u64 {
    values.iter().map(|(_, count)| count).sum()
}

fn all_waits(ctx: &Ctx, ended: &[(ThreadWaits, Option<Series>)]) -> Series {
    let mut all = ctx.series();
    ended.iter().for_each(|(account, _)| all.merge(&account.series));
    all
}

fn file_series(ctx: &mut Ctx, ended: Vec<(ThreadWaits, Option<Series>)>) -> anyhow::Result<()> {
    ctx.save("run-queue", all_waits(ctx, &ended))?;
    let wake_to_run = ended.into_iter().find_map(|(_, wake_to_run)| wake_to_run);
    wake_to_run.map_or(Ok(()), |series| ctx.save("wake-to-run", series))
}
