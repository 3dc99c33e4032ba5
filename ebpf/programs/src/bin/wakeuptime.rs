//! The time that threads were blocked, by the stack of the thread that woke them.
#![no_std]
#![no_main]

use core::mem;

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::WakeKey;
use lab_probe_common::tally::UNFINISHED;
use lab_programs::clock::now_ns;
use lab_programs::entry::add_to;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

use known::stacks_of;

#[path = "../known.rs"]
mod known;
#[path = "../stack.rs"]
mod stack;

program!();

/// When each thread fell asleep, in nanoseconds; 0 while it is awake. An entry stays as long as its
/// thread, as in runqlat.
#[map]
static ASLEEP: HashMap<u32, u64> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds from falling asleep to being woken.
#[map]
static SLEEPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same, by waker and woken thread.
#[map]
static TIMES: PerCpuHashMap<WakeKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    let pid = switch.prev.pid();
    match switch.leaves {
        // Its id may be used again.
        Leaves::Dead => drop(ASLEEP.remove(pid)),
        Leaves::Blocked if observed(switch.prev) => fall_asleep(pid),
        _ => {}
    }
}

#[inline(always)]
fn fall_asleep(pid: u32) {
    match ASLEEP.get_ptr_mut(pid) {
        Some(since) => {
            // SAFETY: only the CPU that runs the thread does this.
            let still = mem::replace(unsafe { &mut *since }, now_ns());
            if still != 0 {
                count(UNFINISHED);
            }
        }
        None => kept(ASLEEP.insert(pid, now_ns(), 0)),
    }
}

/// Runs on the waking thread; `sched_wakeup` may run elsewhere.
#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) {
    let woken = Task::arg(&ctx, 0);
    let Some(since) = ASLEEP.get_ptr_mut(woken.pid()) else { return };
    // SAFETY: a thread is woken by one at a time: the kernel holds its lock.
    let since = mem::take(unsafe { &mut *since });
    if since == 0 {
        return;
    }
    let slept = now_ns().saturating_sub(since);
    record(&SLEEPS, slept);
    let key = WakeKey { waker: stacks_of(&ctx, Task::current()), woken: woken.comm() };
    add_to(&TIMES, &key, slept);
}
