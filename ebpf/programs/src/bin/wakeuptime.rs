//! Who ends others' sleep: the time that threads were blocked, by the stack that woke them.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::WakeKey;
use lab_programs::add::add;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::kept;
use lab_programs::target::observed;
use lab_programs::task::Task;

use stack::standing;

#[path = "../stack.rs"]
mod stack;

program!();

/// Since when each thread sleeps, in nanoseconds.
#[map]
static ASLEEP: HashMap<u32, u64> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds from falling asleep to being woken.
#[map]
static SLEEPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same by who woke whom.
#[map]
static TIMES: PerCpuHashMap<WakeKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if switch.leaves == Leaves::Blocked && observed(switch.prev) {
        kept(ASLEEP.insert(switch.prev.pid(), now_ns(), 0));
    }
}

/// Runs on the thread that wakes, as `sched_wakeup` need not.
#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) {
    let woken = Task::arg(&ctx, 0);
    let pid = woken.pid();
    // SAFETY: a thread is woken by one at a time: the kernel holds its lock.
    let Some(&since) = (unsafe { ASLEEP.get(pid) }) else { return };
    let slept = now_ns().saturating_sub(since);
    let _ = ASLEEP.remove(pid);
    record(&SLEEPS, slept);
    let key = WakeKey { waker: standing(&ctx, Task::current()), woken: woken.comm() };
    match TIMES.get_ptr_mut(key) {
        Some(time) => add(time, slept),
        None => kept(TIMES.insert(key, slept, 0)),
    }
}
