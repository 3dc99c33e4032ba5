//! Under sudo, the user who typed it: a lab runs with that user's rights.

use std::os::unix::fs::{MetadataExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::Context as _;

/// Gives the user who typed sudo what root made in `dir`, if what it lies in is theirs: what they
/// build and remove later is in it. Links are given, and not followed.
///
/// # Errors
/// Something in it cannot be read or given away.
pub(crate) fn give_back(dir: &Path) -> anyhow::Result<()> {
    let Some(caller) = caller() else { return Ok(()) };
    let theirs = dir.parent().and_then(|home| fs::metadata(home).ok());
    if theirs.is_none_or(|home| home.uid() != caller.uid) {
        return Ok(());
    }
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.uid() == 0 {
            lchown(&path, Some(caller.uid), Some(caller.gid))
                .with_context(|| format!("give {} to user {}", path.display(), caller.uid))?;
        }
        if found.is_dir() {
            let entries = fs::read_dir(&path).with_context(|| path.display().to_string())?;
            open.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    Ok(())
}

/// A user, with the group that they log in with and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    uid: u32,
    gid: u32,
}

/// Who ran sudo; None where nobody did, or root.
pub(crate) fn caller() -> Option<Caller> {
    let number = |name| env::var(name).ok()?.parse().ok();
    let caller = Caller { uid: number("SUDO_UID")?, gid: number("SUDO_GID")? };
    (caller.uid != 0 && rustix::process::geteuid().is_root()).then_some(caller)
}

impl Caller {
    /// Makes `command` theirs when it starts.
    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Makes a directory theirs, so that what they run can write there.
    ///
    /// # Errors
    /// It is not ours to give away.
    pub(crate) fn own(self, dir: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::chown(dir, Some(self.uid), Some(self.gid))
            .with_context(|| format!("give {} to user {}", dir.display(), self.uid))
    }
}
