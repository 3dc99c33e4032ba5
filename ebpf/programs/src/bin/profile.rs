//! Samples of the running thread's stacks, counted in the kernel.
#![no_std]
#![no_main]

use aya_ebpf::macros::{map, perf_event};
use aya_ebpf::maps::PerCpuHashMap;
use aya_ebpf::programs::PerfEventContext;
use lab_probe_common::stack::StackKey;
use lab_probe_common::tally::EVENTS;
use lab_programs::entry::add_to;
use lab_programs::program;
use lab_programs::tally::count;
use lab_programs::target::observed;
use lab_programs::task::Task;

use stack::{KERNEL, USER, key_of, stack};

#[path = "../stack.rs"]
mod stack;

program!();

/// Samples, by thread and stack.
#[map]
static SAMPLES: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[perf_event]
fn cpu_clock(ctx: PerfEventContext) -> u32 {
    let task = Task::current();
    if observed(task) {
        count(EVENTS);
        let at = key_of(task, stack(&ctx, USER), stack(&ctx, KERNEL));
        add_to(&SAMPLES, &at, 1);
    }
    0
}
