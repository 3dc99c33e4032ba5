//! Block devices: `/sys/dev/block/MAJOR:MINOR/stat`.

use std::io;
use std::path::PathBuf;

use crate::files::{lacks, text};

/// The counters of a block device.
#[derive(Debug, Clone)]
pub struct Counters(String);

impl Counters {
    /// Of the device that `st_dev` of a file names; `None` where the file lies on none.
    pub fn of(device: u64) -> Option<Self> {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let path = format!("/sys/dev/block/{major}:{minor}/stat");
        PathBuf::from(&path).exists().then_some(Self(path))
    }

    /// Reads that the device has completed since it was attached, by any program.
    ///
    /// # Errors
    /// The device is gone.
    pub fn reads_completed(&self) -> io::Result<u64> {
        let text = text(&self.0)?;
        let first = text.split_whitespace().next().and_then(|field| field.parse().ok());
        first.ok_or_else(|| lacks(&self.0, "number"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_lies_on_no_device_has_no_counters() {
        let device = std::fs::metadata("/proc").unwrap().dev();
        assert!(Counters::of(device).is_none());
    }
}
