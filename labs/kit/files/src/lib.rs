//! The one way to write, make and remove files: whole or not at all, and never through a symbolic
//! link.
//!
//! A run may come from another user, as a downloaded artifact does, and hold links to anywhere.
//! So a file is written beside its place and renamed into it: a link there is replaced, what it
//! points to stays as it is, and a full disk leaves the old file rather than half a new one. A
//! directory below a run is made or entered only where no part of the way is a link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{Gid, Mode, OFlags, Uid, fchmod, fchown, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Reads a regular file. Anything else is refused at once: a pipe without a writer would block
/// for ever.
///
/// # Errors
/// It cannot be read, or is no file; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let read = || -> Result<Vec<u8>> {
        // Without blocking: a pipe is opened at once, too, and refused below.
        let nonblock = OFlags::NONBLOCK.bits().cast_signed();
        let mut file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
        ensure!(file.metadata()?.is_file(), "it is no file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().with_context(|| format!("read {}", path.display()))
}

/// As [`read()`], of text.
///
/// # Errors
/// As [`read()`], or it is no text.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("read {}", path.display()))
}

/// Writes a file, whole or not at all.
///
/// # Errors
/// It cannot be written, or its place is taken by something that is no file; the error names it.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    write_with(path, |out| Ok(out.write_all(bytes.as_ref())?))
}

/// As [`write()`], of what `fill` writes. If `fill` fails, nothing changes.
///
/// A path that names a device or a pipe, such as `/dev/stdout`, is written into as it is.
///
/// # Errors
/// As [`write()`], and those of `fill`.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let written = || -> Result<()> {
        let Some(stream) = stream(path)? else {
            let partial = Partial::beside(path)?;
            fill_with(&partial.file, fill)?;
            return partial.put();
        };
        fill_with(&stream, fill)
    };
    written().with_context(|| format!("write {}", path.display()))
}

/// Puts an empty file in place of what is there, for lines that are added one by one.
///
/// # Errors
/// It cannot be made; the error names it.
pub fn begin(path: &Path) -> Result<File> {
    let begun = || -> Result<File> {
        let partial = Partial::beside(path)?;
        let file = partial.file.try_clone()?;
        partial.put()?;
        Ok(file)
    };
    begun().with_context(|| format!("write {}", path.display()))
}

/// Makes a file where there is nothing yet.
///
/// # Errors
/// Something is there, or it cannot be made; the error names it.
pub fn create_new(path: &Path) -> Result<File> {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.with_context(|| format!("write {}", path.display()))
}

/// Makes the directory `relative` of `root` where it is not there, and returns its path.
///
/// # Errors
/// `relative` leads out of `root`, or a part of it is a symbolic link or no directory.
pub fn dir_below(root: &Path, relative: impl AsRef<Path>) -> Result<PathBuf> {
    let path = below(root, relative.as_ref())?;
    fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(path)
}

/// Removes the directory `relative` of `root` with all that is in it, if it is there. Links in it
/// are removed, and not followed.
///
/// # Errors
/// As [`dir_below`], or it cannot be removed.
pub fn remove_below(root: &Path, relative: impl AsRef<Path>) -> Result<()> {
    let path = below(root, relative.as_ref())?;
    if !path.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))
}

/// Whether both paths lead to one file.
pub fn is_same(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    identity(a).is_some_and(|a| identity(b) == Some(a))
}

