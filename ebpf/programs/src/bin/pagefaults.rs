//! Page faults, by where they happen: those of the program, and those of the kernel on the program's pages.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::PerCpuHashMap;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::stack::StackKey;
use lab_probe_common::tally::EVENTS;
use lab_programs::add::add;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

use stack::{KERNEL, USER, stack, standing};

#[path = "../stack.rs"]
mod stack;

program!();

globals! {
    /// Where `task_struct` has `pagefault_disabled`.
    TASK_NO_FAULTS: u32 = 0;
}

/// Faults of the program, by where.
#[map]
static FAULTS: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

/// Faults of the kernel on the program's pages, while it works for the program.
#[map]
static KERNEL_FAULTS: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "page_fault_user")]
fn page_fault_user(ctx: BtfTracePointContext) {
    file(&ctx, &FAULTS);
}

/// The first argument is the address; the upper half of all is the kernel's own.
#[btf_tracepoint(function = "page_fault_kernel")]
fn page_fault_kernel(ctx: BtfTracePointContext) {
    if ctx.arg::<u64>(0) >> 63 == 0 {
        file(&ctx, &KERNEL_FAULTS);
    }
}

#[inline(always)]
fn file(ctx: &BtfTracePointContext, map: &PerCpuHashMap<StackKey, u64>) {
    let task = Task::current();
    // While faults are forbidden none brings a page: a program that walks a stack, as this one does, comes by them.
    if !observed(task) || task.number(global!(TASK_NO_FAULTS)) != 0 {
        return;
    }
    count(EVENTS);
    let at = standing(task, stack(ctx, USER), stack(ctx, KERNEL));
    match map.get_ptr_mut(at) {
        Some(faults) => add(faults, 1),
        None => kept(map.insert(at, 1, 0)),
    }
}
