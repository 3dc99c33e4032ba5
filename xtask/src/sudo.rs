//! Under sudo, the user who typed it: a lab runs with that user's rights.

use std::os::unix::fs::{MetadataExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::Context as _;

/// Makes the user who typed sudo the owner of what root made in `dir`, if the folder around it is
/// theirs, so that they can build and remove it later. Links change owner and are not followed.
///
/// # Errors
/// Something in it cannot be read, or its owner cannot be changed.
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

/// The user who ran sudo; `None` without sudo, or if root ran it.
pub(crate) fn caller() -> Option<Caller> {
    let number = |name| env::var(name).ok()?.parse().ok();
    let caller = Caller { uid: number("SUDO_UID")?, gid: number("SUDO_GID")? };
    (caller.uid != 0 && rustix::process::geteuid().is_root()).then_some(caller)
}

impl Caller {
    /// Makes `command` run as this user.
    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Makes this user the owner of a directory, so that their programs can write there.
    ///
    /// # Errors
    /// The owner cannot be changed.
    pub(crate) fn own(self, dir: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::chown(dir, Some(self.uid), Some(self.gid))
            .with_context(|| format!("give {} to user {}", dir.display(), self.uid))
    }
}
