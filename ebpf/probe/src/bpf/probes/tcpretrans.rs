//! TCP segments that are sent again.

use anyhow::Result;
use lab_probe_common::event::TcpRetransmit;
use lab_probe_common::tcp::state;
use lab_record::table::Cell;

use super::tcp::{SOCKET, ends, owner};
use crate::bpf::Probe;
use crate::bpf::found::Found;
use crate::bpf::load::Loaded;

pub(super) const PROBE: Probe = Probe {
    fields: &[SOCKET],
    of_kernel: |types| {
        let arguments = types.arguments("tcp_retransmit_skb").unwrap_or(0);
        vec![("HAS_ERROR", u32::from(arguments > 2))]
    },
    drain,
    ..Probe::of(object!("tcpretrans"), &[])
};

fn drain(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let (begun_ns, _) = loaded.span_ns();
    let columns =
        [("TIME", "s"), ("PID", ""), ("COMM", ""), ("LOCAL", ""), ("REMOTE", ""), ("STATE", "")];
    let rows = found.rows("segments", &columns);
    loaded.events(|event: &TcpRetransmit| {
        let time_s = event.time_ns.saturating_sub(begun_ns) as f64 / 1e9;
        let [pid, comm] = owner(&event.owner);
        let [local, remote] = ends(&event.ends);
        let state = Cell::Text(state::name(event.ends.state).to_owned());
        rows.push(vec![Cell::Number(time_s), pid, comm, local, remote, state]);
    })
}
