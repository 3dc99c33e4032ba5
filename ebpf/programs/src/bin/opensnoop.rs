//! Files as they are opened, with the result.
#![no_std]
#![no_main]

use aya_ebpf::helpers::bpf_probe_read_user_str_bytes;
use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, RingBuf};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::Open;
use lab_probe_common::tally::{EVENTS, RING_FULL};
use lab_programs::call::{Argument, argument, number, result};
use lab_programs::clock::now_ns;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, program};

#[path = "../descriptor.rs"]
mod descriptor;
#[path = "../folder.rs"]
mod folder;
#[path = "../uring.rs"]
mod uring;

program!();

/// A call that has not returned.
#[derive(Clone, Copy)]
struct Pending {
    /// When it was made, in nanoseconds on CLOCK_MONOTONIC.
    since_ns: u64,
    /// The address of its path.
    path: u64,
    /// The descriptor of the folder that a relative path starts in.
    folder: u64,
}

/// AT_FDCWD: the descriptor that stands for the current directory.
const HERE: u32 = -100_i32 as u32;

/// By thread.
#[map]
static PENDING: HashMap<u32, Pending> = HashMap::with_max_entries(32768, 0);

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) {
    let task = Task::current();
    let (path, has_folder) = match number(&ctx, task) {
        // open and creat; openat and openat2.
        2 | 85 => (Argument::First, false),
        257 | 437 => (Argument::Second, true),
        _ => return,
    };
    if observed(task) {
        let folder = if has_folder { argument(&ctx, task, Argument::First) as u32 } else { HERE };
        let path = argument(&ctx, task, path);
        let pending = Pending { since_ns: now_ns(), path, folder: folder.into() };
        kept(PENDING.insert(task.pid(), pending, 0));
    }
}

/// The path is read here: before the call its page may not have been in memory.
#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(ctx: BtfTracePointContext) {
    let task = Task::current();
    // SAFETY: only the thread itself changes its entry.
    let Some(&pending) = (unsafe { PENDING.get(task.pid()) }) else { return };
    let _ = PENDING.remove(task.pid());
    let Some(mut event) = EVENTS_RING.reserve::<Open>(0) else {
        count(RING_FULL);
        return;
    };
    count(EVENTS);
    // SAFETY: the entry has room for an event, and every field is written before it is submitted.
    unsafe { describe(&ctx, task, pending, &mut *event.as_mut_ptr()) };
    event.submit(0);
}

#[inline(always)]
fn describe(ctx: &BtfTracePointContext, task: Task, pending: Pending, event: &mut Open) {
    event.time_ns = now_ns();
    event.took_ns = event.time_ns.saturating_sub(pending.since_ns);
    event.tgid = task.tgid();
    event.pid = task.pid();
    event.result = result(ctx);
    event.comm = task.comm();
    (event.path[0], event.folder_len, event.folder_whole) = (0, 0, 0);
    // SAFETY: the helper checks the address, and ends what it reads with a zero.
    let _ = unsafe { bpf_probe_read_user_str_bytes(pending.path as *const u8, &mut event.path) };
    if event.path[0] != b'/' && event.path[0] != 0 {
        // If it cannot be read, `folder_whole` stays 0.
        let start = start(task, pending.folder as u32);
        let _ = start.and_then(|start| folder::write(task, start, event));
    }
}

/// The `struct path` of the folder that a relative path starts in.
#[inline(always)]
fn start(task: Task, folder: u32) -> Option<Task> {
    if folder == HERE {
        return Some(task.follow(global!(folder::TASK_FS))?.within(global!(folder::FS_PWD)));
    }
    Some(descriptor::file(task, folder)?.within(global!(descriptor::FILE_PATH)))
}

#[btf_tracepoint(function = "io_uring_submit_req")]
fn io_uring_submit_req(ctx: BtfTracePointContext) {
    // IORING_OP_OPENAT and _OPENAT2.
    uring::submitted(&ctx, |opcode| matches!(opcode, 18 | 28));
}

/// A thread killed in a call does not return from it.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let _ = PENDING.remove(Task::arg(&ctx, 0).pid());
}
