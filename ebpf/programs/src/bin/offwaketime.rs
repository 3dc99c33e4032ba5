//! Blocked time by where the thread stood and who woke it: the path and the reason in one stack.
#![no_std]
#![no_main]

use core::mem;

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::{ChainKey, StackKey};
use lab_probe_common::tally::UNTOLD;
use lab_programs::add::add;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

use stack::standing;

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
    match switch.leaves {
        // Its id may come again.
        Leaves::Dead => drop(ASLEEP.remove(switch.prev.pid())),
        Leaves::Blocked if observed(switch.prev) => fall_asleep(standing(&ctx, switch.prev)),
        _ => {}
    }
    come_back(switch.next.pid());
}

#[inline(always)]
fn fall_asleep(sleeper: StackKey) {
    match ASLEEP.get_ptr_mut(sleeper.pid) {
        Some(sleep) => {
            // SAFETY: only the CPU that runs the thread, or switches to it, does this: one at a time.
            let sleep = unsafe { &mut *sleep };
            if sleep.since_ns != 0 {
                count(UNTOLD);
            }
            (sleep.chain.sleeper, sleep.woken, sleep.since_ns) = (sleeper, 0, now_ns());
        }
        None => {
            let chain = ChainKey { sleeper, waker: sleeper };
            kept(ASLEEP.insert(sleeper.pid, Sleep { chain, since_ns: now_ns(), woken: 0 }, 0));
        }
    }
}

#[inline(always)]
fn come_back(pid: u32) {
    let Some(sleep) = ASLEEP.get_ptr_mut(pid) else { return };
    // SAFETY: as above.
    let sleep = unsafe { &mut *sleep };
    let since_ns = mem::take(&mut sleep.since_ns);
    if since_ns == 0 {
        return;
    }
    if sleep.woken == 0 {
        count(UNTOLD);
        return;
    }
    let slept = now_ns().saturating_sub(since_ns);
    record(&BLOCKED, slept);
    match TIMES.get_ptr_mut(&sleep.chain) {
        Some(time) => add(time, slept),
        None => kept(TIMES.insert(&sleep.chain, slept, 0)),
    }
}
