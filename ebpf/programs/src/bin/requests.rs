//! A request's time on the thread that serves it: running, waiting for a CPU, waiting for anything else.
//!
//! The program says where its requests begin and end, at points of its own (USDT); between them the scheduler says what
//! the thread does.
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
use lab_probe_common::tally::UNTOLD;
use lab_programs::add::add_while_preemptible as add;
use lab_programs::clock::now_ns;
use lab_programs::histogram::{also_by, record_by};
use lab_programs::program;
use lab_programs::switch::{Leaves, Switch};
use lab_programs::tally::{count_by, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

program!();

/// Threads that serve requests. An entry stays as long as its thread: most serve again at once.
#[map]
static SERVING: HashMap<u32, Serving> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds from a request's beginning to its end.
#[map]
static TOOK: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Of these, running.
#[map]
static ON_CPU: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Waiting for a CPU.
#[map]
static QUEUED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// Waiting for anything else.
#[map]
static BLOCKED: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same by how long requests took.
#[map]
static BY_CLASS: PerCpuArray<Class> = PerCpuArray::with_max_entries(CLASSES, 0);

/// Requests whose thread ended first.
#[map]
static UNFINISHED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Looks at an entry whose thread is switched from between two instructions of ours; each look takes a few nanoseconds.
const LOOKS: u32 = 4;

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
    // SAFETY: the entry is there, and this thread's: only `turn`, where it is switched from, comes between.
    unsafe {
        (*entry).depth += 1;
        if (*entry).depth > 1 {
            return;
        }
    }
    for _ in 0..LOOKS {
        let before = changes(entry);
        // SAFETY: as above. As volatile: it is there before the next look.
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
    for _ in 0..LOOKS {
        if changes(entry) == seen.changes {
            break;
        }
        // SAFETY: as above.
        seen = unsafe { read_volatile(entry) };
        now = now_ns();
    }
    // A request that began before we looked has an end alone.
    let Some(outer) = seen.depth.checked_sub(1) else { return 0 };
    // SAFETY: as above.
    unsafe { (*entry).depth = outer };
    if outer == 0 {
        if seen.request.state != IS_ON_CPU {
            count_by(add, UNTOLD);
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
        // SAFETY: the fields of a value that is there.
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
    // Who leaves, or ends a request, has run: if not as far as we know, its switch to the CPU was told to no tracer.
    turn(switch.prev, |state| {
        if state != IS_ON_CPU {
            count_by(add, UNTOLD);
        }
        Some(away)
    });
    turn(switch.next, |_| Some(IS_ON_CPU));
}

/// One that has not left its CPU yet, when it is woken, never sleeps.
#[btf_tracepoint(function = "sched_wakeup")]
fn sched_wakeup(ctx: BtfTracePointContext) {
    turn(Task::arg(&ctx, 0), |state| (state == IS_BLOCKED).then_some(IS_QUEUED));
}

/// Whoever ends in a request does not end it. Its id may come again.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let pid = Task::arg(&ctx, 0).pid();
    let Some(entry) = SERVING.get_ptr_mut(pid) else { return };
    // SAFETY: the entry is this thread's.
    if unsafe { (*entry).depth } > 0
        && let Some(unfinished) = UNFINISHED.get_ptr_mut(0)
    {
        add(unfinished, 1);
    }
    let _ = SERVING.remove(pid);
}

/// A thread that serves a request comes to the state that is made of its last.
#[inline(always)]
fn turn(task: Task, to: impl Fn(u64) -> Option<u64>) {
    let Some(entry) = SERVING.get_ptr_mut(task.pid()) else { return };
    // SAFETY: a thread is switched to and from, and made ready, under the lock of a run queue: one at a time.
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
    // SAFETY: the entry is there. As volatile: it changes behind the compiler's back.
    unsafe { read_volatile(&raw const (*entry).changes) }
}
