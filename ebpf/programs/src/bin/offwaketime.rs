//! Blocked time by where the thread stood and who woke it: the path and the reason in one stack.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::{ChainKey, StackKey};
use lab_probe_common::tally::{RECKONED, UNTOLD};
use lab_programs::add::add;
use lab_programs::entry::entry;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

use known::stands;
use ran::{away_ns, ran_ns, switched_ns};

#[path = "../known.rs"]
mod known;
#[path = "../ran.rs"]
mod ran;
#[path = "../stack.rs"]
mod stack;

program!();

/// A thread that sleeps, or has slept.
#[derive(Clone, Copy)]
struct Sleep {
    /// Where, and who has woken it.
    chain: ChainKey,
    /// Since when, in nanoseconds on the scheduler's clock; 0 once it runs again.
    since_ns: u64,
    /// How long it had run by then, in nanoseconds.
    ran_ns: u64,
    /// 1 once somebody has woken it.
    woken: u64,
}

impl Sleep {
    /// Of a thread that has not slept yet.
    const NEVER: Self = Self {
        chain: ChainKey { sleeper: StackKey::NONE, waker: StackKey::NONE },
        since_ns: 0,
        ran_ns: 0,
        woken: 0,
    };
}

/// Who sleeps. An entry stays as long as its thread, as in offcputime.
#[map]
static ASLEEP: HashMap<u32, Sleep> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds from falling asleep to running again.
#[map]
static BLOCKED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same by where and by whom.
#[map]
static TIMES: PerCpuHashMap<ChainKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) {
    let Some(sleep) = ASLEEP.get_ptr_mut(Task::arg(&ctx, 0).pid()) else { return };
    // SAFETY: the kernel holds the lock of the thread that is woken, and it runs no more until that is done.
    let sleep = unsafe { &mut *sleep };
    if sleep.since_ns != 0 {
        sleep.chain.waker = stands(&ctx, Task::current());
        sleep.woken = 1;
    }
}

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if observed(switch.prev) {
        leave(&ctx, &switch);
    }
    come_back(switch.next);
}

#[inline(always)]
fn leave(ctx: &BtfTracePointContext, switch: &Switch) {
    let prev = switch.prev;
    let Some(sleep) = entry(&ASLEEP, prev.pid(), Sleep::NEVER) else { return };
    // SAFETY: only the CPU that runs the thread, or switches to it, does this: one at a time.
    let sleep = unsafe { &mut *sleep };
    if sleep.since_ns != 0 {
        // It has been back, and nobody was told.
        file(sleep, away_ns(prev, sleep.since_ns, sleep.ran_ns));
        count(RECKONED);
        sleep.since_ns = 0;
    }
    match switch.leaves {
        Leaves::Blocked => {
            (sleep.chain.sleeper, sleep.woken) = (stands(ctx, prev), 0);
            (sleep.since_ns, sleep.ran_ns) = (switched_ns(prev), ran_ns(prev));
        }
        Leaves::Preempted => {}
        // Its id may come again.
        Leaves::Dead => drop(ASLEEP.remove(prev.pid())),
    }
}

#[inline(always)]
fn come_back(task: Task) {
    let Some(sleep) = ASLEEP.get_ptr_mut(task.pid()) else { return };
    // SAFETY: as above.
    let sleep = unsafe { &mut *sleep };
    if sleep.since_ns != 0 {
        file(sleep, switched_ns(task).saturating_sub(sleep.since_ns));
        sleep.since_ns = 0;
    }
}

/// Not where nobody was told who has woken it.
#[inline(never)]
fn file(sleep: &Sleep, slept: u64) {
    if sleep.woken == 0 {
        return count(UNTOLD);
    }
    record(&BLOCKED, slept);
    match TIMES.get_ptr_mut(&sleep.chain) {
        Some(time) => add(time, slept),
        None => kept(TIMES.insert(&sleep.chain, slept, 0)),
    }
}
