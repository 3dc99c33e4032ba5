//! Time on the CPU: how long a thread runs before it leaves, by itself or not.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::histogram;
use lab_programs::clock::now_ns;
use lab_programs::histogram::record;
use lab_programs::program;
use lab_programs::switch::Switch;
use lab_programs::tally::kept;
use lab_programs::target::observed;

program!();

/// When each running thread came, in nanoseconds.
#[map]
static RUNNING: HashMap<u32, u64> = HashMap::with_max_entries(32768, 0);

/// Nanoseconds run at a stretch.
#[map]
static STRETCHES: PerCpuArray<u64> = PerCpuArray::with_max_entries(histogram::LEN, 0);

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) {
    let switch = Switch::of(&ctx);
    let pid = switch.prev.pid();
    // SAFETY: only the CPU that runs the thread changes its entry.
    if let Some(&came) = unsafe { RUNNING.get(pid) } {
        record(&STRETCHES, now_ns().saturating_sub(came));
        let _ = RUNNING.remove(pid);
    }
    if observed(switch.next) {
        kept(RUNNING.insert(switch.next.pid(), now_ns(), 0));
    }
}
