//! Calls that wait until files are on their device: syncs, and writes that wait.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::RingBuf;
use aya_ebpf::programs::BtfTracePointContext;
use lab_programs::call::{Argument, argument};
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

#[path = "../descriptor.rs"]
mod descriptor;
#[path = "../file.rs"]
mod file;
#[path = "../uring.rs"]
mod uring;

program!();

globals! {
    /// Where `file` has `f_flags`.
    FILE_FLAGS: u32 = 0;
}

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// msync; fsync and fdatasync; sync; sync_file_range; syncfs.
const SYNCS: [u32; 6] = [26, 74, 75, 162, 277, 306];

/// Those of them whose first argument is not a descriptor.
const WITHOUT_FILE: [u32; 2] = [26, 162];

/// write, pwrite64, writev, pwritev; pwritev2, which waits if a flag says so.
const WRITES: [u32; 5] = [1, 18, 20, 296, PWRITEV2];
const PWRITEV2: u32 = 328;

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) {
    let task = Task::current();
    file::enter(&ctx, task, |call| {
        SYNCS.contains(&call)
            || (WRITES.contains(&call) && observed(task) && waits(&ctx, task, call))
    });
}

/// Whether a write returns only when its data is on the device.
#[inline(always)]
fn waits(ctx: &BtfTracePointContext, task: Task, call: u32) -> bool {
    /// RWF_DSYNC and RWF_SYNC.
    const SYNC_FLAGS: u64 = 2 | 4;
    if call == PWRITEV2 && argument(ctx, task, Argument::Sixth) & SYNC_FLAGS != 0 {
        return true;
    }
    /// O_DSYNC; O_SYNC includes it.
    const DSYNC: u32 = 0o10_000;
    let file = descriptor::file(task, argument(ctx, task, Argument::First) as u32);
    let flags = file.and_then(|file| file.read::<u32>(global!(FILE_FLAGS))).unwrap_or(0);
    flags & DSYNC != 0
}

#[btf_tracepoint(function = "io_uring_submit_req")]
fn io_uring_submit_req(ctx: BtfTracePointContext) {
    // IORING_OP_FSYNC and _SYNC_FILE_RANGE.
    uring::submitted(&ctx, |opcode| matches!(opcode, 3 | 8));
}

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(ctx: BtfTracePointContext) {
    let Some(returned) = file::exit(&ctx) else { return };
    let file =
        if WITHOUT_FILE.contains(&returned.call) { None } else { returned.file(returned.first) };
    returned.send(&EVENTS_RING, file);
}

#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    file::gone(&ctx);
}
