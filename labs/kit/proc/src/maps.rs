//! The executable memory of a process: `/proc/PID/maps`.

use std::{fs, io, str};

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// The offset of the first address in the file.
    pub offset: u64,
    /// The file's path, or a label as perf's MMAP2 records have it: `[vdso]`, `//anon`.
    pub name: Vec<u8>,
}

/// The executable memory of process `pid`.
///
/// # Errors
/// The process is gone, or is another user's.
pub fn executable_mappings(pid: u32) -> io::Result<Vec<Mapping>> {
    let maps = fs::read(format!("/proc/{pid}/maps"))?;
    Ok(maps.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// `start-end perms offset device inode   name`, if the memory can be executed.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut text = || str::from_utf8(fields.next()?).ok();
    let (start, end) = text()?.split_once('-')?;
    if !text()?.contains('x') {
        return None;
    }
    let offset = hex(text()?)?;
    let (_device, inode) = (text()?, text()?);
    let name = fields.next().unwrap_or_default().trim_ascii_start();
    let name = if name.is_empty() && inode == "0" { b"//anon" } else { name };
    Some(Mapping { start: hex(start)?, end: hex(end)?, offset, name: name.to_vec() })
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read_from_maps_lines() {
        let line = b"55d0c0a4c000-55d0c0b00000 r-xp 00010000 fe:00 1234      /opt/my app (deleted)";
        let mapping = parse(line).unwrap();
        assert_eq!(
            (mapping.start, mapping.end, mapping.offset),
            (0x55d0_c0a4_c000, 0x55d0_c0b0_0000, 0x10000)
        );
        assert_eq!(mapping.name, b"/opt/my app (deleted)");
        assert_eq!(parse(b"7f00-7f10 rw-p 00000000 00:00 0 [heap]"), None);
        assert_eq!(parse(b"7f00-7f10 rwxp 00000000 00:00 0 ").unwrap().name, b"//anon");
        assert_eq!(parse(b"nonsense"), None);
        assert_eq!(parse(b""), None);
        assert!(!executable_mappings(std::process::id()).unwrap().is_empty());
    }
}
