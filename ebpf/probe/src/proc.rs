//! Reads what the kernel tells of a running process in /proc.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, str};

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags};

use crate::target::CpuTime;

/// A piece of executable memory, as MMAP2 records and /proc/PID/maps tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// First address.
    pub(crate) start: u64,
    /// First address after it.
    pub(crate) end: u64,
    /// Offset in the file of the first address.
    pub(crate) offset: u64,
    /// The file's path, or a label: `[vdso]`, `//anon`.
    pub(crate) name: Vec<u8>,
}

/// The process that `id` names: itself, or the process of that thread.
///
/// # Errors
/// There is no such process or thread.
pub(crate) fn process_of(id: u32) -> Result<u32> {
    let status = match fs::read_to_string(format!("/proc/{id}/status")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("there is no process {id}"),
        other => other.with_context(|| format!("read the status of process {id}"))?,
    };
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    line.and_then(|tgid| tgid.trim().parse().ok())
        .with_context(|| format!("/proc/{id}/status names no process"))
}

/// The threads of process `pid`, with their names. Threads that end meanwhile are left out.
pub(crate) fn threads(pid: u32) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path();
        if let (Some(tid), Ok(mut name)) = (file_number(&path), fs::read(path.join("comm"))) {
            name.truncate(name.trim_ascii_end().len());
            threads.push((tid, name));
        }
    }
    Ok(threads)
}

fn file_number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.parse().ok()
}

/// The executable memory of process `pid`.
pub(crate) fn executable_mappings(pid: u32) -> io::Result<Vec<Mapping>> {
    let maps = fs::read(format!("/proc/{pid}/maps"))?;
    Ok(maps.split(|&byte| byte == b'\n').filter_map(parse_mapping).collect())
}

/// One line of /proc/PID/maps (`start-end perms offset device inode   name`), if the memory can be executed.
fn parse_mapping(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut text = || str::from_utf8(fields.next()?).ok();
    let (start, end) = text()?.split_once('-')?;
    if !text()?.contains('x') {
        return None;
    }
    let offset = hex(text()?)?;
    let (_device, inode) = (text()?, text()?);
    let name = fields.next().unwrap_or_default().trim_ascii_start();
    // Named as an MMAP2 record would name it.
    let name = if name.is_empty() && inode == "0" { b"//anon" } else { name };
    Some(Mapping { start: hex(start)?, end: hex(end)?, offset, name: name.to_vec() })
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// The file system as a process sees it, which may be in a container, held even when it ends.
pub(crate) struct Root {
    directory: OwnedFd,
    /// The last process of a mount namespace would take its mounts along.
    _namespace: OwnedFd,
}

impl Root {
    /// That of process `pid`; None where we may not look.
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

    /// Its root directory as a path of ours.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.directory.as_raw_fd()).into()
    }
}

/// The CPU time of process `pid` so far, with its ended threads and the children it has waited for.
///
/// None when it is gone. In steps of the kernel's clock tick, usually 10 ms.
pub(crate) fn cpu_time(pid: u32) -> Option<CpuTime> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let [user, system, children_user, children_system] = parse_cpu_ticks(&stat)?;
    let hz = rustix::param::clock_ticks_per_second();
    let time = |ticks: u64| Duration::from_nanos(ticks * (1_000_000_000 / hz));
    Some(CpuTime { user: time(user + children_user), system: time(system + children_system) })
}

/// utime, stime, cutime and cstime: fields 14 to 17 of proc(5)'s stat. The name before them may hold anything.
fn parse_cpu_ticks(stat: &str) -> Option<[u64; 4]> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields.split(' ').skip(11).map_while(|field| field.parse().ok());
    Some([ticks.next()?, ticks.next()?, ticks.next()?, ticks.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read_from_maps_lines() {
        let line = b"55d0c0a4c000-55d0c0b00000 r-xp 00010000 fe:00 1234      /opt/my app (deleted)";
        let mapping = parse_mapping(line).unwrap();
        assert_eq!(
            (mapping.start, mapping.end, mapping.offset),
            (0x55d0_c0a4_c000, 0x55d0_c0b0_0000, 0x10000)
        );
        assert_eq!(mapping.name, b"/opt/my app (deleted)");
        assert_eq!(parse_mapping(b"7f00-7f10 rw-p 00000000 00:00 0 [heap]"), None);
        assert_eq!(parse_mapping(b"7f00-7f10 rwxp 00000000 00:00 0 ").unwrap().name, b"//anon");
        assert_eq!(parse_mapping(b"nonsense"), None);
        assert_eq!(parse_mapping(b""), None);
    }

    #[test]
    fn cpu_ticks_are_read_behind_any_name() {
        let stat = "42 (a) 9 (b) S 1 2 3 4 5 6 7 8 9 10 110 12 13 14 20 0 1 0";
        assert_eq!(parse_cpu_ticks(stat), Some([110, 12, 13, 14]));
        assert_eq!(parse_cpu_ticks("42 (a"), None);
    }

    #[test]
    fn our_own_process_is_found_and_a_missing_one_is_named() {
        let pid = std::process::id();
        assert_eq!(process_of(pid).unwrap(), pid);
        assert!(threads(pid).unwrap().iter().any(|(tid, _)| *tid == pid));
        assert!(!executable_mappings(pid).unwrap().is_empty());
        let error = process_of(u32::MAX >> 1).unwrap_err().to_string();
        assert!(error.contains("there is no process"), "{error}");
    }
}
