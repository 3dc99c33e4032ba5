//! A separate file system in a file, to simulate a disk that loses power: ext4 on a loop device.
//!
//! Nothing is left of it, however the process ends: the mounts are in a mount namespace of one
//! thread and the threads that it starts, which ends with them, and the loop device detaches itself
//! once it is no longer mounted (`LO_FLAGS_AUTOCLEAR`).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::ctx::Ctx;
use crate::thread::{named, run};

/// Bytes that are copied at a time.
const PART: usize = 1 << 20;

/// Lends a new ext4 in the file `image`, of the file's length, to `work`, which runs on a thread of
/// its own. `None` if this user may not mount or mkfs.ext4 is missing: then the trial is
/// [unavailable](Ctx::unavailable).
///
/// # Errors
/// Those of `work`.
pub fn on_ext4<T: Send>(
    ctx: &mut Ctx,
    image: &File,
    work: impl FnOnce(&Volume<'_>) -> anyhow::Result<T> + Send,
) -> anyhow::Result<Option<T>> {
    let dir = ctx.dir().to_owned();
    let apart = named("volume", || match Volume::make(&dir, image) {
        Ok(volume) => work(&volume).map(Ok),
        Err(error) => Ok(Err(error)),
    });
    match run(vec![apart], || ())?.remove(0) {
        Ok(done) => Ok(Some(done)),
        Err(error) => {
            let fix = "sudo cargo xtask lab …, with e2fsprogs installed, outside of a container";
            ctx.unavailable(format!("no ext4 of its own: {error}"), fix);
            Ok(None)
        }
    }
}

/// An ext4 that is mounted only for the thread that made it and the threads that it starts.
#[derive(Debug)]
pub struct Volume<'a> {
    dir: PathBuf,
    image: &'a File,
    mounted: Mounted,
}

impl<'a> Volume<'a> {
    fn make(dir: &Path, image: &'a File) -> io::Result<Self> {
        let means = |what: &'static str| {
            move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
        };
        own_mounts(dir).map_err(means("a mount namespace"))?;
        format(image).map_err(means("mkfs.ext4"))?;
        let mounted = Mounted::new(image, &dir.join("live")).map_err(means("a loop device"))?;
        Ok(Self { dir: dir.to_owned(), image, mounted })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mounted.0
    }

    /// Makes `copy` what a power cut would leave on the disk now: what has reached the disk, and
    /// nothing that waits in the page cache. No process may write to the disk meanwhile.
    ///
    /// # Errors
    /// The kernel's.
    pub fn copy_to(&self, copy: &File) -> io::Result<()> {
        let bytes = self.image.metadata()?.len();
        copy.set_len(0)?;
        copy.set_len(bytes)?;
        let mut part = vec![0; PART];
        for at in (0..bytes).step_by(PART) {
            let part = &mut part[..PART.min((bytes - at) as usize)];
            self.image.read_exact_at(part, at)?;
            if part.iter().any(|byte| *byte != 0) {
                copy.write_all_at(part, at)?;
            }
        }
        Ok(())
    }

    /// Mounts a copy, as after the power cut, and lends its directory to `work`.
    ///
    /// # Errors
    /// The copy is no longer an ext4; or those of `work`.
    pub fn with_copy<T>(
        &self,
        copy: &File,
        work: impl FnOnce(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let mounted = Mounted::new(copy, &self.dir.join("copy"))?;
        work(&mounted.0)
    }
}

/// Gives the calling thread its own mount namespace: its mounts are visible nowhere else. A tmpfs
/// that holds the mount points hides `dir` from it.
fn own_mounts(dir: &Path) -> io::Result<()> {
    // SAFETY: the thread's descriptors stay shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS)? };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("none", dir, "tmpfs", MountFlags::empty(), None)?;
    fs::create_dir(dir.join("live"))?;
    fs::create_dir(dir.join("copy"))
}

/// The file has no name, so it is reached through its descriptor.
fn format(image: &File) -> io::Result<()> {
    let path = format!("/proc/{}/fd/{}", process::id(), image.as_raw_fd());
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", &path])
        .stdin(Stdio::null())
        .output()?;
    let said = || io::Error::other(String::from_utf8_lossy(&made.stderr).trim().to_owned());
    if made.status.success() { Ok(()) } else { Err(said()) }
}

#[derive(Debug)]
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &File, at: &Path) -> io::Result<Self> {
        let (_device, path) = loop_device(image)?;
        mount(&path, at, "ext4", MountFlags::NODEV | MountFlags::NOSUID, None)?;
        Ok(Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // This fails while it is in use: then it goes with the namespace.
        let _ = unmount(&self.0, UnmountFlags::empty());
    }
}

/// `struct loop_config` with its `struct loop_info64`, from linux/loop.h.
#[repr(C)]
struct LoopConfig {
    image: u32,
    block_bytes: u32,
    until_flags: [u64; 6],
    encrypt_key_bytes: u32,
    flags: u32,
    rest: [u64; 30],
}

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4c82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4c0a;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// Attempts, since another program may take the free device first.
const TRIES: u32 = 16;

/// A loop device whose content is the image (Linux 5.8).
fn loop_device(image: &File) -> io::Result<(File, PathBuf)> {
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
    let control = open(Path::new("/dev/loop-control"))?;
    let config = LoopConfig {
        image: image.as_raw_fd() as u32,
        block_bytes: 0,
        until_flags: [0; 6],
        encrypt_key_bytes: 0,
        flags: LO_FLAGS_AUTOCLEAR,
        rest: [0; 30],
    };
    let mut busy = io::Error::other("no loop device is free");
    for _ in 0..TRIES {
        // SAFETY: takes no argument.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open(&path)?;
        // SAFETY: the structure has the kernel's layout and lives until the call returns.
        match unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw const config) } {
            0 => return Ok((device, path)),
            _ => busy = io::Error::last_os_error(),
        }
        if busy.raw_os_error() != Some(libc::EBUSY) {
            break;
        }
    }
    Err(busy)
}

#[cfg(test)]
mod tests {
    use lab_skip::{Need, skip};

    use super::*;

    /// The mounts that the whole process sees.
    fn mounts() -> String {
        fs::read_to_string("/proc/self/mountinfo").unwrap()
    }

    fn image() -> File {
        let image = tempfile::tempfile().unwrap();
        image.set_len(16 << 20).unwrap();
        image
    }

    #[test]
    fn the_kernels_structure_has_its_length() {
        assert_eq!(size_of::<LoopConfig>(), 304);
    }

    #[test]
    fn a_copy_has_what_was_synced_and_lacks_what_was_not_and_nothing_stays_mounted() {
        if !rustix::process::geteuid().is_root() {
            return skip(Need::Root, "mounts a file system");
        }
        let (dir, before) = (tempfile::tempdir().unwrap(), mounts());
        let (image, copy) = (image(), image());
        let apart = named("volume", || {
            let volume = Volume::make(dir.path(), &image)?;
            let path = volume.path().join("log");
            let (file, mut found) = (File::create(&path)?, Vec::new());
            for (at, kept) in [(0, b"one "), (8, b"two ")] {
                file.write_all_at(kept, at)?;
                file.sync_all()?;
                file.write_all_at(b"lost", at + 4)?;
                volume.copy_to(&copy)?;
                found.push(volume.with_copy(&copy, |path| fs::read(path.join("log")))?);
            }
            Ok(found)
        });
        let found = run(vec![apart], || assert_eq!(mounts(), before)).unwrap().remove(0);
        assert_eq!(found, [b"one ".to_vec(), b"one losttwo ".to_vec()]);
        assert_eq!(mounts(), before);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
