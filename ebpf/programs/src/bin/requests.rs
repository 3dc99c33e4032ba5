//! A request's time on the thread that serves it: running, waiting for a CPU, waiting for anything
//! else.
//!
//! The observed program marks the beginning and end of its requests by USDT points; in between, the
//! scheduler's tracepoints say what the thread does.
#![no_std]
#![no_main]

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::macros::{btf_tracepoint, map, uprobe};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::{BtfTracePointContext, ProbeContext};
use lab_probe_common::histogram;
use lab_probe_common::request::{
    BLOCKED as IS_BLOCKED, CLASSES, Class, ON_CPU as IS_ON_CPU, QUEUED as IS_QUEUED, Request,
    Serving, Spent, class,
};
use lab_probe_common::tally::UNFINISHED;
use lab_programs::add::add_while_preemptible as add;
use lab_programs::clock::now_ns;
use lab_programs::histogram::{also_by, record_by};
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count_by, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

program!();

/// Threads that serve requests. An entry stays as long as its thread: most serve the next at once.
#[map]
static SERVING: HashMap<u32, Serving> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds from a request's beginning to its end.
#[map]
static TOOK: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The part of it spent running.
#[map]
static ON_CPU: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The part spent waiting for a CPU.
#[map]
static QUEUED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The part spent waiting for anything else.
#[map]
static BLOCKED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same by duration of the request.
#[map]
static BY_CLASS: PerCpuArray<Class> = PerCpuArray::with_max_entries(CLASSES, 0);

/// Requests whose thread ended before they did.
#[map]
static ABANDONED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// How often an entry is read again if its thread was preempted meanwhile; each read takes a few
/// nanoseconds.
const READS: u32 = 4;

#[uprobe]
fn usdt_request_begin(_: ProbeContext) -> u32 {
    let task = Task::current();
    if observed(task) {
        let pid = task.pid();
        if let Some(entry) = SERVING.get_ptr_mut(pid) {
            begin(entry);
        } else {
            kept(SERVING.insert(pid, Serving::default(), 0));
            if let Some(entry) = SERVING.get_ptr_mut(pid) {
                begin(entry);
            }
        }
    }
    0
}

#[inline(always)]
fn begin(entry: *mut Serving) {
    // SAFETY: the entry exists and is this thread's: only `turn`, when the thread is preempted, can
    // change it meanwhile.
    unsafe {
        (*entry).depth += 1;
        if (*entry).depth > 1 {
            return;
        }
    }
    for _ in 0..READS {
        let before = changes(entry);
        // SAFETY: as above. Volatile, so that it is written before the next read.
        unsafe { write_volatile(&raw mut (*entry).request, Request::begin(now_ns())) };
        if changes(entry) == before {
            return;
        }
    }
}

#[uprobe]
fn usdt_request_end(_: ProbeContext) -> u32 {
    let Some(entry) = SERVING.get_ptr_mut(Task::current().pid()) else { return 0 };
    // SAFETY: as in `begin`.
    let mut seen = unsafe { read_volatile(entry) };
    let mut now = now_ns();
    for _ in 0..READS {
        if changes(entry) == seen.changes {
            break;
        }
        // SAFETY: as above.
        seen = unsafe { read_volatile(entry) };
        now = now_ns();
    }
    // A request that began before the probe has only an end.
    let Some(outer) = seen.depth.checked_sub(1) else { return 0 };
    // SAFETY: as above.
    unsafe { (*entry).depth = outer };
    if outer == 0 {
        if seen.request.state != IS_ON_CPU {
            count_by(add, UNFINISHED);
        }
        file(now.saturating_sub(seen.request.began_ns), seen.request.spent_at(now));
    }
    0
}

#[inline(always)]
fn file(took_ns: u64, spent: Spent) {
    record_by(add, &TOOK, took_ns);
    also_by(add, &ON_CPU, spent.on_cpu_ns);
    also_by(add, &QUEUED, spent.queued_ns);
    also_by(add, &BLOCKED, spent.blocked_ns);
    if let Some(class) = BY_CLASS.get_ptr_mut(class(took_ns)) {
        // SAFETY: the value exists.
        unsafe {
            add(&raw mut (*class).count, 1);
            add(&raw mut (*class).spent.on_cpu_ns, spent.on_cpu_ns);
            add(&raw mut (*class).spent.queued_ns, spent.queued_ns);
            add(&raw mut (*class).spent.blocked_ns, spent.blocked_ns);
        }
    }
}

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    let away = if switch.leaves == Leaves::Preempted { IS_QUEUED } else { IS_BLOCKED };
    // A thread that is switched out has run. If its state is another, no tracer saw it switched in.
    turn(switch.prev, |state| {
        if state != IS_ON_CPU {
            count_by(add, UNFINISHED);
        }
        Some(away)
    });
    turn(switch.next, |_| Some(IS_ON_CPU));
}

/// A thread that is woken before it has left its CPU does not sleep.
#[btf_tracepoint(function = "sched_wakeup")]
fn sched_wakeup(ctx: BtfTracePointContext) {
    turn(Task::arg(&ctx, 0), |state| (state == IS_BLOCKED).then_some(IS_QUEUED));
}

/// A thread that ends within a request does not end the request. Its id may be used again.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let pid = Task::arg(&ctx, 0).pid();
    let Some(entry) = SERVING.get_ptr_mut(pid) else { return };
    // SAFETY: the entry is this thread's.
    if unsafe { (*entry).depth } > 0
        && let Some(abandoned) = ABANDONED.get_ptr_mut(0)
    {
        add(abandoned, 1);
    }
    let _ = SERVING.remove(pid);
}

/// Changes the state of a thread that serves a request to the one that `to` makes of its last.
#[inline(always)]
fn turn(task: Task, to: impl Fn(u64) -> Option<u64>) {
    let Some(entry) = SERVING.get_ptr_mut(task.pid()) else { return };
    // SAFETY: a thread is switched in and out, and made ready, under the lock of a run queue: one
    // at a time.
    let serving = unsafe { &mut *entry };
    if serving.depth > 0
        && let Some(state) = to(serving.request.state)
    {
        serving.request.turn(state, now_ns());
        serving.changes += 1;
    }
}

#[inline(always)]
fn changes(entry: *mut Serving) -> u64 {
    // SAFETY: the entry exists. Volatile: it changes behind the compiler's back.
    unsafe { read_volatile(&raw const (*entry).changes) }
}
