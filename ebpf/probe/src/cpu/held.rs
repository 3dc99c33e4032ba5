//! The files that observed processes map, held open from their first report on.
//!
//! Some programs are deleted while they run: those that `go run` and doctests build, or that unpack
//! themselves. Then the name is useless, but an open file still has its contents.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lab_proc::Mapping;

/// The most files that are held open: later ones are opened by name at the end.
const FILES_MAX: usize = 512;

/// Open files by the names of their mappings; `None` if there was no file.
pub(crate) struct Held {
    files: HashMap<Vec<u8>, Option<File>>,
    /// The root of the observed process's paths.
    root: PathBuf,
}

impl Default for Held {
    fn default() -> Self {
        Self { files: HashMap::new(), root: PathBuf::from("/") }
    }
}

impl Held {
    /// No files yet; paths begin at `root`.
    pub(crate) fn below(root: PathBuf) -> Self {
        Self { root, ..Self::default() }
    }

    /// Opens the file of a mapping of process `pid` at its first mention.
    pub(crate) fn hold(&mut self, pid: u32, mapping: &Mapping) {
        let name = &mapping.name;
        if !is_path(name) || self.files.len() >= FILES_MAX || self.files.contains_key(name) {
            return;
        }
        let named = self.root.join(OsStr::from_bytes(&name[1..]));
        // For a file that was deleted before its report.
        let mapped =
            || open(format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start, mapping.end));
        let executed = || {
            let exe = format!("/proc/{pid}/exe");
            let path = fs::read_link(&exe).ok()?;
            (whole_name(path.as_os_str().as_bytes()) == whole_name(name)).then(|| open(exe))?
        };
        let file = open(named).or_else(mapped).or_else(executed);
        self.files.insert(name.clone(), file);
    }

    /// The file of that name, and a path to it: its own if that still leads there, else one through
    /// this process's descriptor.
    pub(crate) fn file(&self, name: &[u8]) -> Option<(&File, PathBuf)> {
        let file = self.files.get(name)?.as_ref()?;
        let id = |found: fs::Metadata| (found.dev(), found.ino());
        let named = self.root.join(OsStr::from_bytes(&name[1..]));
        let still = fs::metadata(&named).ok().map(id) == file.metadata().ok().map(id);
        let ours = || PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Some((file, if still { named } else { ours() }))
    }
}

/// A name without what the kernel appends for a deleted file.
fn whole_name(name: &[u8]) -> &[u8] {
    name.strip_suffix(b" (deleted)").unwrap_or(name)
}

/// Whether this is the name of a file, not of named memory.
pub(crate) fn is_path(name: &[u8]) -> bool {
    name.starts_with(b"/")
        && ![&b"//"[..], b"/memfd:", b"/dev/", b"/SYSV"].iter().any(|label| name.starts_with(label))
}

/// Opens a regular file: mapped devices and pipes must not be opened, let alone read.
fn open(path: impl AsRef<Path>) -> Option<File> {
    let path = path.as_ref();
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn mapping(name: &Path) -> Mapping {
        let name = name.as_os_str().as_bytes().to_vec();
        Mapping { start: 0x1000, end: 0x2000, offset: 0, name }
    }

    #[test]
    fn a_file_that_is_deleted_or_replaced_is_still_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        fs::write(&path, "first").unwrap();
        let mut held = Held::default();
        let mapping = mapping(&path);
        held.hold(0, &mapping);
        assert_eq!(held.file(&mapping.name).unwrap().1, path);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "second").unwrap();
        // The file is not opened again.
        held.hold(0, &mapping);
        let (_, found) = held.file(&mapping.name).unwrap();
        let mut text = String::new();
        File::open(&found).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "first");
        assert_ne!(found, path);
    }

    #[test]
    fn mappings_without_a_file_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let mut held = Held::default();
        for name in [&pipe, Path::new("/dev/zero"), Path::new("/no/such/file"), Path::new("//anon")]
        {
            held.hold(0, &mapping(name));
            assert!(held.file(name.as_os_str().as_bytes()).is_none(), "{}", name.display());
        }
    }
}
