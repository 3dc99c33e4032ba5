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
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

use ran::{away_ns, ran_ns};
use stack::standing;

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
    /// Since when, in nanoseconds; 0 once it runs again.
    since_ns: u64,
    /// How long it had run by then, in nanoseconds.
    ran_ns: u64,
    /// 1 once somebody has woken it.
    woken: u64,
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
        sleep.chain.waker = standing(&ctx, Task::current());
        sleep.woken = 1;
    }
}

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if observed(switch.prev) {
        leave(&ctx, &switch);
    }
    come_back(switch.next.pid());
}

#[inline(always)]
fn leave(ctx: &BtfTracePointContext, switch: &Switch) {
    let prev = switch.prev;
    let entry = ASLEEP.get_ptr_mut(prev.pid());
    if let Some(entry) = entry {
        // SAFETY: only the CPU that runs the thread, or switches to it, does this: one at a time.
        let sleep = unsafe { &mut *entry };
        if sleep.since_ns != 0 {
            // It has been back, and nobody was told.
            file(sleep, away_ns(prev, sleep.since_ns, sleep.ran_ns));
            count(RECKONED);
            sleep.since_ns = 0;
        }
    }
    match switch.leaves {
        Leaves::Blocked => fall_asleep(entry, standing(ctx, prev), ran_ns(prev), now_ns()),
        Leaves::Preempted => {}
        // Its id may come again.
        Leaves::Dead => drop(ASLEEP.remove(prev.pid())),
    }
}

#[inline(always)]
fn fall_asleep(entry: Option<*mut Sleep>, sleeper: StackKey, ran_ns: u64, since_ns: u64) {
    match entry {
        Some(sleep) => {
            // SAFETY: as above.
            let sleep = unsafe { &mut *sleep };
            (sleep.chain.sleeper, sleep.woken) = (sleeper, 0);
            (sleep.since_ns, sleep.ran_ns) = (since_ns, ran_ns);
        }
        None => {
            let chain = ChainKey { sleeper, waker: sleeper };
            let sleep = Sleep { chain, since_ns, ran_ns, woken: 0 };
            kept(ASLEEP.insert(sleeper.pid, sleep, 0));
        }
    }
}

#[inline(always)]
fn come_back(pid: u32) {
    let Some(sleep) = ASLEEP.get_ptr_mut(pid) else { return };
    // SAFETY: as above.
    let sleep = unsafe { &mut *sleep };
    if sleep.since_ns != 0 {
        file(sleep, now_ns().saturating_sub(sleep.since_ns));
        sleep.since_ns = 0;
    }
}

/// Not where nobody was told who has woken it.
#[inline(always)]
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
