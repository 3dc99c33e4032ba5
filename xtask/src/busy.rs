//! Two runs in one checkout at the same time disturb each other's figures, so both print a note.
//!
//! Each appends a byte to a file and holds a shared lock on it while it measures. One that finds
//! the file locked began second; one that finds it longer at the end was not alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

const NOTE: &str = "note: another run or comparison of this checkout ran at the same time: \
                    each disturbs the other's figures";

/// Held while this process measures.
#[derive(Debug)]
pub(crate) struct Busy {
    file: File,
    /// The length of the file, including our own byte.
    bytes: u64,
}

impl Busy {
    /// Begins to measure beside the runs in `home`; prints a note if another run already does.
    pub(crate) fn begin(home: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(home).with_context(|| format!("make {}", home.display()))?;
        let path = home.join(".busy");
        let begun = || -> std::io::Result<(Self, bool)> {
            let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
            let alone = file.try_lock().is_ok();
            if alone {
                // No other run is measuring now.
                file.set_len(0)?;
                file.unlock()?;
            }
            file.lock_shared()?;
            file.write_all(b".")?;
            let bytes = file.metadata()?.len();
            Ok((Self { file, bytes }, alone))
        };
        let (busy, alone) = begun().with_context(|| format!("write {}", path.display()))?;
        if !alone {
            eprintln!("{NOTE}");
        }
        Ok(busy)
    }

    /// Prints a note if another run began meanwhile.
    pub(crate) fn tell(self) {
        if self.file.metadata().is_ok_and(|file| file.len() > self.bytes) {
            eprintln!("{NOTE}");
        }
    }
}
