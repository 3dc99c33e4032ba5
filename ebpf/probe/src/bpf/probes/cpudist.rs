//! How long threads run at a stretch.

use crate::bpf::{HistogramMap, Probe};

pub(super) const PROBE: Probe = Probe::of(
    object!("cpudist"),
    &[HistogramMap { map: "STRETCHES", name: "cpudist", unit: "ns" }],
);
