//! Temporary files of a trial in the run directory: free space is checked first, and nothing is
//! left behind.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use anyhow::Context as _;
use lab_proc::block::Counters;
use rustix::fs::{Advice, SeekFrom, fadvise, fstatfs, seek, statvfs};
use rustix::io::Errno;

use crate::ctx::Ctx;

/// The size of a page in bytes; a multiple of the block size of any disk.
pub const PAGE: usize = 4096;

/// Bytes that must stay free on a disk that a trial writes to.
const LEFT_FREE: u64 = 256 << 20;

/// Magic numbers of file systems, from linux/magic.h.
const EXT4: i64 = 0xef53;
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;

const ON_A_DISK: &str = "--out DIR, on a disk";

/// An empty file in the trial's directory that may grow to `bytes` bytes. Its name, `LAB-N`, is
/// removed at once, so nothing is left however the trial ends; a tracer still sees the name. `None`
/// if the disk has too little room: then the trial is [unavailable](Ctx::unavailable).
///
/// # Errors
/// The directory cannot be written.
pub fn file(ctx: &mut Ctx, bytes: u64) -> anyhow::Result<Option<File>> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let dir = ctx.dir().to_owned();
    if let Some(reason) = too_little_room(&dir, bytes)? {
        ctx.unavailable(reason, "--out DIR, on a disk with room");
        return Ok(None);
    }
    let path = dir.join(format!("{}-{}", ctx.lab(), MADE.fetch_add(1, Relaxed)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
    let file = file.with_context(|| format!("make {}", path.display()))?;
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    Ok(Some(file))
}

/// As [`file()`], but also `None` if the run directory is in memory, where a write reaches no disk.
///
/// # Errors
/// The directory cannot be written.
pub fn file_on_disk(ctx: &mut Ctx, bytes: u64) -> anyhow::Result<Option<File>> {
    let Some(file) = file(ctx, bytes)? else { return Ok(None) };
    let kind = fstatfs(&file)?.f_type as u32;
    if kind == TMPFS || kind == RAMFS {
        ctx.unavailable("the run directory lies in memory (tmpfs)", ON_A_DISK);
        return Ok(None);
    }
    Ok(Some(file))
}

fn too_little_room(dir: &Path, bytes: u64) -> anyhow::Result<Option<String>> {
    let disk = statvfs(dir).with_context(|| format!("read the free space of {}", dir.display()))?;
    let free = disk.f_bavail * disk.f_frsize;
    let [free_mib, wanted_mib] = [free, bytes + LEFT_FREE].map(|bytes| bytes >> 20);
    let reason =
        || format!("{free_mib} MiB are free in {}: {wanted_mib} are needed", dir.display());
    Ok((free < bytes + LEFT_FREE).then(reason))
}

/// Opens the same file again, to bypass the page cache (O_DIRECT).
///
/// # Errors
/// The file system does not support this.
pub fn past_the_cache(file: &File) -> io::Result<File> {
    again(file, libc::O_DIRECT)
}

/// As [`past_the_cache`]; `None` if the file system does not support this: then the trial is
/// [unavailable](Ctx::unavailable).
pub fn try_past_the_cache(ctx: &mut Ctx, file: &File) -> Option<File> {
    let opened = past_the_cache(file);
    if let Err(error) = &opened {
        let reason = format!("the run directory cannot be read past the page cache: {error}");
        ctx.unavailable(reason, ON_A_DISK);
    }
    opened.ok()
}

/// Opens the same file again, so that each write waits until it is on the disk (O_SYNC).
///
/// # Errors
/// The kernel's.
pub fn synced(file: &File) -> io::Result<File> {
    again(file, libc::O_SYNC)
}

fn again(file: &File, flags: i32) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Opens a file for reading that bypasses the page cache.
///
/// # Errors
/// The file does not exist, or its file system does not support this.
pub fn open_past_the_cache(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)
}

/// Fills a file that was opened by [`past_the_cache`], so that the page cache holds none of it.
///
/// # Errors
/// The kernel's.
pub fn fill(past_the_cache: &File, bytes: usize) -> io::Result<()> {
    const PART: usize = 256 * PAGE;
    with_aligned(PART, |part| {
        part.fill(1);
        let mut at = 0;
        while at < bytes {
            let length = PART.min(bytes - at);
            past_the_cache.write_all_at(&part[..length], at as u64)?;
            at += length;
        }
        past_the_cache.sync_all()
    })
}

