//! Four ways to see memory: requests to the allocator, brk, mmap, and page faults. Each step below
//! is seen by its own.

use std::{hint, io, slice};

use lab_kit::Ctx;
use lab_kit::allocations;
use lab_kit::memory::{Mapping, Pages};
use lab_kit::scratch::PAGE;
use lab_kit::thread::Usage;

/// What each step is: requests, and pages.
const REQUESTS: usize = 1_000;
const GROWN_PAGES: usize = 4_096;

/// What the four saw.
struct Seen {
    requests: u64,
    /// Bytes of the heap.
    brk: usize,
    faults: u64,
}

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let touched = ctx.text("memory") == "touched";
    ask();
    let asking = || {
        ask();
        Ok(())
    };
    let seen = watch(asking)?.0;
    ctx.metric("asking_requests", seen.requests as f64, "count");
    ctx.metric("asking_brk", seen.brk as f64, "B");
    ctx.metric("asking_faults", seen.faults as f64, "count");
    let (seen, heap) = watch(|| grow_heap(touched))?;
    ctx.metric("brk_requests", seen.requests as f64, "count");
    ctx.metric("brk_brk", seen.brk as f64, "B");
    let mut faults = seen.faults;
    let (seen, mut memory) = watch(|| {
        let mut memory = Mapping::new(GROWN_PAGES * PAGE, Pages::Small)?;
        if touched {
            memory.populate()?
        };
        Ok(memory)
    })?;
    ctx.metric("mmap_requests", seen.requests as f64, "count");
    ctx.metric("mmap_brk", seen.brk as f64, "B");
    faults += seen.faults;
    ctx.metric("growing_faults", faults as f64, "count");
    let touch = || {
        heap.chunks_mut(PAGE).for_each(|page| page[0] = 1);
        memory.touch(0..GROWN_PAGES);
        Ok(hint::black_box(&heap).len())
    };
    let seen = watch(touch)?.0;
    ctx.metric("touching_requests", seen.requests as f64, "count");
    ctx.metric("touching_brk", seen.brk as f64, "B");
    ctx.metric("touching_faults", seen.faults as f64, "count");
    Ok(())
}

fn watch<T>(step: impl FnOnce() -> io::Result<T>) -> io::Result<(Seen, T)> {
    let (requests, brk, faults) = (allocations(), end_of_heap()?, Usage::here().minor_faults);
    let done = step()?;
    let seen = Seen {
        faults: Usage::here().minor_faults - faults,
        brk: end_of_heap()? - brk,
        requests: allocations() - requests,
    };
    Ok((seen, done))
}

/// Blocks of a heap that has them: each is given the last one's memory.
fn ask() {
    for _ in 0..REQUESTS {
        drop(hint::black_box(vec![1_u8; 240]));
    }
}

/// Grows the heap as an allocator does, and keeps what it grew by until the process ends.
fn grow_heap(touched: bool) -> io::Result<&'static mut [u8]> {
    let bytes = (GROWN_PAGES + 1) * PAGE;
    // SAFETY: the C library's allocator knows that others may grow the heap.
    let begin = unsafe { libc::sbrk(bytes as libc::intptr_t) };
    if begin.addr() == usize::MAX {
        return Err(io::Error::last_os_error());
    }
    let begin: *mut u8 = begin.cast();
    // SAFETY: it has a page more than is used.
    let pages = unsafe { begin.add(begin.align_offset(PAGE)) };
    // SAFETY: the range is ours. Where the kernel has no huge pages there is nothing to forbid.
    unsafe { libc::madvise(pages.cast(), GROWN_PAGES * PAGE, libc::MADV_NOHUGEPAGE) };
    // SAFETY: all of it is ours, and zero.
    let heap = unsafe { slice::from_raw_parts_mut(pages, GROWN_PAGES * PAGE) };
    if touched {
        heap.chunks_mut(PAGE).for_each(|page| page[0] = 1);
    }
    Ok(heap)
}

fn end_of_heap() -> io::Result<usize> {
    // SAFETY: asks where it is, and moves nothing.
    let end = unsafe { libc::sbrk(0) };
    if end.addr() == usize::MAX { Err(io::Error::last_os_error()) } else { Ok(end.addr()) }
}
