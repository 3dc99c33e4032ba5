//! Time off the CPU: blocked time by stack, and preempted time apart from it.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::{Away, StackKey};
use lab_probe_common::tally::INFERRED;
use lab_programs::clock::now_ns;
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

/// The last time off the CPU of each thread. An entry stays as long as its thread: making and
/// removing one at each switch would cost a third of all the rest.
#[map]
static AWAY: HashMap<u32, Away> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds that threads were blocked.
#[map]
static BLOCKED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Nanoseconds from being preempted to being switched in again.
#[map]
static PREEMPTED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Nanoseconds blocked, by thread and stack.
#[map]
static TIMES: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if observed(switch.prev) {
        switch_out(&ctx, &switch);
    }
    switch_in(switch.next);
}

/// Only a thread that blocks has its stack taken: a stack says nothing about why it is preempted.
#[inline(always)]
fn switch_out(ctx: &BtfTracePointContext, switch: &Switch) {
    let prev = switch.prev;
    let Some(away) = entry(&AWAY, prev.pid(), Away::NEVER) else { return };
    // SAFETY: only the CPU that runs the thread, or switches to it, changes its entry: one at a
    // time.
    let away = unsafe { &mut *away };
    if away.since_ns != 0 {
        // It was switched in since, and no tracer saw it.
        file(away, away_ns(prev, away.left_ns, away.ran_ns));
        count(INFERRED);
        away.since_ns = 0;
    }
    match switch.leaves {
        Leaves::Blocked => {
            away.from = stacks_of(ctx, prev);
            away.preempted = 0;
        }
        Leaves::Preempted => away.preempted = 1,
        Leaves::Dead => {
            // Its id may be used again.
            let _ = AWAY.remove(prev.pid());
            return;
        }
    }
    (away.left_ns, away.ran_ns, away.since_ns) = (switched_ns(prev), ran_ns(prev), now_ns());
}

#[inline(always)]
fn switch_in(task: Task) {
    let Some(away) = AWAY.get_ptr_mut(task.pid()) else { return };
    // SAFETY: as above.
    let away = unsafe { &mut *away };
    if away.since_ns != 0 {
        file(away, switched_ns(task).saturating_sub(away.left_ns));
        away.since_ns = 0;
    }
}

#[inline(never)]
fn file(away: &Away, gone: u64) {
    if away.preempted != 0 {
        record(&PREEMPTED, gone);
    } else {
        record(&BLOCKED, gone);
        add_to(&TIMES, &away.from, gone);
    }
}
