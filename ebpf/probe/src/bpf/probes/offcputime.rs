//! How long threads are off their CPU: blocked, by stack, and preempted.

use std::collections::HashMap;

use anyhow::Result;
use lab_probe_common::stack::{Away, StackKey};

use crate::bpf::found::Found;
use crate::bpf::load::{Loaded, RAN, STACK, syscall_entry};
use crate::bpf::stacks::Weight;
use crate::bpf::{HistogramMap, Probe, stacks};

pub(super) const PROBE: Probe = Probe {
    fields: &[RAN, STACK],
    globals: syscall_entry,
    read,
    ..Probe::of(
        object!("offcputime"),
        &[
            HistogramMap { map: "BLOCKED", name: "blocked", unit: "ns" },
            HistogramMap { map: "PREEMPTED", name: "preempted", unit: "ns" },
        ],
    )
};

/// A thread that is still blocked at the end counts until then.
fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let mut times: Vec<(StackKey, u64)> = loaded.per_cpu_sums("TIMES")?;
    let (_, ended_ns) = loaded.span_ns();
    let asleep = loaded.entries::<u32, Away>("AWAY")?.into_iter().map(|(_, away)| away);
    let asleep: Vec<(StackKey, u64)> = asleep
        .filter(|away| away.since_ns != 0 && away.preempted == 0)
        .map(|away| (away.from, ended_ns.saturating_sub(away.since_ns)))
        .collect();
    if !asleep.is_empty() {
        let seconds = asleep.iter().map(|(_, ns)| ns).sum::<u64>() as f64 / 1e9;
        found.notes.push(format!(
            "{} threads were still blocked at the end: their {seconds:.3} s are in the stacks, and \
             not in the histogram",
            asleep.len()
        ));
    }
    times.extend(asleep);
    let mut seen: HashMap<u32, u64> = HashMap::new();
    times.iter().for_each(|(from, ns)| *seen.entry(from.pid).or_default() += ns);
    found.notes.extend(loaded.away_unseen(&seen).and_then(|away| away.note()));
    stacks::fold_single(loaded, found, &[(Weight::time("off-cpu"), times)])
}
