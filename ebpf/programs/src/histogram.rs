//! Histograms in maps of `lab_probe_common::histogram::LEN` slots.

use aya_ebpf::maps::PerCpuArray;
use lab_probe_common::histogram::{SUM, slot};
use lab_probe_common::tally::EVENTS;

use crate::add::add;
use crate::tally::count_by;

/// Counts `value`, and adds it to the sum.
#[inline(always)]
pub fn record(histogram: &PerCpuArray<u64>, value: u64) {
    record_by(add, histogram, value);
}

/// As [`record`], for a further value of the same event: the event is not counted again.
#[inline(always)]
pub fn also(histogram: &PerCpuArray<u64>, value: u64) {
    also_by(add, histogram, value);
}

/// As [`record`], adding by `add`.
#[inline(always)]
pub fn record_by(add: impl Fn(*mut u64, u64), histogram: &PerCpuArray<u64>, value: u64) {
    count_by(&add, EVENTS);
    also_by(add, histogram, value);
}

/// As [`also`], adding by `add`.
#[inline(always)]
pub fn also_by(add: impl Fn(*mut u64, u64), histogram: &PerCpuArray<u64>, value: u64) {
    if let Some(bucket) = histogram.get_ptr_mut(slot(value)) {
        add(bucket, 1);
    }
    if let Some(sum) = histogram.get_ptr_mut(SUM) {
        add(sum, value);
    }
}
