//! Slow reads, writes, opens and syncs of files on ext4, as the caller sees them: with the time of
//! block devices, of locks and of waits for a CPU.
#![no_std]
#![no_main]

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::RingBuf;
use aya_ebpf::programs::BtfTracePointContext;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

#[path = "../descriptor.rs"]
mod descriptor;
#[path = "../file.rs"]
mod file;
#[path = "../uring.rs"]
mod uring;

program!();

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

globals! {
    /// The least duration of a reported call, in microseconds.
    FROM_US: u32 = 0;
    /// Where `file` has `f_inode`.
    FILE_INODE: u32 = 0;
    /// Where `inode` has `i_sb`.
    INODE_SUPER: u32 = 0;
    /// Where `super_block` has `s_magic`.
    SUPER_MAGIC: u32 = 0;
}

/// open, creat, openat and openat2: their descriptor is the result, not an argument.
const OPENS: [u32; 4] = [2, 85, 257, 437];

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) {
    file::enter(&ctx, Task::current(), |call| match call {
        // read, write; pread64, pwrite64, readv, writev; fsync, fdatasync; sync_file_range; preadv,
        // pwritev and their second versions.
        0 | 1 | 17..=20 | 74 | 75 | 277 | 295 | 296 | 327 | 328 => true,
        _ => OPENS.contains(&call),
    });
}

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(ctx: BtfTracePointContext) {
    let Some(returned) = file::exit(&ctx) else { return };
    if returned.took_ns < u64::from(global!(FROM_US)) * 1000 {
        return;
    }
    let opened = OPENS.contains(&returned.call);
    if opened && returned.result < 0 {
        return;
    }
    let descriptor = if opened { returned.result as u32 } else { returned.first };
    let file = returned.file(descriptor);
    if file.is_some_and(is_on_ext4) {
        returned.send(&EVENTS_RING, file);
    }
}

#[btf_tracepoint(function = "io_uring_submit_req")]
fn io_uring_submit_req(ctx: BtfTracePointContext) {
    // IORING_OP_READV, WRITEV, FSYNC, READ_FIXED, WRITE_FIXED; SYNC_FILE_RANGE, OPENAT; READ,
    // WRITE; OPENAT2.
    uring::submitted(&ctx, |opcode| matches!(opcode, 1..=5 | 8 | 18 | 22 | 23 | 28));
}

#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    file::gone(&ctx);
}

#[inline(always)]
fn is_on_ext4(file: Task) -> bool {
    const MAGIC: u64 = 0xef53;
    let super_block =
        file.follow(global!(FILE_INODE)).and_then(|inode| inode.follow(global!(INODE_SUPER)));
    super_block.and_then(|block| block.read(global!(SUPER_MAGIC))) == Some(MAGIC)
}
