//! Memory that is asked for, and then touched, for pagefaults.

use std::hint::black_box;
use std::{fs, io, ptr};

use lab_kit::Ctx;
use lab_kit::scratch::PAGE;
use lab_kit::thread::Usage;

const HUGE_PAGE: usize = 2 << 20;

/// Touches every page twice. Where it is not `fresh`, the kernel has touched it before.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let pages = ctx.int("touch-mib") as usize * (1 << 20) / PAGE;
    let huge = ctx.text("pages") == "huge";
    if huge && !has_huge_pages() {
        ctx.unavailable(
            "this kernel gives nobody a huge page",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, as root",
        );
        return Ok(());
    }
    let mapped = Usage::here().minor_faults;
    let (mapping, memory) = map(pages, huge)?;
    if ctx.text("memory") == "touched" {
        populate(memory, pages)?;
    }
    let before = Usage::here().minor_faults;
    touch_each(memory, pages);
    let first = Usage::here().minor_faults;
    touch_each(memory, pages);
    let second = Usage::here().minor_faults;
    // SAFETY: the mapping is ours, and nobody uses it any more.
    unsafe { libc::munmap(mapping.cast(), pages * PAGE + HUGE_PAGE) };
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

/// Whether this kernel gives huge pages to who asks for them.
fn has_huge_pages() -> bool {
    let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    enabled.is_ok_and(|enabled| !enabled.contains("[never]"))
}

/// In pages of 4 KiB or of 2 MiB, however the machine is set: the mapping, and where in it the first
/// huge page may begin.
fn map(pages: usize, huge: bool) -> io::Result<(*mut u8, *mut u8)> {
    let bytes = pages * PAGE + HUGE_PAGE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: asks for fresh memory of our own.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let wish = if huge { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
    // Refused where the kernel has no huge pages: then there is nothing to forbid.
    // SAFETY: the range is the mapping's.
    unsafe { libc::madvise(memory, bytes, wish) };
    let mapping: *mut u8 = memory.cast();
    // SAFETY: the mapping is longer than what is used of it by a huge page.
    Ok((mapping, unsafe { mapping.add(mapping.align_offset(HUGE_PAGE)) }))
}

/// Has the kernel touch every page.
fn populate(memory: *mut u8, pages: usize) -> io::Result<()> {
    // SAFETY: the range is a mapping's, which may be written.
    let done = unsafe { libc::madvise(memory.cast(), pages * PAGE, libc::MADV_POPULATE_WRITE) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
