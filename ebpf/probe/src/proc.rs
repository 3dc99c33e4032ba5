//! A process to observe: its id, its view of the file system, and its CPU time.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab_proc::Stat;
use rustix::fs::{Mode, OFlags};

/// CPU time consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// In user space.
    pub(crate) user: Duration,
    /// In the kernel.
    pub(crate) system: Duration,
}

/// The process that `id` names: itself, or the process of that thread.
///
/// # Errors
/// There is no such process or thread.
pub(crate) fn process_of(id: u32) -> Result<u32> {
    match lab_proc::process_of(id) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("there is no process {id}"),
        other => other.with_context(|| format!("read the status of process {id}")),
    }
}

/// The name of process `pid` while it runs; `None` once it has ended, waited for or not.
pub(crate) fn running(pid: u32) -> Option<String> {
    Stat::of(pid).ok().filter(|stat| !matches!(stat.state, 'Z' | 'X'))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// The file that a shell would run for `program`.
pub(crate) fn executable(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return std::path::absolute(program).ok().filter(|path| path.is_file());
    }
    let can_run = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(can_run)
}

/// The file of a program, if it runs with other rights than ours, as `sudo` does.
pub(crate) fn gains_rights(program: &OsStr) -> Option<PathBuf> {
    let gains = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.mode() & 0o6000 != 0);
    executable(program).filter(gains)
}

/// The file system as a process sees it, which may be in a container, held even when it ends.
pub(crate) struct Root {
    directory: OwnedFd,
    /// When the last process of a mount namespace ends, its mounts go too.
    _namespace: OwnedFd,
}

impl Root {
    /// The file system of process `pid`; `None` if this is not permitted.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let open = |name, flags| {
            rustix::fs::open(format!("/proc/{pid}/{name}"), flags | OFlags::CLOEXEC, Mode::empty())
                .ok()
        };
        Some(Self {
            directory: open("root", OFlags::PATH)?,
            _namespace: open("ns/mnt", OFlags::RDONLY)?,
        })
    }

    /// Its root directory, as a path for this process.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.directory.as_raw_fd()).into()
    }
}

/// The CPU time of process `pid` so far, with its ended threads and the children it has waited for.
///
/// `None` if it is gone. In steps of [`lab_proc::tick`].
pub(crate) fn cpu_time(pid: u32) -> Option<CpuTime> {
    let Stat { user, system, children_user, children_system, .. } = Stat::of(pid).ok()?;
    let time = |ticks: u64| lab_proc::tick() * ticks as u32;
    Some(CpuTime { user: time(user + children_user), system: time(system + children_system) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_found_and_a_missing_one_is_named() {
        let pid = std::process::id();
        assert_eq!(process_of(pid).unwrap(), pid);
        let error = process_of(u32::MAX >> 1).unwrap_err().to_string();
        assert!(error.contains("there is no process"), "{error}");
    }

    #[test]
    fn a_command_is_looked_for_as_a_shell_does() {
        let found = |program: &str| executable(program.as_ref());
        assert!(found("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(found("/no/such/command"), None);
        assert_eq!(found("no-such-command-here"), None);
    }
}
