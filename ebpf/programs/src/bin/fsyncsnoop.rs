//! Calls that wait until files are on their device.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::RingBuf;
use aya_ebpf::programs::BtfTracePointContext;
use lab_programs::program;

#[path = "../file.rs"]
mod file;

program!();

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// msync; fsync and fdatasync; sync; sync_file_range; syncfs.
const SYNCS: [u32; 6] = [26, 74, 75, 162, 277, 306];

/// Of these, those whose first argument is no descriptor.
const WITHOUT_FILE: [u32; 2] = [26, 162];

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) {
    file::enter(&ctx, |call| SYNCS.contains(&call));
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
