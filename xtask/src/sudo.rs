//! Under sudo, the user who typed it: a lab gets no more rights than that.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

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
