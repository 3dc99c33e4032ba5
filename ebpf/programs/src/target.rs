//! Which processes a program observes. A child of an observed command is observed from its fork on.

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::Comm;
use lab_probe_common::target::{FAMILY as IN_FAMILY, FROM_EXEC, NAME, OBSERVED};

use crate::tally::kept;
use crate::task::Task;

globals! {
    /// One of `lab_probe_common::target`.
    TARGET: u32 = 0;
    /// The name to look for.
    TARGET_COMM: Comm = Comm([0; 2]);
    /// The loader's process, which is never observed.
    LOADER: u32 = 0;
}

/// `OBSERVED` or `FROM_EXEC`, by process.
#[map]
static FAMILY: HashMap<u32, u32> = HashMap::with_max_entries(32768, 0);

/// Whether `task` is observed.
#[inline(never)]
pub fn observed(task: Task) -> bool {
    let tgid = task.tgid();
    if tgid == 0 || tgid == global!(LOADER) {
        return false;
    }
    match global!(TARGET) {
        IN_FAMILY => state(tgid) == Some(OBSERVED),
        NAME => task.comm().0 == global!(TARGET_COMM).0,
        _ => true,
    }
}

/// Whether this probe was given `target`: one of `lab_probe_common::target`.
#[inline(always)]
pub fn observes(target: u32) -> bool {
    global!(TARGET) == target
}

#[inline(always)]
fn state(tgid: u32) -> Option<u32> {
    // SAFETY: entries are a word, written whole; that of a process is not removed while it runs.
    unsafe { FAMILY.get(tgid) }.copied()
}

/// A child of an observed process is observed. Another child is not, even if its id was that of an
/// observed process before.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn family_sched_process_fork(ctx: BtfTracePointContext) {
    let (parent, child) = (Task::arg(&ctx, 0).tgid(), Task::arg(&ctx, 1).tgid());
    if parent == child {
        return;
    }
    if state(parent) == Some(OBSERVED) {
        kept(FAMILY.insert(child, OBSERVED, 0));
    } else if state(child) == Some(OBSERVED) {
        let _ = FAMILY.remove(child);
    }
}

/// The command was held before its exec; it is observed from here on.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn family_sched_process_exec(ctx: BtfTracePointContext) {
    let tgid = Task::arg(&ctx, 0).tgid();
    if state(tgid) == Some(FROM_EXEC) {
        kept(FAMILY.insert(tgid, OBSERVED, 0));
    }
}

/// A process is gone when its first thread is freed, which happens after all others; its id may be
/// used again.
#[btf_tracepoint(function = "sched_process_free")]
pub fn family_sched_process_free(ctx: BtfTracePointContext) {
    let task = Task::arg(&ctx, 0);
    let tgid = task.tgid();
    if task.pid() == tgid && state(tgid).is_some() {
        let _ = FAMILY.remove(tgid);
    }
}
