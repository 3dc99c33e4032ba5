//! Where threads sleep and who wakes them: the sleeper's stack, and on top of it the waker's in
//! reverse order.

use anyhow::Result;
use lab_probe_common::stack::ChainKey;

use crate::bpf::found::Found;
use crate::bpf::load::{Loaded, RAN, STACK, syscall_entry};
use crate::bpf::stacks::Weight;
use crate::bpf::{HistogramMap, Probe, stacks};

pub(super) const PROBE: Probe = Probe {
    fields: &[RAN, STACK],
    globals: syscall_entry,
    read,
    ..Probe::of(
        object!("offwaketime"),
        &[HistogramMap { map: "BLOCKED", name: "offwaketime", unit: "ns" }],
    )
};

fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let times: Vec<(ChainKey, u64)> = loaded.per_cpu_sums("TIMES")?;
    let keys = |key: &ChainKey| vec![key.sleeper, key.waker];
    stacks::fold(loaded, found, &Weight::time("offwake"), &times, keys, |_, stacks| {
        let [sleeper, waker] = stacks else { unreachable!("two keys have two stacks") };
        let mut line = vec![sleeper.thread.clone()];
        line.extend(sleeper.frames.iter().cloned());
        line.push("--".to_owned());
        line.extend(waker.frames.iter().rev().cloned());
        line.push(waker.thread.clone());
        line
    })
}
