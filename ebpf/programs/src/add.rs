//! Adding to a counter in a map of one value a CPU.
//!
//! No other CPU writes it, and what a program counts here is not counted by another that could interrupt it: the
//! scheduler's tracepoints run with interrupts off, those of system calls without preemption.

/// Adds to what `value` points at.
#[inline(always)]
pub fn add(value: *mut u64, more: u64) {
    // SAFETY: values in maps are aligned, and the verifier has checked that this one is there.
    unsafe { *value += more };
}
