//! Files on the disk that this program lies on, which is the one that it was built on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::{env, process};

use anyhow::Context as _;
use rustix::fs::{Advice, SeekFrom, fadvise, fstatfs, seek};
use rustix::io::Errno;

/// Of the kernel's pages, and enough for the blocks of any disk.
pub(crate) const PAGE: usize = 4096;

/// How the names of the files begin, which a tool still sees when they are gone.
pub(crate) const NAME: &str = "bpf-tools-";

const EXT4: i64 = 0xef53;

/// An empty file of our own. Its name is taken away at once: however the trial ends, nothing stays.
pub(crate) fn file() -> anyhow::Result<File> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let exe = program()?;
    let name = format!("{NAME}{}-{}", process::id(), MADE.fetch_add(1, Relaxed));
    let path = exe.with_file_name(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
    let file = file.with_context(|| format!("make {}", path.display()))?;
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    Ok(file)
}

/// This program, a file of some megabytes that is there in any case.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    env::current_exe().context("find this program")
}

/// The same file once more, to read and write it past the page cache.
///
/// # Errors
/// Its file system cannot do that.
pub(crate) fn past_the_cache(file: &File) -> io::Result<File> {
    use std::os::fd::AsRawFd as _;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path)
}

/// A file to read past the page cache.
///
/// # Errors
/// It is not there, or its file system cannot do that.
pub(crate) fn open_past_the_cache(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)
}

/// Writes so many bytes past the page cache, which holds none of them then.
pub(crate) fn fill(past_the_cache: &File, bytes: usize) -> io::Result<()> {
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

/// Lends memory that begins with a page, as reads and writes past the cache want it.
pub(crate) fn with_aligned<T>(bytes: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut memory = vec![0; bytes + PAGE];
    let from = memory.as_ptr().align_offset(PAGE);
    work(&mut memory[from..from + bytes])
}

/// Drops what the page cache has of a file, if it is on the disk already.
pub(crate) fn forget(file: &File) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Where the pages of a file begin that no hole is in: a linker leaves holes, for which no disk is
/// asked.
pub(crate) fn pages_on_disk(file: &File) -> io::Result<Vec<u64>> {
    let whole = file.metadata()?.len() / PAGE as u64;
    let mut on_disk = Vec::new();
    for at in (0..whole).map(|page| page * PAGE as u64) {
        match seek(file, SeekFrom::Data(at)) {
            Ok(data) if data == at => on_disk.push(at),
            // In a hole; or nothing but a hole follows.
            Ok(_) | Err(Errno::NXIO) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(on_disk)
}

/// Whether it is on ext4 (or ext2 or ext3, which have its number too).
pub(crate) fn is_on_ext4(file: &File) -> io::Result<bool> {
    Ok(fstatfs(file)?.f_type as i64 == EXT4)
}

/// The counters of the block device that a file lies on; none where it lies on none.
pub(crate) fn device_counters(file: &File) -> io::Result<Option<PathBuf>> {
    let device = file.metadata()?.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let path = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"));
    Ok(path.exists().then_some(path))
}

/// Reads that a device has completed since it is there, whoever asked for them.
pub(crate) fn reads_completed(counters: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(counters).with_context(|| counters.display().to_string())?;
    let first = text.split_whitespace().next().and_then(|field| field.parse().ok());
    first.with_context(|| format!("{} begins with no number", counters.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_gone_from_its_directory_and_keeps_what_is_written() {
        let file = file().unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        let mut text = [0; 4];
        file.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(&text, b"kept");
        assert_eq!(file.metadata().unwrap().nlink(), 0);
    }

    #[test]
    fn holes_are_left_out() {
        let file = file().unwrap();
        file.set_len(4 * PAGE as u64 + 1).unwrap();
        file.write_all_at(b"x", 2 * PAGE as u64).unwrap();
        file.sync_all().unwrap();
        let on_disk = pages_on_disk(&file).unwrap();
        // A file system without holes has data everywhere.
        let everywhere = [0, 1, 2, 3].map(|page| page * PAGE as u64);
        assert!(on_disk == [2 * PAGE as u64] || on_disk == everywhere, "{on_disk:?}");
    }

    #[test]
    fn memory_begins_with_a_page() {
        let at = with_aligned(2 * PAGE, |memory| (memory.as_ptr() as usize, memory.len()));
        assert_eq!((at.0 % PAGE, at.1), (0, 2 * PAGE));
    }
}
