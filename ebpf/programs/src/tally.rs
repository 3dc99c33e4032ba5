//! Counts what a program has seen and lost; the loader prints it.

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use lab_probe_common::tally;

use crate::add::add;

#[map]
static TALLY: PerCpuArray<u64> = PerCpuArray::with_max_entries(tally::LEN, 0);

/// Counts one of `lab_probe_common::tally`.
#[inline(always)]
pub fn count(what: u32) {
    count_by(add, what);
}

/// As [`count`], adding by `add`.
#[inline(always)]
pub fn count_by(add: impl Fn(*mut u64, u64), what: u32) {
    if let Some(counter) = TALLY.get_ptr_mut(what) {
        add(counter, 1);
    }
}

/// Counts an observation that a map had no room for, if `result` is that error.
#[inline(always)]
pub fn kept<T>(result: Result<T, i32>) {
    if result.is_err() {
        count(tally::MAP_FULL);
    }
}
