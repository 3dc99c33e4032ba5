//! Which threads wake others: the waker's stack, and on top of it the woken thread.

use anyhow::Result;
use lab_probe_common::stack::WakeKey;

use crate::bpf::found::Found;
use crate::bpf::load::{Loaded, STACK, syscall_entry};
use crate::bpf::stacks::Weight;
use crate::bpf::{HistogramMap, Probe, maps, stacks};
use crate::cpu::symbols::printable;

pub(super) const PROBE: Probe = Probe {
    fields: &[STACK],
    globals: syscall_entry,
    read,
    ..Probe::of(
        object!("wakeuptime"),
        &[HistogramMap { map: "SLEEPS", name: "wakeuptime", unit: "ns" }],
    )
};

fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let times: Vec<(WakeKey, u64)> = loaded.per_cpu_sums("TIMES")?;
    stacks::fold(
        loaded,
        found,
        &Weight::time("wakeup"),
        &times,
        |key| vec![key.waker],
        |key, stacks| {
            let woken = printable(&maps::name(&key.woken.bytes()));
            [vec![stacks[0].thread.clone()], stacks[0].frames.clone(), vec![woken]].concat()
        },
    )
}
