//! How long a function of a program takes, and what it costs to know.

use anyhow::Result;

use crate::bpf::found::Found;
use crate::bpf::load::Loaded;
use crate::bpf::{HistogramMap, Probe};

pub(super) const PROBE: Probe = Probe {
    read,
    ..Probe::of(
        object!("funclatency"),
        &[HistogramMap { map: "LATENCY", name: "funclatency", unit: "ns" }],
    )
};

fn read(loaded: &mut Loaded, found: &mut Found) -> Result<()> {
    let us = loaded.cost_of_a_call_ns()? / 1e3;
    found.notes.push(format!(
        "watching makes each call {us:.1} us longer here, as measured on an empty function: part of it is in the figures"
    ));
    Ok(())
}
