//! A thread that moves between two CPUs repeatedly, and blocks on each.

use std::time::Duration;

use lab_kit::Ctx;
use lab_kit::thread::{self, allowed_cpus, named, pin_to};
use rustix::thread::sched_getcpu;

use crate::diary::{self, Diary, State, ThreadTotals};
use crate::machine::Switch;
use crate::replay::{Count, Key, off_cpu};

/// How long it blocks in each place.
const NAP: Duration = Duration::from_micros(300);
/// The thread's number in its own trace.
const ME: usize = 1;

/// Moves, blocks, and replays its own switches as a probe would have seen them.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let cpus = allowed_cpus();
    ctx.metric("cpus", cpus.len() as f64, "");
    let [one, other, ..] = cpus[..] else { return Ok(()) };
    let (moves, at_most) = (ctx.int("moves"), 3 * ctx.timeline().measure);
    let unseen = ctx.duration("unseen");
    let threads = vec![named("migrates", || migrate([one, other], moves, at_most, unseen))];
    let (account, trace) = thread::run(threads, || ())?.remove(0);
    let key = if ctx.text("key") == "cpu" { Key::Cpu } else { Key::Thread };
    let off_ns = |key| off_cpu(&trace, key, Count::All).get(&ME).copied().unwrap_or(0) as f64;
    let truth_ns = voluntary(&account).as_nanos() as f64;
    let moved = trace.windows(2).filter(|pair| pair[0].cpu != pair[1].cpu).count();
    ctx.metric("voluntary", truth_ns, "ns");
    ctx.metric("moves", moved as f64, "count");
    ctx.metric("replayed", off_ns(key), "ns");
    ctx.metric("replayed_over_truth", off_ns(key) / truth_ns, "ratio");
    ctx.metric("by_cpu_over_truth", off_ns(Key::Cpu) / truth_ns, "ratio");
    diary::file(ctx, &[account])
}

fn migrate(
    cpus: [usize; 2],
    moves: u64,
    at_most: Duration,
    unseen: Duration,
) -> anyhow::Result<(ThreadTotals, Vec<Switch>)> {
    let mut diary = Diary::begin()?;
    let mut trace = Vec::new();
    let mut off = |diary: &mut Diary, call: &dyn Fn()| {
        let left = sched_getcpu();
        diary.block(State::Sleeping, call);
        let [from, until] = diary.last();
        // The CPU time of the call is counted as before the block.
        let left_ns = (from.wall + until.ran - from.ran).min(until.wall).as_nanos() as u64;
        let switch = Switch { at_ns: left_ns, cpu: left, prev: Some(ME), blocks: true, next: None };
        trace.push(switch);
        let (at_ns, cpu) = (until.wall.as_nanos() as u64, sched_getcpu());
        trace.push(Switch { at_ns, cpu, prev: None, blocks: false, next: Some(ME) });
    };
    for cpu in cpus.into_iter().cycle().take(moves as usize) {
        // A thread that moves itself blocks too, until another has carried it over.
        off(&mut diary, &|| pin_to(cpu));
        off(&mut diary, &|| std::thread::sleep(NAP));
        if !unseen.is_zero() {
            std::thread::sleep(unseen);
        }
        if diary.so_far().wall >= at_most {
            break;
        }
    }
    Ok((diary.end()?, trace))
}

/// Off-CPU time by the kernel's clocks, without what the thread waited when it was preempted.
fn voluntary(account: &ThreadTotals) -> Duration {
    let in_calls: Duration = account.entries.iter().map(|entry| entry.time.waited).sum();
    let preempted = account.total.waited.saturating_sub(in_calls);
    account.total.wall - account.total.ran - preempted
}
