//! Time off the CPU: blocked, by where the thread stood, and apart from it preempted.
#![no_std]
#![no_main]

use core::mem;

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::stack::{Away, NO_STACK, StackKey};
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

/// Who is away. An entry stays as long as its thread: to make and to remove one at each switch would cost a third of
/// all the rest.
#[map]
static AWAY: HashMap<u32, Away> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds that threads were blocked.
#[map]
static BLOCKED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Nanoseconds that threads waited for the CPU that was taken from them.
#[map]
static PREEMPTED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Nanoseconds blocked, by where.
#[map]
static TIMES: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if switch.leaves == Leaves::Dead {
        // Its id may come again.
        let _ = AWAY.remove(switch.prev.pid());
    } else if observed(switch.prev) {
        leave(&ctx, &switch);
    }
    come_back(switch.next);
}

/// A stack says why a thread blocks, and nothing of why it is preempted.
#[inline(always)]
fn leave(ctx: &BtfTracePointContext, switch: &Switch) {
    let preempted = switch.leaves == Leaves::Preempted;
    let from = if preempted { elsewhere(switch.prev) } else { standing(ctx, switch.prev) };
    let away = Away { from, since_ns: now_ns(), preempted: preempted.into() };
    match AWAY.get_ptr_mut(from.pid) {
        Some(entry) => {
            // SAFETY: only the CPU that runs the thread, or switches to it, changes its entry: one at a time.
            let before = mem::replace(unsafe { &mut *entry }, away);
            if before.since_ns != 0 {
                count(UNTOLD);
            }
        }
        None => kept(AWAY.insert(from.pid, away, 0)),
    }
}

#[inline(always)]
fn come_back(task: Task) {
    let Some(away) = AWAY.get_ptr_mut(task.pid()) else { return };
    // SAFETY: as above.
    let away = unsafe { &mut *away };
    let since_ns = mem::take(&mut away.since_ns);
    if since_ns == 0 {
        return;
    }
    let gone = now_ns().saturating_sub(since_ns);
    if away.preempted != 0 {
        record(&PREEMPTED, gone);
    } else {
        record(&BLOCKED, gone);
        match TIMES.get_ptr_mut(&away.from) {
            Some(time) => add(time, gone),
            None => kept(TIMES.insert(&away.from, gone, 0)),
        }
    }
}

/// `task` without its stacks.
#[inline(always)]
fn elsewhere(task: Task) -> StackKey {
    let (tgid, pid, comm) = (task.tgid(), task.pid(), task.comm());
    StackKey { tgid, pid, user: NO_STACK, kernel: NO_STACK, comm }
}
