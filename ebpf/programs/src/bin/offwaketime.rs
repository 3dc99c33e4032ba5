//! Blocked time by the stacks of the sleeper and of its waker.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::{ChainKey, StackKey};
use lab_probe_common::tally::{INFERRED, UNFINISHED};
use lab_programs::entry::{add_to, entry};
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::count;
use lab_programs::target::observed;
use lab_programs::task::Task;

use known::stacks_of;
use ran::{away_ns, ran_ns, switched_ns};

#[path = "../known.rs"]
mod known;
#[path = "../ran.rs"]
mod ran;
#[path = "../stack.rs"]
mod stack;

program!();

/// A thread's last sleep.
#[derive(Clone, Copy)]
struct Sleep {
    /// The stacks of the sleeper and of its waker.
    chain: ChainKey,
    /// When it fell asleep, in nanoseconds on the scheduler's clock; 0 while it is on a CPU.
    since_ns: u64,
    /// How long it had run in all by then, in nanoseconds.
    ran_ns: u64,
    /// 1 after it was woken.
    woken: u64,
}

impl Sleep {
    /// A thread that has not slept yet.
    const NEVER: Self = Self {
        chain: ChainKey { sleeper: StackKey::NONE, waker: StackKey::NONE },
        since_ns: 0,
        ran_ns: 0,
        woken: 0,
    };
}

/// The last sleep of each thread. An entry stays as long as its thread, as in offcputime.
#[map]
static ASLEEP: HashMap<u32, Sleep> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds from falling asleep to running again.
#[map]
static BLOCKED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same, by the stacks of sleeper and waker.
#[map]
static TIMES: PerCpuHashMap<ChainKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) {
    let Some(sleep) = ASLEEP.get_ptr_mut(Task::arg(&ctx, 0).pid()) else { return };
    // SAFETY: the kernel holds the lock of the thread that is woken, which does not run until then.
    let sleep = unsafe { &mut *sleep };
    if sleep.since_ns != 0 {
        sleep.chain.waker = stacks_of(&ctx, Task::current());
        sleep.woken = 1;
    }
}

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if observed(switch.prev) {
        switch_out(&ctx, &switch);
    }
    switch_in(switch.next);
}

#[inline(always)]
fn switch_out(ctx: &BtfTracePointContext, switch: &Switch) {
    let prev = switch.prev;
    let Some(sleep) = entry(&ASLEEP, prev.pid(), Sleep::NEVER) else { return };
    // SAFETY: only the CPU that runs the thread, or switches to it, does this: one at a time.
    let sleep = unsafe { &mut *sleep };
    if sleep.since_ns != 0 {
        // It was switched in since, and no tracer saw it.
        file(sleep, away_ns(prev, sleep.since_ns, sleep.ran_ns));
        count(INFERRED);
        sleep.since_ns = 0;
    }
    match switch.leaves {
        Leaves::Blocked => {
            (sleep.chain.sleeper, sleep.woken) = (stacks_of(ctx, prev), 0);
            (sleep.since_ns, sleep.ran_ns) = (switched_ns(prev), ran_ns(prev));
        }
        Leaves::Preempted => {}
        // Its id may be used again.
        Leaves::Dead => drop(ASLEEP.remove(prev.pid())),
    }
}

#[inline(always)]
fn switch_in(task: Task) {
    let Some(sleep) = ASLEEP.get_ptr_mut(task.pid()) else { return };
    // SAFETY: as above.
    let sleep = unsafe { &mut *sleep };
    if sleep.since_ns != 0 {
        file(sleep, switched_ns(task).saturating_sub(sleep.since_ns));
        sleep.since_ns = 0;
    }
}

/// A sleep whose wakeup no tracer saw is counted as unfinished.
#[inline(never)]
fn file(sleep: &Sleep, slept: u64) {
    if sleep.woken == 0 {
        return count(UNFINISHED);
    }
    record(&BLOCKED, slept);
    add_to(&TIMES, &sleep.chain, slept);
}
