//! Histograms in maps of `lab_probe_common::histogram::LEN` slots.

use aya_ebpf::maps::PerCpuArray;
use lab_probe_common::histogram::{SUM, slot};
use lab_probe_common::tally::EVENTS;

use crate::add::add;
use crate::tally::count;

/// Counts `value`, and adds it to the sum.
#[inline(always)]
pub fn record(histogram: &PerCpuArray<u64>, value: u64) {
    count(EVENTS);
    also(histogram, value);
}

/// As [`record`], for a second value of an event.
#[inline(always)]
pub fn also(histogram: &PerCpuArray<u64>, value: u64) {
    if let Some(bucket) = histogram.get_ptr_mut(slot(value)) {
        add(bucket, 1);
    }
    if let Some(sum) = histogram.get_ptr_mut(SUM) {
        add(sum, value);
    }
}