/// A directory of this process alone, removed when it is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in `home`, which is made if need be.
    ///
    /// # Errors
    /// It cannot be made; the error names it.
    pub fn new(home: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(home).with_context(|| format!("make {}", home.display()))?;
        loop {
            let path = home.join(format!(".{name}-{}", unique()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // It is left over from a process with the same id that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("make {}", path.display()));
                }
            }
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that cannot be removed does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `root` and `relative`, no part of which is a link.
fn below(root: &Path, relative: &Path) -> Result<PathBuf> {
    let mut path = root.to_owned();
    for part in relative.components() {
        let Component::Normal(part) = part else {
            bail!("{}: it leads out of {}", relative.display(), root.display());
        };
        path.push(part);
        let linked = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        ensure!(!linked, "{}: a symbolic link, which is not followed here", path.display());
    }
    Ok(path)
}

/// A device or a pipe, opened; `None` for what is replaced.
fn stream(path: &Path) -> Result<Option<File>> {
    // Names of descriptors are links, and not ours to replace.
    let of_the_system = ["/dev", "/proc"].iter().any(|home| path.starts_with(home));
    let kind = match if of_the_system { fs::metadata(path) } else { fs::symlink_metadata(path) } {
        Ok(found) => found.file_type(),
        Err(_) => return Ok(None),
    };
    ensure!(!kind.is_dir(), "it is a directory");
    ensure!(!kind.is_block_device(), "it is a block device");
    let is_stream = kind.is_char_device() || kind.is_fifo() || of_the_system;
    is_stream.then(|| open_stream(path)).transpose()
}

/// Opens a device or pipe to write into. A pipe must have a reader already: in a run of another
/// user it may never get one.
fn open_stream(path: &Path) -> Result<File> {
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().write(true).custom_flags(nonblock).open(path);
    let file = match opened {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => {
            bail!("a pipe without a reader: start its reader first")
        }
        opened => opened?,
    };
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn fill_with(file: &File, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut out = BufWriter::new(file.try_clone()?);
    fill(&mut out)?;
    Ok(out.flush()?)
}

/// A file beside the one that it is to become.
struct Partial<'a> {
    file: File,
    at: PathBuf,
    path: &'a Path,
}

impl<'a> Partial<'a> {
    fn beside(path: &'a Path) -> Result<Self> {
        let home = path.parent().context("the path names no file")?;
        loop {
            let at = home.join(format!(".{}.partial", unique()));
            let new = OpenOptions::new().write(true).create_new(true).mode(0o666).open(&at);
            match new {
                Ok(file) => {
                    let partial = Self { file, at, path };
                    partial.look_like_the_old()?;
                    return Ok(partial);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes over the owner and the permissions of the file that it replaces.
    fn look_like_the_old(&self) -> Result<()> {
        let old = fs::symlink_metadata(self.path).ok().filter(|old| old.is_file());
        let Some(old) = old else { return Ok(()) };
        fchmod(&self.file, Mode::from_raw_mode(old.mode() & 0o777))?;
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
            fchown(&self.file, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    fn put(self) -> Result<()> {
        Ok(fs::rename(&self.at, self.path)?)
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.at);
    }
}

/// A name that is unique in this process and among all running ones.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("perf-lab-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_its_target_stays() {
        let home = tempfile::tempdir().unwrap();
        let (victim, place) = (home.path().join("victim"), home.path().join("report.html"));
        fs::write(&victim, "mine").unwrap();
        for begin_it in [false, true] {
            let _ = fs::remove_file(&place);
            symlink(&victim, &place).unwrap();
            if begin_it {
                begin(&place).unwrap().write_all(b"new").unwrap();
            } else {
                write(&place, "new").unwrap();
            }
            assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
            assert_eq!(fs::read_to_string(&place).unwrap(), "new");
            assert!(!place.is_symlink());
        }
        assert!(create_new(&place).is_err());
        assert_eq!(names(home.path()).len(), 2, "nothing else is left");
    }

    #[test]
    fn what_fails_half_way_leaves_the_old_file() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("x.svg");
        fs::write(&place, "old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
        let failed = write_with(&place, |out| {
            out.write_all(&[b'x'; 100_000])?;
            bail!("the disk is full")
        });
        assert!(format!("{:#}", failed.unwrap_err()).contains("x.svg: the disk is full"));
        assert_eq!(
            (fs::read_to_string(&place).unwrap(), names(home.path()).len()),
            ("old".into(), 1)
        );
        write(&place, "new").unwrap();
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o640, "as it was");
    }

    #[test]
    fn a_device_is_written_into_and_never_replaced() {
        write(Path::new("/dev/null"), "x").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert!(write(Path::new("/dev/full"), "x").is_err());
        let home = tempfile::tempdir().unwrap();
        assert!(write(home.path(), "x").is_err() && home.path().is_dir());
        assert!(write(Path::new("/"), "x").is_err());
    }

    #[test]
    fn a_pipe_without_its_other_end_does_not_block() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("plan.json");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(format!("{:#}", read(&pipe).unwrap_err()).contains("plan.json: it is no file"));
        assert!(format!("{:#}", write(&pipe, "x").unwrap_err()).contains("without a reader"));
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        // More than a pipe's buffer holds.
        let long = "x".repeat(1 << 20);
        while write(&pipe, &long).is_err() {
            std::thread::yield_now();
        }
        assert_eq!(reader.join().unwrap().len(), long.len());
        write(&home.path().join("file"), "text").unwrap();
        assert_eq!(read_text(&home.path().join("file")).unwrap(), "text");
        assert!(read(home.path()).is_err() && read(&home.path().join("none")).is_err());
    }

    #[test]
    fn a_directory_below_a_run_is_neither_made_nor_removed_through_a_link() {
        let home = tempfile::tempdir().unwrap();
        let (run, theirs) = (home.path().join("run"), home.path().join("theirs"));
        fs::create_dir_all(theirs.join("deep")).unwrap();
        fs::create_dir(&run).unwrap();
        symlink(&theirs, run.join("flame")).unwrap();
        symlink(home.path().join("nowhere"), run.join("dangling")).unwrap();
        for way in ["flame", "flame/deep", "flame/new", "dangling", "../theirs", "/etc"] {
            assert!(dir_below(&run, way).is_err(), "{way}");
            assert!(remove_below(&run, way).is_err(), "{way}");
        }
        assert_eq!(names(&theirs), ["deep"]);
        // The run itself may be named by a link, such as `latest`.
        symlink(&run, home.path().join("latest")).unwrap();
        let made = dir_below(&home.path().join("latest"), "a/b").unwrap();
        symlink(&theirs, made.join("link")).unwrap();
        remove_below(&run, "a").unwrap();
        remove_below(&run, "a").unwrap();
        assert!(!run.join("a").exists() && theirs.join("deep").exists());
    }

    #[test]
    fn a_scratch_directory_is_its_own_and_goes_away() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (Scratch::new(home.path(), "x").unwrap(), Scratch::new(home.path(), "x"));
        let two = two.unwrap();
        assert_ne!(one.path(), two.path());
        fs::write(one.path().join("file"), "").unwrap();
        drop((one, two));
        assert_eq!(names(home.path()), [""; 0]);
    }

    #[test]
    fn the_same_file_is_known_by_any_path() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("same");
        fs::write(&file, "").unwrap();
        fs::hard_link(&file, home.path().join("hard")).unwrap();
        symlink(&file, home.path().join("soft")).unwrap();
        for other in ["./same", "hard", "soft"] {
            assert!(is_same(&file, &home.path().join(other)), "{other}");
        }
        assert!(!is_same(&file, home.path()) && !is_same(&file, &home.path().join("none")));
    }
}
