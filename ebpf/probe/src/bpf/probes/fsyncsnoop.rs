//! Calls that wait until files are on their device.

use super::file::{FILE, by_io_uring, drain};
use crate::bpf::Probe;
use crate::bpf::btf::Field;
use crate::bpf::load::CALL;

pub(super) const PROBE: Probe = Probe {
    fields: &[CALL, FILE, &[Field { global: "FILE_FLAGS", structure: "file", field: "f_flags" }]],
    drain,
    read: |loaded, found| by_io_uring(loaded, found, "syncs"),
    ..Probe::of(object!("fsyncsnoop"), &[])
};
