//! The path of a folder, up to the root of its process.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use lab_probe_common::event::{FOLDER_BYTES, Open, TEXT_BYTES};

use lab_programs::task::Task;
use lab_programs::verifier::below;
use lab_programs::{global, globals};

use crate::descriptor::{ENTRY_NAME, NAME_TEXT, PATH_ENTRY};

globals! {
    /// Where `task_struct` has `fs`.
    TASK_FS: u32 = 0;
    /// Where `fs_struct` has `pwd`.
    FS_PWD: u32 = 0;
    /// Where `fs_struct` has `root`.
    FS_ROOT: u32 = 0;
    /// Where `path` has `mnt`.
    PATH_MOUNT: u32 = 0;
    /// Where `dentry` has `d_parent`.
    ENTRY_PARENT: u32 = 0;
    /// Where `mount` has `mnt`.
    MOUNT_MOUNT: u32 = 0;
    /// Where `mount` has `mnt_parent`.
    MOUNT_PARENT: u32 = 0;
    /// Where `mount` has `mnt_mountpoint`.
    MOUNT_POINT: u32 = 0;
    /// Where `vfsmount` has `mnt_root`.
    MOUNT_ROOT: u32 = 0;
}

/// The most steps to the root: one for each part of the path, and one for each mount point.
const STEPS: u32 = 32;

/// Writes the parts of the folder `start`, a `struct path`, to `event`: the last one first.
#[inline(always)]
pub fn write(task: Task, start: Task, event: &mut Open) -> Option<()> {
    let fs = task.follow(global!(TASK_FS))?;
    let root: u64 = fs.read(global!(FS_ROOT) + global!(PATH_ENTRY))?;
    let mut entry: u64 = start.read(global!(PATH_ENTRY))?;
    let mut mount: u64 = start.read::<u64>(global!(PATH_MOUNT))? - u64::from(global!(MOUNT_MOUNT));
    let mut len = 0_u64;
    for _ in 0..STEPS {
        if entry == root || entry == 0 {
            event.folder_whole = 1;
            break;
        }
        let at = Task::at(entry);
        let parent: u64 = at.read(global!(ENTRY_PARENT))?;
        let mounted = Task::at(mount);
        if entry == parent
            || mounted.read(global!(MOUNT_MOUNT) + global!(MOUNT_ROOT)) == Some(entry)
        {
            // The root of a mount: the path continues at the mount point, unless this is the
            // outermost mount.
            let below: u64 = mounted.read(global!(MOUNT_PARENT))?;
            if below == mount {
                event.folder_whole = 1;
                break;
            }
            entry = mounted.read(global!(MOUNT_POINT))?;
            mount = below;
            continue;
        }
        if len >= FOLDER_BYTES as u64 {
            break;
        }
        let name: u64 = at.read(global!(ENTRY_NAME) + global!(NAME_TEXT))?;
        let from = below::<{ FOLDER_BYTES as u64 }>(len) as usize;
        // SAFETY: from each of the first FOLDER_BYTES on there is room for TEXT_BYTES; the helper
        // checks the address, and ends the text with a zero.
        let read = unsafe {
            let room = event.folder.as_mut_ptr().add(from);
            bpf_probe_read_kernel_str(room.cast(), TEXT_BYTES as u32, name as *const c_void)
        };
        if read <= 0 {
            return None;
        }
        // As one range: else the verifier follows every length that the parts before may have had.
        len = below::<1024>(len + read as u64);
        entry = parent;
    }
    event.folder_len = len as u32;
    Some(())
}
