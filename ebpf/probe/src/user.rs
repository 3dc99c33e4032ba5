//! Under sudo, the user who typed it: an observed command runs with that user's rights.

use std::ffi::CString;
use std::{env, io, ptr};

/// A user and their groups.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    uid: libc::uid_t,
    gid: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

/// The user who ran sudo; `None` without sudo, or for root.
pub(crate) fn invoking_user() -> Option<User> {
    let number = |name| env::var(name).ok()?.parse().ok();
    let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
    if uid == 0 || !rustix::process::geteuid().is_root() {
        return None;
    }
    Some(User { uid, gid, groups: groups(&env::var("SUDO_USER").unwrap_or_default(), gid) })
}

/// The groups of `name`, `gid` among them.
fn groups(name: &str, gid: libc::gid_t) -> Vec<libc::gid_t> {
    let Ok(name) = CString::new(name) else { return vec![gid] };
    let mut groups = vec![0; 64];
    let mut count = groups.len() as libc::c_int;
    // SAFETY: `name` ends with a zero, and `groups` has room for `count`.
    let found =
        unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
    if found < 0 {
        return vec![gid];
    }
    groups.truncate(count.unsigned_abs() as usize);
    groups
}

impl User {
    /// The user's id.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// Drops all other rights for good. Makes only system calls, since it runs between fork and
    /// exec.
    pub(crate) fn become_it(&self) -> io::Result<()> {
        let Self { uid, gid, groups } = self;
        let groups_at = if groups.is_empty() { ptr::null() } else { groups.as_ptr() };
        // By system call: the C library's functions would wait for other threads, which a forked
        // child does not have. SAFETY: `groups_at` points to as many groups as stated; the rest are
        // numbers.
        unsafe {
            check(libc::syscall(libc::SYS_setgroups, groups.len(), groups_at))?;
            check(libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid))?;
            check(libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid))
        }
    }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
