//! Latency of a user-space function: from its first instruction to one that returns from it.
//!
//! Not by a return probe, which replaces the function's return address. Code that reads return
//! addresses, to unwind a panic or an exception, to collect garbage or to move a stack, would end
//! the program.
#![no_std]
#![no_main]

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::bpf_probe_read_user;
use aya_ebpf::macros::{btf_tracepoint, map, uprobe};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::{BtfTracePointContext, ProbeContext};
use lab_probe_common::function::{Begun, ENTERED, JUMPED, OUTCOMES as COUNTERS, Place, SIGNALS};
use lab_probe_common::histogram;
use lab_probe_common::tally::EVENTS;
use lab_programs::add::add_while_preemptible as add;
use lab_programs::clock::now_ns;
use lab_programs::histogram::{also_by, record_by};
use lab_programs::tally::{count_by, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

program!();

globals! {
    /// Where `task_struct` has `exit_code`.
    TASK_EXIT_CODE: u32 = 0;
}

/// Calls in progress, and those that ended without a return.
#[map]
static CALLS: HashMap<Place, Begun> = HashMap::with_max_entries(65536, 0);

/// Nanoseconds in the function.
#[map]
static LATENCY: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The same for an empty function of the loader: the cost of the probe itself.
#[map]
static OWN: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

/// The outcomes of calls, counted.
#[map]
static OUTCOMES: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS, 0);

/// Processes ended by each signal.
#[map]
static DEATHS: PerCpuArray<u64> = PerCpuArray::with_max_entries(SIGNALS, 0);

#[uprobe]
fn function_enter(ctx: ProbeContext) -> u32 {
    let task = Task::current();
    if observed(task) {
        bump(&OUTCOMES, ENTERED);
        begin(&ctx, task);
    }
    0
}

/// Counts calls of a function whose returns are not known.
#[uprobe]
fn function_count(_: ProbeContext) -> u32 {
    if observed(Task::current()) {
        bump(&OUTCOMES, ENTERED);
        count_by(add, EVENTS);
    }
    0
}

#[uprobe]
fn function_return(ctx: ProbeContext) -> u32 {
    if let Some(took_ns) = end(&ctx) {
        record_by(add, &LATENCY, took_ns);
    }
    0
}

/// The last instruction of a call is a jump to another function, which returns in its place.
#[uprobe]
fn function_jump(ctx: ProbeContext) -> u32 {
    if let Some(took_ns) = end(&ctx) {
        record_by(add, &LATENCY, took_ns);
        bump(&OUTCOMES, JUMPED);
    }
    0
}

#[uprobe]
fn own_enter(ctx: ProbeContext) -> u32 {
    begin(&ctx, Task::current());
    0
}

#[uprobe]
fn own_return(ctx: ProbeContext) -> u32 {
    if let Some(took_ns) = end(&ctx) {
        also_by(add, &OWN, took_ns);
    }
    0
}

#[inline(always)]
fn begin(ctx: &ProbeContext, task: Task) {
    let place = place(ctx, task);
    let returns_to = returns_to(place);
    kept(CALLS.insert(place, Begun { at_ns: now_ns(), returns_to }, 0));
}

/// How long the call that returns here took, in nanoseconds; `None` if its beginning was not seen.
#[inline(always)]
fn end(ctx: &ProbeContext) -> Option<u64> {
    let now = now_ns();
    let place = place(ctx, Task::current());
    // SAFETY: only the thread on this stack changes the entry.
    let begun = *unsafe { CALLS.get(place) }?;
    if begun.returns_to != returns_to(place) {
        return None;
    }
    let _ = CALLS.remove(place);
    Some(now.saturating_sub(begun.at_ns))
}

#[inline(always)]
fn place(ctx: &ProbeContext, task: Task) -> Place {
    /// Offset of `rsp` in x86-64's `struct pt_regs`.
    const STACK_POINTER: usize = 152;
    // SAFETY: the context of a user-space probe is a `pt_regs`.
    let stack_pointer =
        unsafe { ctx.as_ptr().cast::<u8>().add(STACK_POINTER).cast::<u64>().read() };
    Place { tgid: task.tgid().into(), stack_pointer }
}

#[inline(always)]
fn returns_to(place: Place) -> u64 {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(place.stack_pointer as *const u64) }.unwrap_or(0)
}

#[inline(always)]
fn bump(counters: &PerCpuArray<u64>, which: u32) {
    if let Some(counter) = counters.get_ptr_mut(which) {
        add(counter, 1);
    }
}

/// The exit code of the first thread is that of the process.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let task = Task::arg(&ctx, 0);
    let signal = task.number(global!(TASK_EXIT_CODE)) & (SIGNALS - 1);
    if signal != 0 && task.pid() == task.tgid() && observed(task) {
        bump(&DEATHS, signal);
    }
}
