//! Two runs at a time in one checkout disturb each other's figures: both are told.
//!
//! Each adds a byte to a file and holds a shared lock on it for as long as it measures. Who finds it
//! locked began second; who finds it longer at the end than it left it was not alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use anyhow::Context as _;

use crate::workspace::Workspace;

const NOTE: &str = "note: another run or comparison of this checkout ran at the same time: \
                    each disturbs the other's figures";

/// This process measures.
#[derive(Debug)]
pub(crate) struct Busy {
    file: File,
    /// With our own byte.
    bytes: u64,
}

impl Busy {
    /// Says so, and tells where another already does.
    pub(crate) fn begin(workspace: &Workspace) -> anyhow::Result<Self> {
        let home = workspace.runs();
        std::fs::create_dir_all(&home).with_context(|| format!("make {}", home.display()))?;
        let path = home.join(".busy");
        let begun = || -> std::io::Result<(Self, bool)> {
            let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
            let alone = file.try_lock().is_ok();
            if alone {
                // Nobody counts now.
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

    /// Tells where another began meanwhile.
    pub(crate) fn tell(self) {
        if self.file.metadata().is_ok_and(|file| file.len() > self.bytes) {
            eprintln!("{NOTE}");
        }
    }
}
