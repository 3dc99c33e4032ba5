//! Latency of a function of user space: from its first instruction to its return.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map, uprobe, uretprobe};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::{BtfTracePointContext, ProbeContext, RetProbeContext};
use lab_probe_common::histogram;
use lab_programs::add::add_while_preemptible;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record_by;
use lab_programs::program;
use lab_programs::tally::kept;
use lab_programs::target::observed;
use lab_programs::task::Task;

program!();

/// How many calls deep a thread is in the function.
#[map]
static DEPTH: HashMap<u32, u32> = HashMap::with_max_entries(32768, 0);

/// When each began, by thread and depth.
#[map]
static BEGAN: HashMap<u64, u64> = HashMap::with_max_entries(65536, 0);

/// Nanoseconds in the function.
#[map]
static LATENCY: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[uprobe]
fn function_enter(_: ProbeContext) -> u32 {
    let task = Task::current();
    if observed(task) {
        let pid = task.pid();
        // SAFETY: only the thread itself changes its entry.
        let depth = unsafe { DEPTH.get(pid) }.copied().unwrap_or(0);
        kept(BEGAN.insert(key(pid, depth), now_ns(), 0));
        kept(DEPTH.insert(pid, depth + 1, 0));
    }
    0
}

#[uretprobe]
fn function_return(_: RetProbeContext) -> u32 {
    let now = now_ns();
    let pid = Task::current().pid();
    // SAFETY: only the thread itself changes its entries.
    let Some(depth) = (unsafe { DEPTH.get(pid) }).and_then(|depth| depth.checked_sub(1)) else {
        return 0;
    };
    if depth == 0 {
        let _ = DEPTH.remove(pid);
    } else {
        kept(DEPTH.insert(pid, depth, 0));
    }
    // SAFETY: as above.
    if let Some(&began) = unsafe { BEGAN.get(key(pid, depth)) } {
        record_by(add_while_preemptible, &LATENCY, now.saturating_sub(began));
        let _ = BEGAN.remove(key(pid, depth));
    }
    0
}

/// Whoever ends in the function does not return from it.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let _ = DEPTH.remove(Task::arg(&ctx, 0).pid());
}

#[inline(always)]
fn key(pid: u32, depth: u32) -> u64 {
    u64::from(pid) << 32 | u64::from(depth)
}
