//! Memory that is asked for, and then touched, for pagefaults.

use std::hint::black_box;
use std::{io, ptr};

use lab_kit::Ctx;
use lab_kit::scratch::PAGE;
use lab_kit::thread::Usage;

/// Touches every page twice. Where it is not `fresh`, the kernel has touched it before.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let pages = ctx.int("touch-mib") as usize * (1 << 20) / PAGE;
    let mapped = Usage::here().minor_faults;
    let memory = map(pages)?;
    if ctx.text("memory") == "touched" {
        populate(memory, pages)?;
    }
    let before = Usage::here().minor_faults;
    touch_each(memory, pages);
    let first = Usage::here().minor_faults;
    touch_each(memory, pages);
    let second = Usage::here().minor_faults;
    // SAFETY: the mapping is ours, and nobody uses it any more.
    unsafe { libc::munmap(memory.cast(), pages * PAGE) };
    ctx.metric("pages", pages as f64, "count");
    ctx.metric("faults_of_mapping", (before - mapped) as f64, "count");
    ctx.metric("faults", (first - before) as f64, "count");
    ctx.metric("faults_again", (second - first) as f64, "count");
    Ok(())
}

/// The name of this function is what a tool's stacks are searched for.
#[inline(never)]
fn touch_each(memory: *mut u8, pages: usize) {
    for page in 0..pages {
        // SAFETY: all of it is ours.
        unsafe { memory.add(page * PAGE).write_volatile(1) };
    }
    black_box(memory);
}

/// In pages of 4 KiB, however the machine is set: a large page would take one fault for 512.
fn map(pages: usize) -> io::Result<*mut u8> {
    let (bytes, protection) = (pages * PAGE, libc::PROT_READ | libc::PROT_WRITE);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: asks for fresh memory of our own.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // Refused where the kernel has no large pages: then there is nothing to forbid.
    // SAFETY: the range is the mapping's.
    unsafe { libc::madvise(memory, bytes, libc::MADV_NOHUGEPAGE) };
    Ok(memory.cast())
}

/// Has the kernel touch every page.
fn populate(memory: *mut u8, pages: usize) -> io::Result<()> {
    // SAFETY: the range is a mapping's, which may be written.
    let done = unsafe { libc::madvise(memory.cast(), pages * PAGE, libc::MADV_POPULATE_WRITE) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
