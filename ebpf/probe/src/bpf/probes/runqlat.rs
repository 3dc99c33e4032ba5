//! How long threads that could run wait for a CPU.

use std::collections::BTreeMap;

use anyhow::Result;
use lab_probe_common::CommSlot;

use crate::bpf::btf::Field;
use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::{HistogramMap, Probe, maps};

pub(super) const PROBE: Probe = Probe {
    fields: &[&[
        Field { global: "TASK_ON_CPU", structure: "task_struct", field: "on_cpu" },
        Field { global: "TASK_SLEEPS", structure: "task_struct", field: "nvcsw" },
    ]],
    globals: |options| vec![("BY_COMM", options.is_set("by", "thread").into())],
    read: by_thread,
    ..Probe::of(object!("runqlat"), &[HistogramMap { map: "LATENCY", name: "runqlat", unit: "ns" }])
};

/// A histogram for each thread name; none if they were not asked for.
fn by_thread(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let mut slots: BTreeMap<Vec<u8>, BTreeMap<u32, u64>> = BTreeMap::new();
    for (CommSlot { comm, slot }, count) in loaded.per_cpu_sums("LATENCY_BY_COMM")? {
        *slots.entry(comm.bytes().to_vec()).or_default().entry(slot as u32).or_default() += count;
    }
    found.histograms.extend(slots.into_iter().map(|(comm, counts)| {
        let thread = Some(maps::name(&comm));
        maps::histogram("runqlat", thread, "ns", counts)
    }));
    Ok(())
}
