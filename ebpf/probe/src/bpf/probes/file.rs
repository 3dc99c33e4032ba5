//! What the probes of calls on files share.

use anyhow::Result;
use lab_probe_common::event::FileCall;
use lab_probe_common::tally;
use lab_record::table::Cell;

use crate::bpf::btf::Field;
use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::maps;
use crate::bpf::syscall_names::name;

/// The fields with a thread's files, and with a file's name.
pub(super) const FILE: &[Field] = &[
    Field { global: "TASK_FILES", structure: "task_struct", field: "files" },
    Field { global: "FILES_TABLE", structure: "files_struct", field: "fdt" },
    Field { global: "TABLE_FILES", structure: "fdtable", field: "fd" },
    Field { global: "TABLE_LEN", structure: "fdtable", field: "max_fds" },
    Field { global: "FILE_PATH", structure: "file", field: "f_path" },
    Field { global: "PATH_ENTRY", structure: "path", field: "dentry" },
    Field { global: "ENTRY_NAME", structure: "dentry", field: "d_name" },
    Field { global: "NAME_TEXT", structure: "qstr", field: "name" },
];

/// Notes how many of `what` were requested through io_uring, which are in no row.
pub(super) fn by_io_uring(loaded: &mut Loaded, found: &mut Found, what: &str) -> Result<()> {
    let unseen = loaded.slots("TALLY")?[tally::UNSEEN as usize];
    if unseen > 0 {
        found
            .notes
            .push(format!("{unseen} {what} by io_uring are not observed: they are in no row"));
    }
    Ok(())
}

/// A row for each call.
pub(super) fn drain(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let (begun_ns, _) = loaded.span_ns();
    let columns = [
        ("TIME", "s"),
        ("PID", ""),
        ("COMM", ""),
        ("CALL", ""),
        ("RESULT", ""),
        ("TOOK", "ns"),
        ("FILE", ""),
    ];
    let rows = found.rows("calls", &columns);
    loaded.events(|event: &FileCall| {
        rows.push(vec![
            Cell::Number(event.time_ns.saturating_sub(begun_ns) as f64 / 1e9),
            Cell::Count(event.owner.tgid),
            Cell::Text(maps::name(&event.owner.comm.bytes())),
            Cell::Text(name(event.call as u32)),
            Cell::Signed(event.result),
            Cell::Count(event.took_ns),
            Cell::Text(maps::name(&event.name)),
        ]);
    })
}
