//! System calls of the running thread on its open files.

use aya_ebpf::helpers::bpf_probe_read_kernel_str_bytes;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, RingBuf};
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::event::{FileCall, NAME_BYTES};
use lab_probe_common::syscall::Pending;
use lab_probe_common::tally::{EVENTS, RING_FULL};

use lab_programs::call::{Argument, argument, number, result};
use lab_programs::clock::now_ns;
use lab_programs::global;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
use lab_programs::task::Task;

use crate::descriptor::{ENTRY_NAME, FILE_PATH, NAME_TEXT, PATH_ENTRY, file};

/// Calls that have not returned, by thread.
#[map]
static FILE_CALLS: HashMap<u32, Pending> = HashMap::with_max_entries(32768, 0);

/// A call that has returned.
#[derive(Clone, Copy)]
pub struct Returned {
    /// The thread that called.
    task: Task,
    /// Its number.
    pub call: u32,
    /// Its first argument.
    pub first: u32,
    /// What it returns.
    pub result: i64,
    /// How long it took, in nanoseconds.
    pub took_ns: u64,
    time_ns: u64,
}

/// Remembers a call of `task`, the running thread, if `is_wanted` accepts the call's number.
#[inline(always)]
pub fn enter(ctx: &BtfTracePointContext, task: Task, is_wanted: impl Fn(u32) -> bool) {
    let call = number(ctx, task);
    if is_wanted(call) && observed(task) {
        let first = argument(ctx, task, Argument::First) as u32;
        let what = u64::from(call) << 32 | u64::from(first);
        kept(FILE_CALLS.insert(task.pid(), Pending { since_ns: now_ns(), what }, 0));
    }
}

/// The call that returns, if it was remembered.
#[inline(always)]
pub fn exit(ctx: &BtfTracePointContext) -> Option<Returned> {
    let task = Task::current();
    // SAFETY: only the thread itself changes its entry.
    let Pending { since_ns, what } = *unsafe { FILE_CALLS.get(task.pid()) }?;
    let _ = FILE_CALLS.remove(task.pid());
    let time_ns = now_ns();
    Some(Returned {
        task,
        call: (what >> 32) as u32,
        first: what as u32,
        result: result(ctx),
        took_ns: time_ns.saturating_sub(since_ns),
        time_ns,
    })
}

/// Forgets the call of a thread that ends: a thread killed in a call does not return from it.
#[inline(always)]
pub fn gone(ctx: &BtfTracePointContext) {
    let _ = FILE_CALLS.remove(Task::arg(ctx, 0).pid());
}

impl Returned {
    /// The file behind a descriptor now. Another thread may have closed it during the call.
    #[inline(always)]
    pub fn file(&self, descriptor: u32) -> Option<Task> {
        file(self.task, descriptor)
    }

    /// Sends it to the loader.
    #[inline(always)]
    pub fn send(&self, ring: &RingBuf, file: Option<Task>) {
        let Some(mut event) = ring.reserve::<FileCall>(0) else {
            count(RING_FULL);
            return;
        };
        count(EVENTS);
        // SAFETY: the entry has room for an event, and every field is written before it is
        // submitted.
        let told = unsafe { &mut *event.as_mut_ptr() };
        told.time_ns = self.time_ns;
        told.took_ns = self.took_ns;
        told.call = self.call.into();
        told.result = self.result;
        told.owner = self.task.owner();
        told.name = [0; NAME_BYTES];
        if let Some(name) = file.and_then(name_of) {
            // SAFETY: the helper checks the address, and ends what it reads with a zero.
            let _ = unsafe { bpf_probe_read_kernel_str_bytes(name as *const u8, &mut told.name) };
        }
        event.submit(0);
    }
}

/// The address of the last part of a file's path.
#[inline(always)]
fn name_of(file: Task) -> Option<u64> {
    let entry = file.follow(global!(FILE_PATH) + global!(PATH_ENTRY))?;
    entry.read(global!(ENTRY_NAME) + global!(NAME_TEXT))
}
