//! Blocked time by where the thread stood and who woke it: the path and the reason in one stack.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::{Away, ChainKey, StackKey};
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

/// Who sleeps, and where.
#[map]
static ASLEEP: HashMap<u32, Away> = HashMap::with_max_entries(32768, 0);

/// Who has woken a thread that does not run yet.
#[map]
static WAKERS: HashMap<u32, StackKey> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds from falling asleep to running again.
#[map]
static BLOCKED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same by where and by whom.
#[map]
static TIMES: PerCpuHashMap<ChainKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

/// Keys too large to build beside one another on a program's stack of 512 bytes.
#[map]
static SCRATCH: PerCpuArray<ChainKey> = PerCpuArray::with_max_entries(1, 0);

#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) {
    let pid = Task::arg(&ctx, 0).pid();
    // SAFETY: only its presence is asked for.
    if unsafe { ASLEEP.get(pid) }.is_some() {
        kept(WAKERS.insert(pid, standing(&ctx, Task::current()), 0));
    }
}

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if switch.leaves == Leaves::Blocked && observed(switch.prev) {
        let from = standing(&ctx, switch.prev);
        // SAFETY: only its presence is asked for.
        if unsafe { ASLEEP.get(from.pid) }.is_some() {
            count(UNTOLD);
        }
        kept(ASLEEP.insert(from.pid, Away { from, since_ns: now_ns(), preempted: 0 }, 0));
    }
    come_back(switch.next.pid());
}

#[inline(always)]
fn come_back(pid: u32) {
    // SAFETY: only the CPU that runs the thread changes its entry, here and below.
    let Some(away) = (unsafe { ASLEEP.get(pid) }) else { return };
    let slept = now_ns().saturating_sub(away.since_ns);
    // SAFETY: as above.
    if let (Some(&waker), Some(key)) = (unsafe { WAKERS.get(pid) }, SCRATCH.get_ptr_mut(0)) {
        record(&BLOCKED, slept);
        // SAFETY: the slot is this CPU's, and interrupts are off.
        let key = unsafe { &mut *key };
        *key = ChainKey { sleeper: away.from, waker };
        match TIMES.get_ptr_mut(&*key) {
            Some(time) => add(time, slept),
            None => kept(TIMES.insert(&*key, slept, 0)),
        }
        let _ = WAKERS.remove(pid);
    }
    let _ = ASLEEP.remove(pid);
}
