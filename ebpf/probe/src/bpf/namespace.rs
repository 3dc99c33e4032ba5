//! The pid namespace of this process, in which process ids may differ from the kernel's own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::btf::Field;
use super::refused::Refused;

/// The fields with a thread's number in each namespace.
pub(super) const NUMBERS: &[Field] = &[
    Field { global: "TASK_LEADER", structure: "task_struct", field: "group_leader" },
    Field { global: "TASK_NUMBERS", structure: "task_struct", field: "thread_pid" },
    Field { global: "PID_LEVEL", structure: "pid", field: "level" },
    Field { global: "PID_NUMBERS", structure: "pid", field: "numbers" },
    Field { global: "NUMBER", structure: "upid", field: "nr" },
    Field { global: "NUMBER_NAMESPACE", structure: "upid", field: "ns" },
    Field { global: "NAMESPACE_INODE", structure: "pid_namespace", field: "ns.inum" },
];

/// The inode of the machine's first namespace (the kernel's PROC_PID_INIT_INO): in it a thread has
/// its own number.
const FIRST: u64 = 0xefff_fffc;

/// The inode of this process's namespace; 0 if it is the machine's first.
///
/// # Errors
/// [`Refused`] if /proc shows another namespace's processes: a number would mean one process there,
/// and another to the kernel.
pub(super) fn inode() -> Result<u32, Refused> {
    let own = fs::read_link("/proc/self").ok();
    if own.is_some_and(|own| own != Path::new(&std::process::id().to_string())) {
        return Err(Refused::other_proc());
    }
    let inode = fs::metadata("/proc/self/ns/pid").map_or(FIRST, |it| it.ino());
    Ok(if inode == FIRST { 0 } else { inode as u32 })
}
