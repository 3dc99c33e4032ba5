//! A live trial: tasks run for a number of updates of the kernel's averages.

use std::time::Instant;

use lab_kit::Ctx;
use lab_kit::cpus::Watch;
use lab_kit::proc::{cpus_online, load, process_cpu_time, run_queue_of_living};
use lab_kit::stats::median;

use crate::average::{Averages, PERIODS_S, Rule, STEP_S, printed, remaining, tasks};
use crate::excess;
use crate::tasks::{Tasks, beside};
use crate::updates::{Update, Watcher, tick};

/// What the one-minute average is made of: a gauge each.
pub(crate) const PARTS: [&str; 4] =
    ["left from before", "running or ready", "uninterruptible", "other programs"];

/// How many tasks each update counted: a gauge.
pub(crate) const COUNTED: &str = "tasks counted";

/// An update of the averages, and what was seen since the one before.
struct Seen {
    update: Update,
    /// How often the tasks were looked at.
    looks: usize,
    /// What `/proc/loadavg` says right after it.
    printed: [f64; 3],
    /// Mean numbers of tasks: threads of this process that ran or waited for a CPU, those that slept
    /// uninterruptibly, and CPUs that other programs used.
    demand: [f64; 3],
}

/// Runs the tasks from an update on.
pub(crate) fn from_an_update(ctx: &mut Ctx) -> anyhow::Result<()> {
    let Some(watcher) = Watcher::at_an_update() else {
        unavailable(ctx);
        return Ok(());
    };
    let rise = run(ctx, watcher)?;
    if !rise.is_empty() {
        excess::draw(ctx, &rise);
    }
    Ok(())
}

/// Runs the tasks from now on.
pub(crate) fn from_now(ctx: &mut Ctx) -> anyhow::Result<()> {
    run(ctx, Watcher::now()).map(drop)
}

/// Runs the tasks for as many updates as the measured span has. Returns what they had added to the
/// one-minute average at each of them; nothing if the trial is unavailable.
fn run(ctx: &mut Ctx, mut watcher: Watcher) -> anyhow::Result<Vec<(f64, f64)>> {
    let mut begin = watcher.averages();
    let watched = |tasks: &Tasks| -> anyhow::Result<Option<Vec<Seen>>> {
        let mut seen = Vec::new();
        while seen.len() < excess::updates(ctx) {
            match watch(&mut watcher, tasks)? {
                // The kernel may have counted before the tasks began.
                Some(Seen { update, looks: 0, .. }) => begin = update.after,
                Some(update) => seen.push(update),
                None => return Ok(None),
            }
        }
        Ok(Some(seen))
    };
    let (seen, waiting) = beside(ctx, watched)?;
    let Some(seen) = seen? else {
        unavailable(ctx);
        return Ok(Vec::new());
    };
    let span_s = seen.last().map_or(0.0, at_s);
    // Between two updates only if the trial begins with one.
    ctx.metric("interval", span_s / seen.len() as f64, "s");
    ctx.metric("tick", tick().as_secs_f64(), "s");
    let threads = ctx.int("blocked").max(1) as f64;
    ctx.metric("waiting_cpu", waiting.as_secs_f64() / span_s / threads, "ratio");
    let cpus = cpus_online()?.len() as f64;
    let others = seen.iter().map(|seen| seen.demand[2]).sum::<f64>() / seen.len() as f64;
    ctx.metric("others", others / cpus, "ratio");
    let counts = compare(ctx, &seen);
    file_parts(ctx, begin, &seen);
    let rise = added(ctx, begin, &seen, &counts);
    excess::file(ctx, &rise);
    Ok(rise)
}

fn at_s(seen: &Seen) -> f64 {
    seen.update.at.as_secs_f64()
}

fn unavailable(ctx: &mut Ctx) {
    ctx.unavailable("the load averages of this machine do not change: no update in 6 s", "");
}

