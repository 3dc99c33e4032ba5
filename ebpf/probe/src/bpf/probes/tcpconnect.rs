//! Attempts to connect by TCP, and their results.

use std::io;

use anyhow::Result;
use lab_probe_common::event::TcpConnect;
use lab_probe_common::tcp::Session;
use lab_record::table::Cell;

use super::tcp::{SOCKET, ends, owner};
use crate::bpf::btf::Field;
use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::{HistogramMap, Probe};

pub(super) const PROBE: Probe = Probe {
    fields: &[SOCKET, &[Field { global: "SOCK_ERROR", structure: "sock", field: "sk_err" }]],
    drain,
    read,
    ..Probe::of(
        object!("tcpconnect"),
        &[HistogramMap { map: "LATENCY", name: "tcpconnect", unit: "ns" }],
    )
};

fn drain(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let (begun_ns, _) = loaded.span_ns();
    let columns = [
        ("TIME", "s"),
        ("PID", ""),
        ("COMM", ""),
        ("LOCAL", ""),
        ("REMOTE", ""),
        ("TOOK", "ns"),
        ("ERR", ""),
        ("RESULT", ""),
    ];
    let rows = found.rows("attempts", &columns);
    loaded.events(|event: &TcpConnect| {
        let time_s = event.time_ns.saturating_sub(begun_ns) as f64 / 1e9;
        let [pid, comm] = owner(&event.owner);
        let [local, remote] = ends(&event.ends);
        let result = match event.error {
            0 => "connected".to_owned(),
            error => io::Error::from_raw_os_error(error as i32).kind().to_string(),
        };
        rows.push(vec![
            Cell::Number(time_s),
            pid,
            comm,
            local,
            remote,
            Cell::Count(event.took_ns),
            Cell::Count(event.error),
            Cell::Text(result),
        ]);
    })
}

fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let waiting = loaded.entries::<u64, Session>("ATTEMPTS")?.len();
    if waiting > 0 {
        found.notes.push(format!("{waiting} attempts to connect were under way at the end"));
    }
    Ok(())
}
