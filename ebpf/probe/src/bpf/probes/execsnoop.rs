//! Programs as they are started, with their arguments.

use anyhow::Result;
use lab_probe_common::event::Exec;
use lab_record::table::Cell;

use crate::bpf::btf::Field;
use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::{Probe, maps};

pub(super) const PROBE: Probe = Probe {
    fields: &[&[
        Field { global: "TASK_PARENT", structure: "task_struct", field: "real_parent" },
        Field { global: "TASK_MM", structure: "task_struct", field: "mm" },
        Field { global: "MM_ARG_START", structure: "mm_struct", field: "arg_start" },
        Field { global: "MM_ARG_END", structure: "mm_struct", field: "arg_end" },
    ]],
    drain,
    ..Probe::of(object!("execsnoop"), &[])
};

fn drain(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let (begun_ns, _) = loaded.span_ns();
    let columns =
        [("TIME", "s"), ("PCOMM", ""), ("PID", ""), ("PPID", ""), ("UID", ""), ("ARGS", "")];
    let rows = found.rows("programs", &columns);
    loaded.events(|event: &Exec| {
        rows.push(vec![
            Cell::Number(event.time_ns.saturating_sub(begun_ns) as f64 / 1e9),
            Cell::Text(maps::name(&event.comm.bytes())),
            Cell::Count(event.tgid.into()),
            Cell::Count(event.parent.into()),
            Cell::Count(event.uid.into()),
            Cell::Words(arguments(event)),
        ]);
    })
}

/// The arguments; `…` stands for those that did not fit.
fn arguments(event: &Exec) -> Vec<String> {
    let bytes = &event.args[..(event.args_len as usize).min(event.args.len())];
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let words =
        bytes.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let cut = (event.args_all > u64::from(event.args_len)).then(|| "…".to_owned());
    words.chain(cut).collect()
}