/// Sees the next update; `None` if there is none.
fn watch(watcher: &mut Watcher, tasks: &Tasks) -> anyhow::Result<Option<Seen>> {
    let cpus = cpus_online()?;
    let (begun, watch, mut looks) = (Instant::now(), Watch::begin(&cpus)?, Vec::new());
    let demand = || process_cpu_time() + run_queue_of_living().unwrap_or_default().waited;
    let before = demand();
    let Some(update) = watcher.next(|| looks.push(tasks.in_state('D') as f64)) else {
        return Ok(None);
    };
    let printed = load()?.averages;
    let running = demand().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
    let uninterruptible = looks.iter().sum::<f64>() / looks.len().max(1) as f64;
    let others = watch.shares()?.others * cpus.len() as f64;
    Ok(Some(Seen {
        update,
        looks: looks.len(),
        printed,
        demand: [running, uninterruptible, others],
    }))
}

/// Compares each update with the rule, and returns how many tasks it counted. That is computed from
/// the average over one minute, and must be a whole number; the other two must agree with it.
fn compare(ctx: &mut Ctx, seen: &[Seen]) -> Vec<u64> {
    let rule = Rule::of(ctx.settings());
    let (mut counts, mut off, mut printed_off) = (Vec::new(), 0, 0.0_f64);
    for Seen { update, printed: says, .. } in seen {
        let count = rule.counted(update.before, update.after);
        let expected = rule.update(update.before, count);
        for ((expected, found), says) in expected.into_iter().zip(update.after).zip(says) {
            off = off.max(expected.abs_diff(found));
            printed_off = printed_off.max((printed(expected) - says).abs());
        }
        counts.push(count);
    }
    ctx.metric("off", off as f64, "1/2048");
    ctx.metric("printed_off", printed_off, "tasks");
    let points = seen.iter().zip(&counts).map(|(seen, count)| (at_s(seen), *count as f64));
    ctx.gauge(COUNTED, "tasks", points.collect());
    ctx.metric(
        "counted",
        median(counts.iter().map(|count| *count as f64).collect::<Vec<_>>()).unwrap_or_default(),
        "tasks",
    );
    counts
}

/// What the trial's tasks had added to the one-minute average at each update: the rest is left from
/// before, or of other tasks, which are those that were counted beyond the trial's own.
fn added(ctx: &mut Ctx, begin: Averages, seen: &[Seen], counts: &[u64]) -> Vec<(f64, f64)> {
    let (rule, own) = (Rule::of(ctx.settings()), ctx.int("spinners") + ctx.int("blocked"));
    let more = counts.iter().filter(|count| **count > own).count();
    ctx.proportion("counted_more", more as u64, counts.len() as u64);
    let mut rest = begin;
    let mut one = |(seen, count): (&Seen, &u64)| {
        rest = rule.update(rest, count.saturating_sub(own));
        (at_s(seen), tasks(seen.update.after[0]) - tasks(rest[0]))
    };
    seen.iter().zip(counts).map(&mut one).collect()
}

/// Adds up what the one-minute average is made of, from the time that tasks spent in each state.
fn file_parts(ctx: &mut Ctx, begin: Averages, seen: &[Seen]) {
    let left = remaining(STEP_S, PERIODS_S[0]);
    let mut parts = [tasks(begin[0]), 0.0, 0.0, 0.0];
    let mut gauges = parts.map(|part| vec![(0.0, part)]);
    for seen in seen {
        let [running, uninterruptible, others] = seen.demand;
        let demand = [0.0, running, uninterruptible, others];
        for ((part, demand), gauge) in parts.iter_mut().zip(demand).zip(&mut gauges) {
            *part = *part * left + demand * (1.0 - left);
            gauge.push((at_s(seen), *part));
        }
    }
    let [_, running, uninterruptible, _] = parts;
    let counts_it = if ctx.text("account") == "all" { 1.0 } else { 0.0 };
    ctx.metric("accounted", running + counts_it * uninterruptible, "tasks");
    ctx.metric("accounted_cpu", running, "tasks");
    for (name, points) in PARTS.into_iter().zip(gauges) {
        ctx.gauge(name, "tasks", points);
    }
}
