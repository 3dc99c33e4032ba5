//! Requests to block devices, from their making to their end.
//!
//! `block_io_start` and not `block_rq_insert`: a request that the device can take at once is never inserted.

use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::BtfTracePointContext;
use lab_probe_common::block::InFlight;
use lab_probe_common::event::BlockIo;
use lab_probe_common::tally::UNTOLD;

use lab_programs::clock::now_ns;
use lab_programs::tally::{count, kept};
use lab_programs::target::observed;
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

/// A request is made.
#[inline(always)]
pub fn made(ctx: &BtfTracePointContext) {
    let (key, task) = (ctx.arg::<u64>(0), Task::current());
    // The kernel uses the same memory again: what is still there has ended.
    if IN_FLIGHT.remove(key).is_ok() {
        count(UNTOLD);
    }
    if observed(task) {
        let (made_ns, owner) = (now_ns(), task.owner());
        let request = InFlight { made_ns, issued_ns: 0, sector: 0, bytes: 0, owner };
        kept(IN_FLIGHT.insert(key, request, 0));
    }
}

/// The device gets it, in the length to which others have been merged with it. Again, if it had to be given back.
#[inline(always)]
pub fn issued(ctx: &BtfTracePointContext) {
    let Some(entry) = IN_FLIGHT.get_ptr_mut(ctx.arg::<u64>(0)) else { return };
    let request = Task::arg(ctx, 0);
    // SAFETY: nobody else has the request now.
    let entry = unsafe { &mut *entry };
    entry.issued_ns = now_ns();
    entry.sector = request.read(global!(REQUEST_SECTOR)).unwrap_or(0);
    entry.bytes = request.read::<u32>(global!(REQUEST_BYTES)).unwrap_or(0).into();
}

/// It is done, which is told in parts if the device does it in parts. None for the part, and for what was never issued:
/// a flush that another one has done.
#[inline(always)]
pub fn done(ctx: &BtfTracePointContext) -> Option<BlockIo> {
    let (key, request) = (ctx.arg::<u64>(0), Task::arg(ctx, 0));
    // SAFETY: nobody else has the request now.
    let InFlight { made_ns, issued_ns, sector, bytes, owner } = *unsafe { IN_FLIGHT.get(key) }?;
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
        operation: request.read::<u32>(global!(REQUEST_FLAGS)).unwrap_or(0) & 0xff,
        major: number(global!(DISK_MAJOR)),
        minor: number(global!(DISK_MINOR)),
        owner,
    })
}
