//! Page faults by stack: those of the program, and those of the kernel on the program's pages.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::PerCpuHashMap;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::stack::StackKey;
use lab_probe_common::tally::EVENTS;
use lab_programs::entry::add_to;
use lab_programs::tally::count;
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

use stack::{KERNEL, USER, key_of, stack};

#[path = "../stack.rs"]
mod stack;

program!();

globals! {
    /// Where `task_struct` has `pagefault_disabled`.
    TASK_NO_FAULTS: u32 = 0;
}

/// Faults of the program, by stack.
#[map]
static FAULTS: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

/// Faults of the kernel on the program's pages, by stack.
#[map]
static KERNEL_FAULTS: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[btf_tracepoint(function = "page_fault_user")]
fn page_fault_user(ctx: BtfTracePointContext) {
    file(&ctx, &FAULTS);
}

/// The first argument is the address. The upper half of the address space is the kernel's own.
#[btf_tracepoint(function = "page_fault_kernel")]
fn page_fault_kernel(ctx: BtfTracePointContext) {
    if ctx.arg::<u64>(0) >> 63 == 0 {
        file(&ctx, &KERNEL_FAULTS);
    }
}

#[inline(always)]
fn file(ctx: &BtfTracePointContext, map: &PerCpuHashMap<StackKey, u64>) {
    let task = Task::current();
    // While faults are disabled none brings in a page. A walk of a user stack, as here, causes
    // such.
    if !observed(task) || task.number(global!(TASK_NO_FAULTS)) != 0 {
        return;
    }
    count(EVENTS);
    let at = key_of(task, stack(ctx, USER), stack(ctx, KERNEL));
    add_to(map, &at, 1);
}
