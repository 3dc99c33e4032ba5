//! A live trial: it begins with an update of the kernel's averages, and lasts for some more.

use std::time::Instant;

use lab_kit::Ctx;
use lab_kit::cpus::Watch;
use lab_kit::proc::{cpus_online, load, process_cpu_time, run_queue_of_living};
use lab_kit::scratch::{PAGE, file_on_disk};
use lab_kit::stats::median;

use crate::average::{Averages, PERIODS_S, Rule, printed, remaining, tasks};
use crate::excess;
use crate::tasks::{Tasks, beside};
use crate::updates::{Update, Watcher, tick};

/// What the one-minute average is made of: a gauge each.
pub(crate) const PARTS: [&str; 4] =
    ["left from before", "running or ready", "uninterruptible", "other programs"];

/// An update of the averages, and what was seen since the one before.
struct Seen {
    update: Update,
    /// What `/proc/loadavg` says right after it.
    printed: [f64; 3],
    /// Mean numbers of tasks: threads of this process that ran or waited for a CPU, those that slept
    /// uninterruptibly, and CPUs that other programs used.
    demand: [f64; 3],
}

/// Runs the tasks from an update on, for as many updates as the measured span has.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let syncs = ctx.text("blocked-in") == "fsync" && ctx.int("blocked") > 0;
    let file = if syncs { file_on_disk(ctx, PAGE as u64)? } else { None };
    if syncs && file.is_none() {
        return Ok(());
    }
    let Some(mut watcher) = Watcher::at_an_update() else { return Ok(unavailable(ctx)) };
    let begin = watcher.averages();
    let watched = |tasks: &Tasks| {
        (0..excess::updates(ctx)).map(|_| watch(&mut watcher, tasks)).collect::<Result<_, _>>()
    };
    let (seen, waiting) = beside(ctx, file.as_ref(), watched)?;
    let seen: Option<Vec<Seen>> = seen.map(|seen: Vec<Option<Seen>>| seen.into_iter().collect())?;
    let Some(seen) = seen else { return Ok(unavailable(ctx)) };
    let span_s = seen.last().map_or(0.0, |last| last.update.at.as_secs_f64());
    ctx.metric("interval", span_s / seen.len() as f64, "s");
    ctx.metric("tick", tick().as_secs_f64(), "s");
    let threads = ctx.int("blocked").max(1) as f64;
    ctx.metric("waiting_cpu", waiting.as_secs_f64() / span_s / threads, "ratio");
    compare(ctx, &seen);
    let updates = seen.iter().map(|seen| (seen.update.at.as_secs_f64(), seen.update.after));
    excess::file(ctx, begin, &updates.collect::<Vec<_>>());
    file_parts(ctx, begin, &seen);
    Ok(())
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
    let uninterruptible = looks.iter().sum::<f64>() / looks.len() as f64;
    let others = watch.shares()?.others * cpus.len() as f64;
    Ok(Some(Seen { update, printed, demand: [running, uninterruptible, others] }))
}

/// Compares each update with the rule. How many tasks it counted is computed from the average over
/// one minute, which leaves of that average what is not a whole number of tasks, and all of the
/// other two.
fn compare(ctx: &mut Ctx, seen: &[Seen]) {
    let (rule, own) = (Rule::of(ctx.settings()), ctx.int("spinners") + ctx.int("blocked"));
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
    let more = counts.iter().filter(|count| **count > own).count();
    ctx.proportion("counted_more", more as u64, counts.len() as u64);
    let counts: Vec<_> = counts.into_iter().map(|count| count as f64).collect();
    ctx.metric("counted", median(counts).unwrap_or_default(), "tasks");
}

/// Adds up what the one-minute average is made of, from the time that tasks spent in each state.
fn file_parts(ctx: &mut Ctx, begin: Averages, seen: &[Seen]) {
    let mut parts = [tasks(begin[0]), 0.0, 0.0, 0.0];
    let mut gauges = parts.map(|part| vec![(0.0, part)]);
    let (mut last_s, mut others) = (0.0, 0.0);
    for Seen { update, demand: [running, uninterruptible, more], .. } in seen {
        let at_s = update.at.as_secs_f64();
        let left = remaining(at_s - last_s, PERIODS_S[0]);
        others += more * (at_s - last_s);
        last_s = at_s;
        let demand = [0.0, *running, *uninterruptible, *more];
        for ((part, demand), gauge) in parts.iter_mut().zip(demand).zip(&mut gauges) {
            *part = *part * left + demand * (1.0 - left);
            gauge.push((at_s, *part));
        }
    }
    let [_, running, uninterruptible, of_others] = parts;
    let counts_it = if ctx.text("account") == "all" { 1.0 } else { 0.0 };
    ctx.metric("accounted", running + of_others + counts_it * uninterruptible, "tasks");
    ctx.metric("accounted_cpu", running + of_others, "tasks");
    let cpus = cpus_online().map_or(1, |cpus| cpus.len()) as f64;
    ctx.metric("others", others / last_s / cpus, "ratio");
    for (name, points) in PARTS.into_iter().zip(gauges) {
        ctx.gauge(name, "tasks", points);
    }
}
