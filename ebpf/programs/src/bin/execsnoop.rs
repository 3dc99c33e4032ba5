//! Programs as they are started, with their arguments. A failed exec is not reported.
#![no_std]
#![no_main]

use aya_ebpf::helpers::{bpf_get_current_uid_gid, bpf_probe_read_user_buf};
use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::RingBuf;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::{Exec, TEXT_BYTES};
use lab_probe_common::tally::{EVENTS, RING_FULL};
use lab_programs::clock::now_ns;
use lab_programs::tally::count;
use lab_programs::target::observed;
use lab_programs::task::Task;
use lab_programs::{global, globals, program};

program!();

globals! {
    /// Where `task_struct` has `real_parent`.
    TASK_PARENT: u32 = 0;
    /// Where `task_struct` has `mm`.
    TASK_MM: u32 = 0;
    /// Where `mm_struct` has `arg_start`.
    MM_ARG_START: u32 = 0;
    /// Where `mm_struct` has `arg_end`.
    MM_ARG_END: u32 = 0;
}

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Runs in the process that has just become another program.
#[btf_tracepoint(function = "sched_process_exec")]
fn sched_process_exec(ctx: BtfTracePointContext) {
    let task = Task::arg(&ctx, 0);
    if !observed(task) {
        return;
    }
    let Some(mut event) = EVENTS_RING.reserve::<Exec>(0) else {
        count(RING_FULL);
        return;
    };
    count(EVENTS);
    // SAFETY: the entry has room for an event, and every field is written before it is submitted.
    unsafe { describe(task, &mut *event.as_mut_ptr()) };
    event.submit(0);
}

#[inline(always)]
fn describe(task: Task, event: &mut Exec) {
    event.time_ns = now_ns();
    event.tgid = task.tgid();
    event.parent = task.follow(global!(TASK_PARENT)).and_then(Task::tgid_by_address).unwrap_or(0);
    event.uid = bpf_get_current_uid_gid() as u32;
    event.comm = task.comm();
    let mm = task.follow(global!(TASK_MM));
    let field = |offset| mm.and_then(|mm| mm.read::<u64>(offset)).unwrap_or(0);
    let (start, end) = (field(global!(MM_ARG_START)), field(global!(MM_ARG_END)));
    event.args_all = end.saturating_sub(start);
    event.args_len = 0;
    let len = event.args_all.min(TEXT_BYTES as u64) as usize;
    // SAFETY: the helper checks the address; the kernel has just written the arguments there.
    let read = unsafe { bpf_probe_read_user_buf(start as *const u8, &mut event.args[..len]) };
    if read.is_ok() {
        event.args_len = len as u32;
    }
}
