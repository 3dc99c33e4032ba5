//! Files as they are opened, with what came of it.
#![no_std]
#![no_main]

use aya_ebpf::helpers::bpf_probe_read_user_str_bytes;
use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, RingBuf};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::Open;
use lab_probe_common::syscall::Pending;
use lab_probe_common::tally::{EVENTS, RING_FULL};
use lab_programs::call::{Argument, argument, number, result};
use lab_programs::clock::now_ns;
use lab_programs::program;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

program!();

/// Calls that have not returned, by thread, and where their path stands.
#[map]
static PENDING: HashMap<u32, Pending> = HashMap::with_max_entries(32768, 0);

#[map]
static EVENTS_RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) {
    let path = match number(&ctx) {
        // open and creat; openat and openat2.
        2 | 85 => Argument::First,
        257 | 437 => Argument::Second,
        _ => return,
    };
    let task = Task::current();
    if observed(task) {
        let pending = Pending { since_ns: now_ns(), what: argument(&ctx, path) };
        kept(PENDING.insert(task.pid(), pending, 0));
    }
}

/// The path is read here: before the call, its page may not have been in memory yet.
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
    event.path[0] = 0;
    // SAFETY: the helper checks the address, and ends what it reads with a zero.
    let _ = unsafe { bpf_probe_read_user_str_bytes(pending.what as *const u8, &mut event.path) };
}

/// Whoever is killed in a call does not return from it.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) {
    let _ = PENDING.remove(Task::arg(&ctx, 0).pid());
}
