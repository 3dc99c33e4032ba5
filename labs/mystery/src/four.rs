//! MTH-2, memory: the kernel takes the pages away again and again, as on a machine with too few.

use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::thread::sleep;
use std::time::Instant;
use std::{io, ptr};

use anyhow::Context as _;
use lab_kit::scratch::{self, PAGE};
use lab_kit::{Ctx, Diagnosis, Figure, proc};

use crate::account::{end, lit};
use crate::claims::shows;
use crate::has_problem;

/// The size of the table.
const BYTES: usize = 4 << 20;
/// A round rests for this many times as long as it looked up: others need the disk, too, and it is
/// memory that has to stand out.
const RESTS: u32 = 7;
/// Rounds until the kernel knows that the pages are in use; then their loss counts as a shortage.
const ROUNDS_BEFORE: usize = 2;

pub(crate) const DIAGNOSIS: Diagnosis = Diagnosis {
    resource: "memory",
    functions: &["scan"],
    ask: "`scan` waits for pages that it had before. How many major page faults a second?",
    of: "faults",
    count: |e| {
        shows(lit(e, "4")?, "memory")?;
        Ok(Figure::exact(e.metric("4", "major_faults")?.value / e.metric("4", "wall")?.value, ""))
    },
    tolerance: 0.3,
    because: "The pages of its table are taken away after each round, and `scan` faults each of \
              them in again from the disk. The disk is hardly busy: what is short is memory.",
};

pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    if proc::pressure("memory").is_err() {
        ctx.unavailable("this kernel keeps no account of waits", "Linux 4.20 with psi=1");
        return Ok(());
    }
    let Some(file) = scratch::file_on_disk(ctx, BYTES as u64)? else { return Ok(()) };
    file.write_all_at(&vec![3; BYTES], 0).context("write a table")?;
    file.sync_all().context("write a table to the disk")?;
    let table = Table::map(&file).context("map a table")?;
    let short = has_problem(ctx);
    if let Err(error) = table.lose() {
        ctx.unavailable(format!("the kernel takes no pages away: {error}"), "Linux 5.4");
        return Ok(());
    }
    for _ in 0..ROUNDS_BEFORE {
        black_box(scan(&table));
        table.lose()?;
    }
    let until = end(ctx);
    while Instant::now() < until {
        let begun = Instant::now();
        black_box(scan(&table));
        let took = begun.elapsed();
        if short {
            table.lose()?;
        }
        sleep(RESTS * took);
    }
    Ok(())
}

/// A file in memory, as long as the kernel leaves it there.
struct Table(*mut libc::c_void);

impl Table {
    fn map(file: &File) -> io::Result<Self> {
        let (fd, access) = (file.as_raw_fd(), libc::PROT_READ);
        // SAFETY: asks for a new mapping.
        let mapping =
            unsafe { libc::mmap(ptr::null_mut(), BYTES, access, libc::MAP_SHARED, fd, 0) };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let table = Self(mapping);
        // Each fault reads its own page.
        table.advise(libc::MADV_RANDOM)?;
        Ok(table)
    }

    /// Has the kernel take the pages away, as it does when it needs them for others.
    fn lose(&self) -> io::Result<()> {
        self.advise(libc::MADV_PAGEOUT)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is the mapping's, whose contents stay as they are.
        let done = unsafe { libc::madvise(self.0, BYTES, advice) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and is no longer used.
        unsafe { libc::munmap(self.0, BYTES) };
    }
}

#[inline(never)]
fn scan(table: &Table) -> u64 {
    let bytes: *const u8 = table.0.cast();
    let page = |page: usize| {
        // SAFETY: the page is one of the mapping's.
        u64::from(unsafe { bytes.add(page * PAGE).read_volatile() })
    };
    (0..BYTES / PAGE).map(page).sum()
}
