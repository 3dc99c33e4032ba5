//! Run-queue latency: from the moment a thread could run to the moment it does.
#![no_std]
#![no_main]

use core::mem;

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::{CommSlot, histogram};
use lab_programs::add::add;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::kept;
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

program!();

globals! {
    /// Whether to keep a histogram for each name of a thread, too.
    BY_COMM: u32 = 0;
}

/// When each thread began to wait, in nanoseconds; 0 while it does not. An entry stays as long as its thread: to make
/// and to remove one at each switch would cost as much again as all the rest.
#[map]
static WAITING: HashMap<u32, u64> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds waited.
#[map]
static LATENCY: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// As `LATENCY`, for each name of a thread.
#[map]
static LATENCY_BY_COMM: PerCpuHashMap<CommSlot, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_wakeup")]
fn sched_wakeup(ctx: BtfTracePointContext) {
    begin(Task::arg(&ctx, 0));
}

#[btf_tracepoint(function = "sched_wakeup_new")]
fn sched_wakeup_new(ctx: BtfTracePointContext) {
    begin(Task::arg(&ctx, 0));
}

/// A thread that is switched from while it could run waits again.
#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    if switch.leaves == Leaves::Preempted {
        begin(switch.prev);
    }
    end(switch.next);
}

/// Its id may come again.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let _ = WAITING.remove(Task::arg(&ctx, 0).pid());
}

#[inline(always)]
fn begin(task: Task) {
    if !observed(task) {
        return;
    }
    let pid = task.pid();
    match WAITING.get_ptr_mut(pid) {
        // SAFETY: a thread is made ready, and taken, under the lock of a run queue: one at a time.
        Some(since) => unsafe { *since = now_ns() },
        None => kept(WAITING.insert(pid, now_ns(), 0)),
    }
}

#[inline(always)]
fn end(task: Task) {
    let Some(since) = WAITING.get_ptr_mut(task.pid()) else { return };
    // SAFETY: as above.
    let began = mem::take(unsafe { &mut *since });
    if began == 0 {
        return;
    }
    let waited = now_ns().saturating_sub(began);
    record(&LATENCY, waited);
    if global!(BY_COMM) != 0 {
        let comm = task.comm();
        bump(CommSlot { comm, slot: histogram::slot(waited).into() }, 1);
        bump(CommSlot { comm, slot: histogram::SUM.into() }, waited);
    }
}

#[inline(always)]
fn bump(key: CommSlot, more: u64) {
    match LATENCY_BY_COMM.get_ptr_mut(key) {
        Some(value) => add(value, more),
        None => kept(LATENCY_BY_COMM.insert(key, more, 0)),
    }
}
