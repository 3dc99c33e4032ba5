//! Time on the CPU: how long a thread runs before it is switched out.
#![no_std]
#![no_main]

use core::mem;

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::tally::UNFINISHED;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

program!();

/// When each thread was switched in, in nanoseconds; 0 while it is off the CPU. An entry stays as
/// long as its thread.
#[map]
static RUNNING: HashMap<u32, u64> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds run at a stretch.
#[map]
static STRETCHES: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    switch_out(switch.prev);
    if switch.leaves == Leaves::Dead {
        // Its id may be used again.
        let _ = RUNNING.remove(switch.prev.pid());
    }
    if observed(switch.next) {
        switch_in(switch.next.pid());
    }
}

/// A thread without an entry was switched in before the probe began.
#[inline(always)]
fn switch_out(task: Task) {
    let Some(entry) = RUNNING.get_ptr_mut(task.pid()) else { return };
    // SAFETY: only the CPU that runs the thread, or switches to it, changes its entry: one at a
    // time.
    match mem::take(unsafe { &mut *entry }) {
        // Its name has changed since, and it is not observed any more.
        0 if !observed(task) => {}
        0 => count(UNFINISHED),
        since_ns => record(&STRETCHES, now_ns().saturating_sub(since_ns)),
    }
}

#[inline(always)]
fn switch_in(pid: u32) {
    match RUNNING.get_ptr_mut(pid) {
        // SAFETY: as above.
        Some(entry) => unsafe { *entry = now_ns() },
        None => kept(RUNNING.insert(pid, now_ns(), 0)),
    }
}
