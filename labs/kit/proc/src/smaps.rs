//! How much of a mapping is in memory, and how much was used: `/proc/self/smaps` and `clear_refs`
//! (Documentation/filesystems/proc.rst).

use std::{fs, io};

use crate::files::{field, lacks, text};

const PATH: &str = "/proc/self/smaps";
const CLEAR: &str = "/proc/self/clear_refs";

/// The state of one mapping, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Smaps {
    /// Bytes in memory.
    pub resident: u64,
    /// Bytes used since [`clear_referenced`].
    pub referenced: u64,
}

impl Smaps {
    /// Lines `first-last perms …`, each followed by lines `name: value kB`.
    fn parse(smaps: &str, address: u64) -> Option<Self> {
        let holds = |line: &str| {
            let (first, last) = line.split_once(' ')?.0.split_once('-')?;
            let hex = |digits| u64::from_str_radix(digits, 16).ok();
            Some((hex(first)?..hex(last)?).contains(&address))
        };
        let mut lines = smaps.split_inclusive('\n').scan(0, |at, line| {
            *at += line.len();
            Some((*at, line))
        });
        let (begins, _) = lines.find(|(_, line)| holds(line) == Some(true))?;
        // The first line of each name is this mapping's.
        let bytes = |name| {
            let kib =
                field(&smaps[begins..], name)?.strip_suffix(" kB")?.trim().parse::<u64>().ok()?;
            Some(kib * 1024)
        };
        Some(Self { resident: bytes("Rss")?, referenced: bytes("Referenced")? })
    }
}

/// The state of this process's mapping that contains `address`.
///
/// # Errors
/// There is none, or this kernel keeps no account of pages (CONFIG_PROC_PAGE_MONITOR).
pub fn smaps_at(address: u64) -> io::Result<Smaps> {
    Smaps::parse(&text(PATH)?, address).ok_or_else(|| lacks(PATH, "account of the mapping"))
}

/// Forgets which pages of this process were used: the next use of each counts again.
///
/// # Errors
/// This kernel keeps no account of pages, or /proc may not be written.
pub fn clear_referenced() -> io::Result<()> {
    fs::write(CLEAR, "1").map_err(|error| io::Error::new(error.kind(), format!("{CLEAR}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
1000-3000 rw-p 00000000 00:00 0 [heap]
Rss:                   8 kB
Referenced:            4 kB
7f00-7fff rw-p 00000000 00:00 0
Size:                 99 kB
Rss:                  64 kB
Referenced:           12 kB
THPeligible:           0
";

    #[test]
    fn a_mapping_is_found_by_an_address_in_it() {
        let found = |address| Smaps::parse(SMAPS, address);
        assert_eq!(found(0x1000), Some(Smaps { resident: 8 << 10, referenced: 4 << 10 }));
        assert_eq!(found(0x7f80), Some(Smaps { resident: 64 << 10, referenced: 12 << 10 }));
        assert_eq!([found(0x3000), found(0x7fff)], [None, None], "the end is not in it");
    }
}
