//! Requests to block devices, from `block_io_start` to their end.
//!
//! Not from `block_rq_insert`: a request that the device can take at once is never inserted.
//!
//! A flush is different. A process that waits for the device's cache makes a request with a flag,
//! and the kernel issues one flush of its own for all that wait. That flush has no
//! `block_io_start`, and it is what takes the time.

use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::block::{FLUSH, Flush, InFlight};
use lab_probe_common::event::{BlockIo, Owner};
use lab_probe_common::tally::UNFINISHED;
use lab_probe_common::target::EVERYONE;

use lab_programs::clock::now_ns;
use lab_programs::tally::{count, kept};
use lab_programs::target::{observed, observes};
use lab_programs::task::Task;
use lab_programs::{global, globals};

globals! {
    /// Where `request` has `q`.
    REQUEST_QUEUE: u32 = 0;
    /// Where `request` has `cmd_flags`.
    REQUEST_FLAGS: u32 = 0;
    /// Where `request` has `__data_len`.
    REQUEST_BYTES: u32 = 0;
    /// Where `request` has `__sector`.
    REQUEST_SECTOR: u32 = 0;
    /// Where `request_queue` has `disk`.
    QUEUE_DISK: u32 = 0;
    /// Where `gendisk` has `major`.
    DISK_MAJOR: u32 = 0;
    /// Where `gendisk` has `first_minor`.
    DISK_MINOR: u32 = 0;
}

/// Requests that are not done, by the kernel's address of them.
#[map]
static IN_FLIGHT: HashMap<u64, InFlight> = HashMap::with_max_entries(16384, 0);

/// Who has asked for the next flush, by the kernel's address of the device's queue.
#[map]
static FLUSHES: HashMap<u64, Flush> = HashMap::with_max_entries(1024, 0);

/// A request is made.
#[inline(always)]
pub fn made(ctx: &BtfTracePointContext) {
    let (key, task) = (ctx.arg::<u64>(0), Task::current());
    // The kernel reuses the memory of a request: an entry that is still there has ended.
    if IN_FLIGHT.remove(key).is_ok() {
        count(UNFINISHED);
    }
    if observed(task) {
        let (made_ns, owner) = (now_ns(), task.owner());
        let made = InFlight { made_ns, issued_ns: 0, sector: 0, bytes: 0, operation: 0, owner };
        kept(IN_FLIGHT.insert(key, made, 0));
        /// The kernel's REQ_PREFLUSH and REQ_FUA. The first flushes before this request, the second
        /// after it, if the device cannot write through its cache.
        const FLUSHES_TOO: u32 = 1 << 18 | 1 << 17;
        let request = Task::arg(ctx, 0);
        if flags(request) & FLUSHES_TOO != 0 {
            kept(FLUSHES.insert(queue(request), Flush { asked_ns: made_ns, owner }, 0));
        }
    }
}

#[inline(always)]
fn flags(request: Task) -> u32 {
    request.read(global!(REQUEST_FLAGS)).unwrap_or(0)
}

#[inline(always)]
fn queue(request: Task) -> u64 {
    request.read(global!(REQUEST_QUEUE)).unwrap_or(0)
}

/// The kernel issues its own flush. It is charged to the process that asked last.
#[inline(always)]
fn flush(key: u64, request: Task) {
    if flags(request) & 0xff != FLUSH {
        return;
    }
    let queue = queue(request);
    // SAFETY: entries are written whole.
    let asked = unsafe { FLUSHES.get(queue) }.copied();
    if asked.is_none() && !observes(EVERYONE) {
        return;
    }
    let issued_ns = now_ns();
    let Flush { asked_ns: made_ns, owner } =
        asked.unwrap_or(Flush { asked_ns: issued_ns, owner: Owner::default() });
    let operation = FLUSH.into();
    let issued = InFlight { made_ns, issued_ns, sector: 0, bytes: 0, operation, owner };
    kept(IN_FLIGHT.insert(key, issued, 0));
    let _ = FLUSHES.remove(queue);
}

/// The device gets a request, with all that was merged into it. Runs again if the device had to
/// give it back.
#[inline(always)]
pub fn issued(ctx: &BtfTracePointContext) {
    let (key, request) = (ctx.arg::<u64>(0), Task::arg(ctx, 0));
    let Some(entry) = IN_FLIGHT.get_ptr_mut(key) else { return flush(key, request) };
    // SAFETY: the kernel hands a request from one owner to the next: no one else has it now.
    let entry = unsafe { &mut *entry };
    entry.issued_ns = now_ns();
    entry.sector = request.read(global!(REQUEST_SECTOR)).unwrap_or(0);
    entry.bytes = request.read::<u32>(global!(REQUEST_BYTES)).unwrap_or(0).into();
    entry.operation = (flags(request) & 0xff).into();
}

/// A request is done. `None` if only a part of it is, and if it was never issued: another flush did
/// its work.
#[inline(always)]
pub fn done(ctx: &BtfTracePointContext) -> Option<BlockIo> {
    let (key, request) = (ctx.arg::<u64>(0), Task::arg(ctx, 0));
    // SAFETY: the kernel hands a request from one owner to the next: no one else has it now.
    let InFlight { made_ns, issued_ns, sector, bytes, operation, owner } =
        *unsafe { IN_FLIGHT.get(key) }?;
    if ctx.arg::<u32>(2) < request.read(global!(REQUEST_BYTES)).unwrap_or(0) {
        return None;
    }
    let _ = IN_FLIGHT.remove(key);
    if issued_ns == 0 {
        return None;
    }
    let disk = request.follow(global!(REQUEST_QUEUE)).and_then(|q| q.follow(global!(QUEUE_DISK)));
    let number = |offset| disk.and_then(|disk| disk.read(offset)).unwrap_or(0);
    let time_ns = now_ns();
    Some(BlockIo {
        time_ns,
        queued_ns: issued_ns.saturating_sub(made_ns),
        service_ns: time_ns.saturating_sub(issued_ns),
        sector,
        bytes: bytes as u32,
        operation: operation as u32,
        major: number(global!(DISK_MAJOR)),
        minor: number(global!(DISK_MINOR)),
        owner,
    })
}
