//! Files as they are opened, with the result.

use anyhow::Result;
use lab_probe_common::event::Open;
use lab_record::table::Cell;

use super::file::{FILE, by_io_uring};
use crate::bpf::btf::Field;
use crate::bpf::found::Found;
use crate::bpf::load::{CALL, Loaded};
use crate::bpf::{Probe, maps};

pub(super) const PROBE: Probe = Probe {
    fields: &[
        CALL,
        FILE,
        &[
            Field { global: "TASK_FS", structure: "task_struct", field: "fs" },
            Field { global: "FS_PWD", structure: "fs_struct", field: "pwd" },
            Field { global: "FS_ROOT", structure: "fs_struct", field: "root" },
            Field { global: "PATH_MOUNT", structure: "path", field: "mnt" },
            Field { global: "ENTRY_PARENT", structure: "dentry", field: "d_parent" },
            Field { global: "MOUNT_MOUNT", structure: "mount", field: "mnt" },
            Field { global: "MOUNT_PARENT", structure: "mount", field: "mnt_parent" },
            Field { global: "MOUNT_POINT", structure: "mount", field: "mnt_mountpoint" },
            Field { global: "MOUNT_ROOT", structure: "vfsmount", field: "mnt_root" },
        ],
    ],
    drain,
    read: |loaded, found| by_io_uring(loaded, found, "opens"),
    ..Probe::of(object!("opensnoop"), &[])
};

/// Rows as in bcc: the descriptor or -1, and the error number or 0.
fn drain(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let (begun_ns, _) = loaded.span_ns();
    let columns = [
        ("TIME", "s"),
        ("PID", ""),
        ("COMM", ""),
        ("FD", ""),
        ("ERR", ""),
        ("TOOK", "ns"),
        ("PATH", ""),
    ];
    let rows = found.rows("files", &columns);
    loaded.events(|event: &Open| {
        rows.push(vec![
            Cell::Number(event.time_ns.saturating_sub(begun_ns) as f64 / 1e9),
            Cell::Count(event.tgid.into()),
            Cell::Text(maps::name(&event.comm.bytes())),
            Cell::Signed(event.result.max(-1)),
            Cell::Count(event.result.min(0).unsigned_abs()),
            Cell::Count(event.took_ns),
            Cell::Text(path(event)),
        ]);
    })
}

/// The path as requested, after the folder that it is relative to: `…` if that was too deep to be
/// kept.
fn path(event: &Open) -> String {
    let asked = maps::name(&event.path);
    if asked.is_empty() || asked.starts_with('/') {
        return asked;
    }
    let folder = event.folder.get(..event.folder_len as usize).unwrap_or_default();
    let folder = folder.strip_suffix(b"\0").unwrap_or(folder);
    let parts = folder.split(|&byte| byte == 0).rev().filter(|part| !part.is_empty());
    let parts = parts.map(|part| String::from_utf8_lossy(part).into_owned() + "/");
    let begins = if event.folder_whole == 1 { "/" } else { "…/" };
    parts.fold(begins.to_owned(), |path, part| path + &part) + &asked
}

#[cfg(test)]
mod tests {
    use lab_probe_common::Comm;
    use lab_probe_common::event::{FOLDER_BYTES, TEXT_BYTES};

    use super::*;

    #[test]
    fn a_path_that_begins_with_no_slash_stands_behind_its_folder() {
        let mut event = Open {
            time_ns: 0,
            took_ns: 0,
            tgid: 1,
            pid: 1,
            result: 3,
            comm: Comm::default(),
            path: [0; TEXT_BYTES],
            folder_len: 0,
            folder_whole: 1,
            folder: [0; FOLDER_BYTES + TEXT_BYTES],
        };
        event.path[..4].copy_from_slice(b"a/b\0");
        assert_eq!(path(&event), "/a/b");
        event.folder[..9].copy_from_slice(b"src\0home\0");
        event.folder_len = 9;
        assert_eq!(path(&event), "/home/src/a/b");
        event.folder_whole = 0;
        assert_eq!(path(&event), "…/home/src/a/b");
        event.path[0] = b'/';
        assert_eq!(path(&event), "//b");
    }
}