/// Lends page-aligned memory, which reads and writes that bypass the cache need.
pub fn with_aligned<T>(bytes: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut memory = vec![0; bytes + PAGE];
    let from = memory.as_ptr().align_offset(PAGE);
    work(&mut memory[from..from + bytes])
}

/// Drops a file's pages from the page cache, except those that are not yet on the disk.
///
/// # Errors
/// The kernel's.
pub fn forget(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// The offsets of a file's pages that are on disk, in bytes. Holes, which linkers leave, are not: a
/// read of a hole reaches no disk.
///
/// # Errors
/// The kernel's.
pub fn pages_on_disk(file: &File) -> io::Result<Vec<u64>> {
    let whole = file.metadata()?.len() / PAGE as u64;
    let mut on_disk = Vec::new();
    for at in (0..whole).map(|page| page * PAGE as u64) {
        match seek(file, SeekFrom::Data(at)) {
            Ok(data) if data == at => on_disk.push(at),
            // The offset is in a hole, or only holes follow.
            Ok(_) | Err(Errno::NXIO) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(on_disk)
}

/// Whether the file is on ext4 (or on ext2 or ext3, which share its magic number).
///
/// # Errors
/// The kernel's.
pub fn is_on_ext4(file: &File) -> io::Result<bool> {
    Ok(fstatfs(file)?.f_type as i64 == EXT4)
}

/// The counters of the block device that a file is on; `None` if it is on none.
///
/// # Errors
/// The kernel's.
pub fn device(file: &File) -> io::Result<Option<Counters>> {
    Ok(Counters::of(file.metadata()?.dev()))
}

#[cfg(test)]
mod tests {
    use lab_record::Trial;

    use super::*;

    fn ctx(dir: &Path) -> Ctx {
        let trial = r#"{"schema":"perf-lab.trial/1","id":"001-any","lab":"any","variant":"any","label":"any","mode":"live",
            "seed":1,"warmup_ms":0,"measure_ms":10,"interval_ms":1,"deadline_ms":100,"knobs":{},"profile":null}"#;
        Ctx::new(lab_record::parse_json::<Trial>(trial).unwrap(), dir.to_owned(), &[])
    }

    #[test]
    fn a_file_is_gone_from_its_directory_and_keeps_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&mut ctx(dir.path()), 4).unwrap().unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        let mut text = [0; 4];
        file.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(&text, b"kept");
        assert_eq!(
            (file.metadata().unwrap().nlink(), fs::read_dir(dir.path()).unwrap().count()),
            (0, 0)
        );
    }

    #[test]
    fn a_full_disk_is_reported_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut ctx = ctx(dir.path());
        assert!(file(&mut ctx, u64::MAX / 2).unwrap().is_none());
        ctx.finish(false).unwrap();
        let metrics: lab_record::Metrics =
            lab_record::read_json(&dir.path().join("metrics.json")).unwrap();
        let unavailable = metrics.unavailable.unwrap();
        assert!(unavailable.reason.contains("MiB are free in"), "{unavailable:?}");
        assert!(unavailable.fix.contains("--out"), "{unavailable:?}");
    }

    #[test]
    fn a_directory_in_memory_has_no_file_on_a_disk() {
        let Ok(dir) = tempfile::tempdir_in("/dev/shm") else {
            return lab_skip::skip(lab_skip::Need::Absence, "no /dev/shm");
        };
        let mut ctx = ctx(dir.path());
        assert!(file_on_disk(&mut ctx, 4).unwrap().is_none());
        ctx.finish(false).unwrap();
        let metrics: lab_record::Metrics =
            lab_record::read_json(&dir.path().join("metrics.json")).unwrap();
        assert!(metrics.unavailable.unwrap().reason.contains("in memory"));
    }

    #[test]
    fn holes_of_a_sparse_file_are_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&mut ctx(dir.path()), 1 << 20).unwrap().unwrap();
        file.set_len(4 * PAGE as u64 + 1).unwrap();
        file.write_all_at(b"x", 2 * PAGE as u64).unwrap();
        file.sync_all().unwrap();
        let on_disk = pages_on_disk(&file).unwrap();
        // A file system without support for holes has data everywhere.
        let everywhere = [0, 1, 2, 3].map(|page| page * PAGE as u64);
        assert!(on_disk == [2 * PAGE as u64] || on_disk == everywhere, "{on_disk:?}");
    }

    #[test]
    fn scratch_memory_is_page_aligned() {
        let at = with_aligned(2 * PAGE, |memory| (memory.as_ptr() as usize, memory.len()));
        assert_eq!((at.0 % PAGE, at.1), (0, 2 * PAGE));
    }
}
