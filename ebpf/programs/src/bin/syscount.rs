//! System calls: how often, with which errors, how long.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_probe_common::syscall::{COMPAT, Calls, NUMBERS, OTHERS, Pending, SLOTS};
use lab_programs::call::{is_compat, is_error, raw_number, result};
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::tally::kept;
use lab_programs::target::observed;
use lab_programs::task::Task;

program!();

/// Calls that have not returned, by thread.
#[map]
static PENDING: HashMap<u32, Pending> = HashMap::with_max_entries(32768, 0);

/// By table and number.
#[map]
static CALLS: PerCpuArray<Calls> = PerCpuArray::with_max_entries(SLOTS, 0);

/// Nanoseconds from call to return.
#[map]
static LATENCY: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) {
    let task = Task::current();
    if !observed(task) {
        return;
    }
    let what = match raw_number(&ctx) {
        NUMBERS.. => OTHERS,
        number if is_compat(task) => COMPAT + number,
        number => number,
    };
    let Some(calls) = CALLS.get_ptr_mut(what) else { return };
    // SAFETY: the slot is this CPU's, and nothing preempts the program.
    unsafe { (*calls).count += 1 };
    kept(PENDING.insert(task.pid(), Pending { since_ns: now_ns(), what: what.into() }, 0));
}

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(ctx: BtfTracePointContext) {
    let pid = Task::current().pid();
    // SAFETY: only the thread itself changes its entry.
    let Some(&Pending { since_ns, what }) = (unsafe { PENDING.get(pid) }) else { return };
    let took = now_ns().saturating_sub(since_ns);
    let _ = PENDING.remove(pid);
    let Some(calls) = CALLS.get_ptr_mut(what as u32) else { return };
    // SAFETY: the slot is this CPU's, and nothing preempts the program.
    let calls = unsafe { &mut *calls };
    calls.returned += 1;
    calls.errors += u64::from(is_error(result(&ctx)));
    calls.total_ns += took;
    calls.max_ns = calls.max_ns.max(took);
    record(&LATENCY, took);
}

/// A thread ends in a call that does not return.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let _ = PENDING.remove(Task::arg(&ctx, 0).pid());
}
