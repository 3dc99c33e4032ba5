//! A trace with known true times: threads that compute and block on a simulated machine.

use lab_kit::{Ctx, seed};

use crate::machine::{Burst, Machine, Scheduled, Switch};
use crate::replay::{Count, Key, off_cpu};

const THREADS: usize = 12;
const MACHINE: Machine = Machine { cpus: 3, slice_ns: 4_000_000 };
const US: f64 = 1_000.0;

/// Replays the switches, and reports how far the totals are from the truth.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let until_ns = ctx.timeline().measure.as_nanos() as u64;
    let happened = MACHINE.run(THREADS, until_ns, bursts(ctx.seed()))?;
    let key = if ctx.text("key") == "cpu" { Key::Cpu } else { Key::Thread };
    let count = if ctx.text("filter") == "off" { Count::All } else { Count::Blocking };
    let trace = whole_trace(&happened, until_ns);
    ctx.metric("switches", happened.switches.len() as f64, "count");
    let off = |thread: usize| happened.blocked_ns[thread] + happened.waited_ns[thread];
    ctx.metric("off_cpu_error", error(&trace, key, Count::All, off), "ns");
    // A thread that blocks is switched in when it has also waited for its turn.
    let until_its_turn = |thread: usize| {
        let own = happened.waits.iter().filter(|wait| wait.thread == thread && wait.woken);
        happened.blocked_ns[thread] + own.map(|wait| wait.waited_ns).sum::<u64>()
    };
    ctx.metric("blocking_error", error(&trace, key, count, until_its_turn), "ns");
    Ok(())
}

fn bursts(of_seed: u64) -> impl FnMut(usize) -> Burst {
    let mut drawn = [0_u64; THREADS];
    move |thread| {
        drawn[thread] += 1;
        let draw = |purpose| seed::uniform(of_seed, &[thread as u64, drawn[thread], purpose]);
        // One thread in three never blocks.
        let block_ns =
            if thread.is_multiple_of(3) { 0 } else { 1 + (draw(1) * 20_000.0 * US) as u64 };
        Burst { run_ns: 1 + (draw(0) * 3_000.0 * US) as u64, block_ns }
    }
}

/// The trace with its ends: all threads are off the CPU when it begins, and off times that are
/// under way when it ends are cut there.
fn whole_trace(happened: &Scheduled, until_ns: u64) -> Vec<Switch> {
    let end = |at_ns, prev, next| Switch { at_ns, cpu: usize::MAX, prev, blocks: false, next };
    let before = (0..THREADS).map(|thread| end(0, Some(thread), None));
    let after = (0..THREADS).map(|thread| end(until_ns, None, Some(thread)));
    before.chain(happened.switches.iter().copied()).chain(after).collect()
}

/// The largest error of a thread's replayed total, in nanoseconds.
fn error(trace: &[Switch], key: Key, count: Count, truth: impl Fn(usize) -> u64) -> f64 {
    let replayed = off_cpu(trace, key, count);
    let error = |thread| replayed.get(&thread).copied().unwrap_or(0).abs_diff(truth(thread));
    (0..THREADS).map(error).max().unwrap_or(0) as f64
}

/// How long the simulated machine runs: quick, default and full, in milliseconds.
pub(crate) const SPANS: [u64; 3] = [20_000, 60_000, 600_000];
