//! Run-queue latency: from when a thread becomes ready to when it is switched in.
#![no_std]
#![no_main]

use core::mem;

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::tally::UNFINISHED;
use lab_probe_common::{CommSlot, histogram};
use lab_programs::clock::now_ns;
use lab_programs::entry::add_to;
use lab_programs::histogram::record;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

program!();

globals! {
    /// Whether to keep a histogram for each thread name, too.
    BY_COMM: u32 = 0;
    /// Where `task_struct` has `on_cpu`.
    TASK_ON_CPU: u32 = 0;
    /// Where it has `nvcsw`, of which the lower half suffices.
    TASK_SLEEPS: u32 = 0;
}

/// A thread's wait.
#[derive(Clone, Copy)]
struct Wait {
    /// When it became ready, in nanoseconds; 0 while it does not wait.
    since_ns: u64,
    /// Its voluntary switches by then.
    sleeps: u64,
}

/// The wait of each thread. An entry stays as long as its thread: making and removing one at each
/// switch would double the cost.
#[map]
static WAITS: HashMap<u32, Wait> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds waited.
#[map]
static LATENCY: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// As `LATENCY`, for each thread name.
#[map]
static LATENCY_BY_COMM: PerCpuHashMap<CommSlot, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "sched_wakeup")]
fn sched_wakeup(ctx: BtfTracePointContext) {
    woken(Task::arg(&ctx, 0));
}

#[btf_tracepoint(function = "sched_wakeup_new")]
fn sched_wakeup_new(ctx: BtfTracePointContext) {
    woken(Task::arg(&ctx, 0));
}

/// A thread that is preempted waits again.
#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    match switch.leaves {
        Leaves::Preempted if observed(switch.prev) => wait(switch.prev, |_| true),
        // Its id may be used again.
        Leaves::Dead => drop(WAITS.remove(switch.prev.pid())),
        _ => {}
    }
    end(switch.next);
}

/// A thread that is woken on its way to sleep still runs, and does not wait. One that waits goes on
/// waiting.
#[inline(always)]
fn woken(task: Task) {
    if task.number(global!(TASK_ON_CPU)) == 0 && observed(task) {
        wait(task, |begun| begun.sleeps != sleeps(task));
    }
}

/// Begins a wait. A wait that was begun before goes on, unless it has `ended` without a tracer
/// seeing it.
#[inline(always)]
fn wait(task: Task, ended: impl Fn(&Wait) -> bool) {
    let begins = Wait { since_ns: now_ns(), sleeps: sleeps(task) };
    let Some(wait) = WAITS.get_ptr_mut(task.pid()) else {
        return kept(WAITS.insert(task.pid(), begins, 0));
    };
    // SAFETY: a thread is made ready, and taken, under the lock of a run queue: one at a time.
    let wait = unsafe { &mut *wait };
    if wait.since_ns != 0 {
        if !ended(wait) {
            return;
        }
        count(UNFINISHED);
    }
    *wait = begins;
}

/// The thread's voluntary switches.
#[inline(always)]
fn sleeps(task: Task) -> u64 {
    task.number(global!(TASK_SLEEPS)).into()
}

#[inline(always)]
fn end(task: Task) {
    let Some(wait) = WAITS.get_ptr_mut(task.pid()) else { return };
    // SAFETY: as above.
    let began = mem::take(unsafe { &mut (*wait).since_ns });
    if began == 0 {
        return;
    }
    let waited = now_ns().saturating_sub(began);
    record(&LATENCY, waited);
    if global!(BY_COMM) != 0 {
        let comm = task.comm();
        let slot = histogram::slot(waited).into();
        add_to(&LATENCY_BY_COMM, &CommSlot { comm, slot }, 1);
        let slot = histogram::SUM.into();
        add_to(&LATENCY_BY_COMM, &CommSlot { comm, slot }, waited);
    }
}
