//! Samples of the running thread's stacks, counted in the kernel.
#![no_std]
#![no_main]

use aya_ebpf::macros::{map, perf_event};
use aya_ebpf::maps::PerCpuHashMap;
use aya_ebpf::programs::PerfEventContext;
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

/// Samples, by where.
#[map]
static SAMPLES: PerCpuHashMap<StackKey, u64> = PerCpuHashMap::with_max_entries(32768, 0);

#[perf_event]
fn cpu_clock(ctx: PerfEventContext) -> u32 {
    let task = Task::current();
    if observed(task) {
        count(EVENTS);
        let at = standing(task, stack(&ctx, USER), stack(&ctx, KERNEL));
        match SAMPLES.get_ptr_mut(at) {
            Some(samples) => add(samples, 1),
            None => kept(SAMPLES.insert(at, 1, 0)),
        }
    }
    0
}
