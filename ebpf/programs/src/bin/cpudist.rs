//! Time on the CPU: how long a thread runs before it leaves, by itself or not.
#![no_std]
#![no_main]

use core::mem;

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::tally::UNTOLD;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

program!();

/// Since when each thread runs, in nanoseconds; 0 while it does not. An entry stays as long as its thread.
#[map]
static RUNNING: HashMap<u32, u64> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds run at a stretch.
#[map]
static STRETCHES: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    leave(switch.prev);
    if switch.leaves == Leaves::Dead {
        // Its id may come again.
        let _ = RUNNING.remove(switch.prev.pid());
    }
    if observed(switch.next) {
        come(switch.next.pid());
    }
}

/// A thread that is not known ran before we looked.
#[inline(always)]
fn leave(task: Task) {
    let Some(entry) = RUNNING.get_ptr_mut(task.pid()) else { return };
    // SAFETY: only the CPU that runs the thread, or switches to it, changes its entry: one at a time.
    match mem::take(unsafe { &mut *entry }) {
        // Whoever has another name since is not looked at.
        0 if !observed(task) => {}
        0 => count(UNTOLD),
        came_ns => record(&STRETCHES, now_ns().saturating_sub(came_ns)),
    }
}

#[inline(always)]
fn come(pid: u32) {
    match RUNNING.get_ptr_mut(pid) {
        // SAFETY: as above.
        Some(entry) => unsafe { *entry = now_ns() },
        None => kept(RUNNING.insert(pid, now_ns(), 0)),
    }
}
