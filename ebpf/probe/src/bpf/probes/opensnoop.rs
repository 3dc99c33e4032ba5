//! Files as they are opened, with what came of it.

use anyhow::Result;
use lab_probe_common::event::Open;
use lab_record::probe::ProbeCell;

use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::{Probe, maps};

pub(super) const PROBE: Probe = Probe { drain, ..Probe::of(object!("opensnoop"), &[]) };

/// As bcc has it: the descriptor or -1, and the number of the error or 0.
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
            ProbeCell::Number(event.time_ns.saturating_sub(begun_ns) as f64 / 1e9),
            ProbeCell::Count(event.tgid.into()),
            ProbeCell::Text(maps::name(&event.comm.bytes())),
            ProbeCell::Signed(event.result.max(-1)),
            ProbeCell::Count(event.result.min(0).unsigned_abs()),
            ProbeCell::Count(event.took_ns),
            ProbeCell::Text(maps::name(&event.path)),
        ]);
    })
}
