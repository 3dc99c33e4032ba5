//! A process: `/proc/PID/stat` and `status`, and its threads.

use std::io;
use std::path::Path;
use std::{fs, str};

use crate::files::{field, lacks, text};

/// Fields of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its name: that of its program, or one that it gave itself; at most 15 bytes.
    pub name: String,
    /// `R` running or ready, `S` asleep, `D` asleep uninterruptibly, `Z` ended and not waited
    /// for.
    pub state: char,
    /// Its parent: the process that started it, or adopted it.
    pub parent: u32,
    /// CPU time in user space, in [`crate::tick`]s, with that of threads that have ended.
    pub user: u64,
    /// CPU time in the kernel, likewise.
    pub system: u64,
    /// The `user` time of children that were waited for.
    pub children_user: u64,
    /// The `system` time of those children.
    pub children_system: u64,
    /// Minor page faults: served without a disk.
    pub minor_faults: u64,
    /// Major page faults: each waited for a disk.
    pub major_faults: u64,
    /// Number of threads.
    pub threads: u64,
    /// When it began, in [`crate::tick`]s since the machine was started: distinguishes it from
    /// another process with the same id.
    pub started: u64,
    /// Its pages in memory. The kernel's cheap count: a few may be missing.
    pub resident_pages: u64,
}

impl Stat {
    /// Reads that of process `pid`.
    ///
    /// # Errors
    /// The process is gone.
    pub fn of(pid: u32) -> io::Result<Self> {
        let path = format!("/proc/{pid}/stat");
        Self::parse(&text(&path)?).ok_or_else(|| lacks(&path, "CPU time"))
    }

    /// `42 (name) S 1 …`: the name may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let (head, fields) = stat.rsplit_once(") ")?;
        let (_, name) = head.split_once(" (")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Fields by the numbers of proc(5); the state is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            name: name.to_owned(),
            state: fields.first()?.parse().ok()?,
            parent: field(4)? as u32,
            user: field(14)?,
            system: field(15)?,
            children_user: field(16)?,
            children_system: field(17)?,
            minor_faults: field(10)?,
            major_faults: field(12)?,
            threads: field(20)?,
            started: field(22)?,
            resident_pages: field(24)?,
        })
    }
}

/// The size of a page.
pub fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

/// The text of `/proc/PID/status`: lines `name: value`.
#[derive(Debug, Clone)]
pub struct Status(String);

impl Status {
    /// Reads that of the process or thread `id`.
    ///
    /// # Errors
    /// It is gone.
    pub fn of(id: u32) -> io::Result<Self> {
        text(&format!("/proc/{id}/status")).map(Self)
    }

    /// Reads that of the calling thread.
    ///
    /// # Errors
    /// There is no /proc.
    pub fn here() -> io::Result<Self> {
        text("/proc/thread-self/status").map(Self)
    }

    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.0, name)
    }

    /// The effective capabilities: bit n is that with number n (capability.h).
    pub fn capabilities(&self) -> Option<u64> {
        u64::from_str_radix(self.field("CapEff")?, 16).ok()
    }
}

/// The process that `id` names: itself, or the process of that thread.
///
/// # Errors
/// There is no such process or thread: of kind `NotFound`.
pub fn process_of(id: u32) -> io::Result<u32> {
    let tgid = Status::of(id)?.field("Tgid").and_then(|tgid| tgid.parse().ok());
    tgid.ok_or_else(|| lacks(&format!("/proc/{id}/status"), "process"))
}

/// The ids of all processes.
pub fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| number(&entry.path()))
}

/// The threads of process `pid`, with their names. Threads that end meanwhile are left out.
///
/// # Errors
/// The process is gone.
pub fn threads(pid: u32) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path();
        if let (Some(tid), Ok(mut name)) = (number(&path), fs::read(path.join("comm"))) {
            name.truncate(name.trim_ascii_end().len());
            threads.push((tid, name));
        }
    }
    Ok(threads)
}

fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio, id};

    use super::*;

    #[test]
    fn fields_are_read_behind_any_name() {
        let stat = "42 (a) 9 (b) S 1 2 3 4 5 6 7 8 9 10 110 12 13 14 20 0 3 0 99 4096 17\n";
        let found = Stat::parse(stat).unwrap();
        assert_eq!((found.name.as_str(), found.state, found.parent), ("a) 9 (b", 'S', 1));
        let ticks = [found.user, found.system, found.children_user, found.children_system];
        assert_eq!(ticks, [110, 12, 13, 14]);
        assert_eq!((found.minor_faults, found.major_faults), (7, 9));
        assert_eq!((found.threads, found.started, found.resident_pages), (3, 99, 17));
        assert_eq!(Stat::parse("42 (a"), None);
        assert_eq!(Stat::parse("42 (a) S 1 2 3"), None);
    }

    #[test]
    fn our_own_process_is_found_and_a_missing_one_is_named() {
        assert_eq!(process_of(id()).unwrap(), id());
        assert!(processes().any(|pid| pid == id()));
        assert!(threads(id()).unwrap().iter().any(|(tid, _)| *tid == id()));
        let none = process_of(u32::MAX >> 1).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
        assert!(Status::here().unwrap().capabilities().is_some());
    }

    #[test]
    fn a_child_that_sleeps_has_us_for_a_parent() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let found = Stat::of(child.id()).unwrap();
        assert_eq!(found.parent, id());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(Stat::of(child.id()).is_err(), "it is gone");
    }
}
