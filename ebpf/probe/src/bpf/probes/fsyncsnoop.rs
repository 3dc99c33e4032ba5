//! Calls that wait until files are on their device.

use super::file::{FILE, drain};
use crate::bpf::Probe;

pub(super) const PROBE: Probe =
    Probe { fields: &[FILE], drain, ..Probe::of(object!("fsyncsnoop"), &[]) };
