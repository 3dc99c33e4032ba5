//! Block devices: `/proc/diskstats`, and `stat` of each in `/sys`
//! (Documentation/admin-guide/iostats.rst).

use std::io;
use std::path::{Path, PathBuf};

use crate::files::{lacks, line, text};

/// What a device has done since it was attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// What was read.
    pub reads: Requests,
    /// What was written.
    pub writes: Requests,
    /// Requests in flight.
    pub in_flight: u64,
    /// Time with a request in flight, in milliseconds.
    pub busy_ms: u64,
    /// The sum of the requests' times in flight, in milliseconds.
    pub waited_ms: u64,
    /// Flushes of the device's cache (since Linux 5.5).
    pub flushes: u64,
    /// The sum of the flushes' durations, in milliseconds.
    pub flush_ms: u64,
}

/// Requests that a device has completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// Number of requests.
    pub count: u64,
    /// Bytes transferred.
    pub bytes: u64,
    /// The sum of their durations with the time in the queue, in milliseconds.
    pub ms: u64,
}

impl Activity {
    /// The numbers after a device's name, in their order.
    fn parse<'a>(fields: impl Iterator<Item = &'a str>) -> Option<Self> {
        let numbers: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
        let number = |at: usize| numbers.get(at).copied();
        // Sectors of 512 bytes, whatever the device's own are.
        let requests = |at: usize| {
            Some(Requests { count: number(at)?, bytes: number(at + 2)? * 512, ms: number(at + 3)? })
        };
        Some(Self {
            reads: requests(0)?,
            writes: requests(4)?,
            in_flight: number(8)?,
            busy_ms: number(9)?,
            waited_ms: number(10)?,
            flushes: number(15).unwrap_or_default(),
            flush_ms: number(16).unwrap_or_default(),
        })
    }
}

/// All disks, by name: no partitions, and no devices in memory or on a file.
///
/// # Errors
/// This system has no such file.
pub fn disks() -> io::Result<Vec<(String, Activity)>> {
    let is_whole = |name: &str| Path::new("/sys/block").join(name.replace('/', "!")).exists();
    Ok(parse(&text("/proc/diskstats")?, is_whole))
}

/// `254 0 vda 157989 7330 …`
fn parse(diskstats: &str, is_whole: impl Fn(&str) -> bool) -> Vec<(String, Activity)> {
    let disk = |line: &str| {
        let mut fields = line.split_whitespace().skip(2);
        Some((fields.next()?.to_owned(), Activity::parse(fields)?))
    };
    let in_memory = |name: &str| ["loop", "ram", "zram"].iter().any(|kind| name.starts_with(kind));
    let all = diskstats.lines().filter_map(disk);
    all.filter(|(name, _)| !in_memory(name) && is_whole(name)).collect()
}

/// Errors that ext4 has recorded in its file systems over their lifetime.
///
/// # Errors
/// No ext4 is mounted.
pub fn ext4_errors() -> io::Result<u64> {
    let home = "/sys/fs/ext4";
    let systems = std::fs::read_dir(home).into_iter().flatten().flatten();
    let counts = systems.filter_map(|system| line(system.path().join("errors_count").to_str()?));
    let counts: Vec<u64> = counts.filter_map(|count| count.parse().ok()).collect();
    if counts.is_empty() { Err(lacks(home, "file system")) } else { Ok(counts.iter().sum()) }
}

/// The file of counters of a block device.
#[derive(Debug, Clone)]
pub struct Counters(String);

impl Counters {
    /// That of the device with number `st_dev`; `None` for a file that is not on a block device.
    pub fn of(device: u64) -> Option<Self> {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let path = format!("/sys/dev/block/{major}:{minor}/stat");
        PathBuf::from(&path).exists().then_some(Self(path))
    }

    /// What the device has done for all programs since it was attached.
    ///
    /// # Errors
    /// The device is gone.
    pub fn read(&self) -> io::Result<Activity> {
        let text = text(&self.0)?;
        Activity::parse(text.split_whitespace()).ok_or_else(|| lacks(&self.0, "requests"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const DISKSTATS: &str = "\
   7       0 loop0 9 0 8 1 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 157989 7330 14423634 1395053 29516 187749 85916776 1358583 2 97880 2808839 7121 102 187536 51519 89 3683
 254       1 vda1 1 0 1 1 1 1 1 1 0 1 1 0 0 0 0 0 0
   8       0 sda 1 0 2 3 4 0 6 7 0 9 10
";

    #[test]
    fn disks_are_distinguished_from_partitions_and_devices_in_memory() {
        let found = parse(DISKSTATS, |name| name != "vda1");
        assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["vda", "sda"]);
        let (vda, sda) = (found[0].1, found[1].1);
        assert_eq!(vda.reads, Requests { count: 157_989, bytes: 14_423_634 * 512, ms: 1_395_053 });
        assert_eq!(vda.writes.count, 29_516);
        assert_eq!((vda.in_flight, vda.busy_ms, vda.waited_ms), (2, 97_880, 2_808_839));
        assert_eq!((vda.flushes, vda.flush_ms), (89, 3_683));
        assert_eq!((sda.waited_ms, sda.flushes), (10, 0), "before Linux 5.5");
    }

    #[test]
    fn a_file_on_no_block_device_has_no_counters() {
        let device = std::fs::metadata("/proc").unwrap().dev();
        assert!(Counters::of(device).is_none());
    }
}
