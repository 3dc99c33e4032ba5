//! Fresh memory from the kernel: an untouched mapping, with small or huge pages.

use std::hint::black_box;
use std::ops::Range;
use std::{fs, io, ptr};

use crate::ctx::Ctx;
use crate::scratch::PAGE;

/// A huge page of x86-64 and of most others, in bytes.
pub const HUGE_PAGE: usize = 2 << 20;

/// The page size to ask the kernel for, whatever the machine's default is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Pages of 4 KiB.
    Small,
    /// Pages of 2 MiB: see [`has_huge_pages`].
    Huge,
}

/// Private memory of this process, unmapped when this is dropped.
#[derive(Debug)]
pub struct Mapping {
    mapping: *mut libc::c_void,
    mapped_bytes: usize,
    /// The first address in the mapping at which a huge page may begin.
    memory: *mut u8,
    pages: usize,
}

impl Mapping {
    /// Maps at least `bytes` bytes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(bytes: usize, size: Pages) -> io::Result<Self> {
        let mapped_bytes = bytes.next_multiple_of(PAGE) + HUGE_PAGE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: asks for a fresh mapping.
        let mapping =
            unsafe { libc::mmap(ptr::null_mut(), mapped_bytes, protection, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let wish = if size == Pages::Huge { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        // The kernel refuses if it has no huge pages: then there is nothing to forbid. SAFETY: the
        // range is the mapping's.
        unsafe { libc::madvise(mapping, mapped_bytes, wish) };
        let first: *mut u8 = mapping.cast();
        // SAFETY: the mapping is a huge page longer than the part that is used.
        let memory = unsafe { first.add(first.align_offset(HUGE_PAGE)) };
        Ok(Self { mapping, mapped_bytes, memory, pages: bytes.div_ceil(PAGE) })
    }

    /// The number of pages of 4 KiB that may be touched.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// The address of the first page.
    pub fn address(&self) -> u64 {
        self.memory.addr() as u64
    }

    /// Writes to each of these pages, by their numbers.
    ///
    /// # Panics
    /// The mapping has fewer pages.
    pub fn touch(&mut self, pages: Range<usize>) {
        assert!(pages.end <= self.pages, "pages {pages:?} of {}", self.pages);
        for page in pages {
            // SAFETY: the page is one of the mapping's.
            unsafe { self.memory.add(page * PAGE).write_volatile(1) };
        }
        black_box(self.memory);
    }

    /// Has the kernel touch every page (Linux 5.14).
    ///
    /// # Errors
    /// The kernel's.
    pub fn populate(&mut self) -> io::Result<()> {
        let (memory, bytes) = (self.memory.cast(), self.pages * PAGE);
        // SAFETY: the range is the mapping's, which may be written.
        let done = unsafe { libc::madvise(memory, bytes, libc::MADV_POPULATE_WRITE) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and is no longer used.
        unsafe { libc::munmap(self.mapping, self.mapped_bytes) };
    }
}

/// Whether this kernel gives huge pages to a program that asks for them; if not, the trial is
/// [unavailable](Ctx::unavailable).
pub fn has_huge_pages(ctx: &mut Ctx) -> bool {
    let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let has = enabled.is_ok_and(|enabled| !enabled.contains("[never]"));
    if !has {
        ctx.unavailable(
            "huge pages are disabled in this kernel",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, as root",
        );
    }
    has
}

/// Whether `bytes` fit into half of the available memory; if not, the trial is
/// [unavailable](Ctx::unavailable).
///
/// # Errors
/// `/proc` cannot be read.
pub fn has_room(ctx: &mut Ctx, bytes: u64) -> io::Result<bool> {
    let available = lab_proc::memory()?.available;
    let has = available / 2 >= bytes;
    if !has {
        let [wanted, available] = [bytes, available].map(|bytes| bytes >> 20);
        let reason = format!("{wanted} MiB are needed, and half of {available} MiB is less");
        ctx.unavailable(reason, "a machine with more memory, or a smaller knob");
    }
    Ok(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::Usage;

    #[test]
    fn each_page_faults_once_and_a_populated_one_never() {
        let faults = |memory: &mut Mapping| {
            let before = Usage::here().minor_faults;
            memory.touch(0..memory.pages());
            Usage::here().minor_faults - before
        };
        let mut memory = Mapping::new(1 << 20, Pages::Small).unwrap();
        assert_eq!((memory.pages(), memory.address() % HUGE_PAGE as u64), (256, 0));
        // A page of the test's own code may fault too.
        let first = faults(&mut memory);
        assert!((256..=260).contains(&first), "{first}");
        assert_eq!(faults(&mut memory), 0);
        let mut populated = Mapping::new(1 << 20, Pages::Small).unwrap();
        populated.populate().unwrap();
        assert_eq!(faults(&mut populated), 0);
    }
}
