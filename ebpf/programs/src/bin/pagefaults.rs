//! Page faults of user space, by where they happen.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::PerCpuHashMap;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::stack::StackKey;
use lab_probe_common::tally::EVENTS;
use lab_programs::add::add;
use lab_programs::program;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

use stack::{KERNEL, USER, stack, standing};

#[path = "../stack.rs"]
mod stack;

program!();

/// Faults, by where.
#[map]
static FAULTS: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "page_fault_user")]
fn page_fault_user(ctx: BtfTracePointContext) {
    let task = Task::current();
    if !observed(task) {
        return;
    }
    count(EVENTS);
    let at = standing(task, stack(&ctx, USER), stack(&ctx, KERNEL));
    match FAULTS.get_ptr_mut(at) {
        Some(faults) => add(faults, 1),
        None => kept(FAULTS.insert(at, 1, 0)),
    }
}
