//! How long requests wait for block devices, and how long those take.

use super::block::REQUEST;
use crate::bpf::{HistogramMap, Probe};

pub(super) const PROBE: Probe = Probe {
    fields: &[REQUEST],
    ..Probe::of(
        object!("biolatency"),
        &[
            HistogramMap { map: "QUEUED", name: "queued", unit: "ns" },
            HistogramMap { map: "SERVICE", name: "service", unit: "ns" },
            HistogramMap { map: "FLUSH", name: "flush", unit: "ns" },
        ],
    )
};
