//! Names of code made at run time, as virtual machines write them to `/tmp/perf-PID.map`.
//!
//! A line is `start size name`, the numbers in hexadecimal. Anybody can write to `/tmp`, so a file
//! is read only if it belongs to the observed user and is no link. Code may have moved, so a later
//! line replaces earlier ones.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// The most bytes that are read of a file: a large server's has some ten megabytes.
const BYTES_MAX: u64 = 256 << 20;

/// Start, end and name, in order of start; none overlap.
pub(crate) type Table = Vec<(u64, u64, String)>;

/// The tables of all processes met so far.
#[derive(Default)]
pub(crate) struct PerfMaps {
    /// The root of the observed processes' paths; `None` reads nothing.
    root: Option<PathBuf>,
    /// The user whose files are trusted.
    owner: u32,
    tables: HashMap<u32, Option<Table>>,
    refused: Vec<String>,
}

impl PerfMaps {
    /// The tables of user `owner`, below `root`.
    pub(crate) fn of(owner: u32, root: PathBuf) -> Self {
        Self { root: Some(root), owner, ..Self::default() }
    }

    /// The table of process `pid`, if it wrote one.
    pub(crate) fn table(&mut self, pid: u32) -> Option<&Table> {
        if !self.tables.contains_key(&pid) {
            let table = self.read(pid);
            self.tables.insert(pid, table);
        }
        self.tables.get(&pid)?.as_ref()
    }

    /// The reasons why existing files were not read.
    pub(crate) fn refused(&self) -> &[String] {
        &self.refused
    }

    fn read(&mut self, pid: u32) -> Option<Table> {
        let root = self.root.as_ref()?;
        let path = format!("tmp/perf-{pid}.map");
        let root = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // Links in a container lead only into the container.
        let opened = rustix::fs::openat2(&root, &path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
        let why = match opened {
            Err(rustix::io::Errno::LOOP) => "it is a link",
            Err(_) => return None,
            Ok(file) => match self.trusted(File::from(file)) {
                Ok(file) => return Some(parse(BufReader::new(file.take(BYTES_MAX)))),
                Err(why) => why,
            },
        };
        self.refused.push(format!("/{path} was not read: {why}"));
        None
    }

    fn trusted(&self, file: File) -> Result<File, &'static str> {
        match file.metadata() {
            Ok(found) if !found.is_file() => Err("it is no file"),
            Ok(found) if found.uid() != self.owner => Err("it belongs to another user"),
            Ok(_) => Ok(file),
            Err(_) => Err("it cannot be looked at"),
        }
    }
}

fn parse(mut lines: impl BufRead) -> Table {
    let mut names: BTreeMap<u64, (u64, String)> = BTreeMap::new();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if let Some((start, end, name)) = parse_line(&line) {
            let over = |(&start, (end, _)): (&u64, &(u64, String))| (start, *end);
            let overlapped: Vec<_> =
                names.range(..end).rev().map(over).take_while(|(_, end)| start < *end).collect();
            for (start, _) in overlapped {
                names.remove(&start);
            }
            names.insert(start, (end, name));
        }
        line.clear();
    }
    names.into_iter().map(|(start, (end, name))| (start, end, name)).collect()
}

fn parse_line(line: &[u8]) -> Option<(u64, u64, String)> {
    let text = String::from_utf8_lossy(line);
    let mut fields = text.trim_end().splitn(3, ' ');
    let mut number = || {
        let field = fields.next()?;
        u64::from_str_radix(field.strip_prefix("0x").unwrap_or(field), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let name = fields.next().filter(|name| !name.is_empty())?;
    Some((start, start.checked_add(size.max(1))?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn later_lines_take_the_place_of_earlier_ones() {
        let text = b"1000 100 old one\n2000 10 kept\n1080 100 LazyCompile:*hot /srv/j.js:1\nnonsense\n30 zz x\n";
        let expected = [(0x1080, 0x1180, "LazyCompile:*hot /srv/j.js:1"), (0x2000, 0x2010, "kept")];
        assert_eq!(parse(&text[..]), expected.map(|(a, b, name)| (a, b, name.to_owned())));
    }

    #[test]
    fn only_a_file_of_the_observed_user_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().join("tmp");
        fs::create_dir(&tmp).unwrap();
        fs::write(tmp.join("perf-7.map"), "1000 100 hot\n").unwrap();
        symlink(tmp.join("perf-7.map"), tmp.join("perf-8.map")).unwrap();
        let us = rustix::process::geteuid().as_raw();
        let mut maps = PerfMaps::of(us, dir.path().to_owned());
        assert_eq!(maps.table(7).unwrap().len(), 1);
        assert!(maps.table(8).is_none() && maps.table(9).is_none());
        assert_eq!(maps.refused(), ["/tmp/perf-8.map was not read: it is a link"]);
        let mut others = PerfMaps::of(us + 1, dir.path().to_owned());
        assert!(others.table(7).is_none());
        assert!(others.refused()[0].contains("another user"), "{:?}", others.refused());
    }
}
