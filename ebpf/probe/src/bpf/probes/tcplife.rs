//! TCP connections as they end: process, addresses, bytes and lifetime.

use anyhow::Result;
use lab_probe_common::event::TcpSession;
use lab_record::table::Cell;

use super::tcp::{SOCKET, ends, owner};
use crate::bpf::btf::Field;
use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::{HistogramMap, Probe};

pub(super) const PROBE: Probe = Probe {
    fields: &[
        SOCKET,
        &[
            Field { global: "SOCK_OWNED", structure: "sock", field: "sk_lock.owned" },
            Field { global: "SOCK_FLAGS", structure: "sock_common", field: "skc_flags" },
            Field { global: "TCP_SENT", structure: "tcp_sock", field: "bytes_sent" },
            Field { global: "TCP_SENT_AGAIN", structure: "tcp_sock", field: "bytes_retrans" },
            Field { global: "TCP_RECEIVED", structure: "tcp_sock", field: "bytes_received" },
        ],
    ],
    drain,
    read,
    ..Probe::of(
        object!("tcplife"),
        &[HistogramMap { map: "LIFETIME", name: "tcplife", unit: "ns" }],
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
        ("SENT", ""),
        ("RECEIVED", ""),
        ("LIVED", "ns"),
    ];
    let rows = found.rows("connections", &columns);
    loaded.events(|event: &TcpSession| {
        let time_s = event.time_ns.saturating_sub(begun_ns) as f64 / 1e9;
        let [pid, comm] = owner(&event.owner);
        let [local, remote] = ends(&event.ends);
        let [sent, received, lived] = [event.sent, event.received, event.lived_ns].map(Cell::Count);
        let time = Cell::Number(time_s);
        rows.push(vec![time, pid, comm, local, remote, sent, received, lived]);
    })
}

/// Connections without a known process get no row.
fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let unowned = loaded.slots("UNOWNED")?[0];
    if unowned > 0 {
        found.notes.push(format!(
            "{unowned} connections of the machine ended before a process was seen to use them: \
             whose they are is not known"
        ));
    }
    Ok(())
}
