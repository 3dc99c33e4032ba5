//! Adding to a counter in a per-CPU map.

use core::arch::asm;

/// Adds to what `value` points at, in a tracepoint.
///
/// No other CPU writes it, and no program that counts the same can interrupt this one: the
/// scheduler's tracepoints run with interrupts off, those of system calls without preemption.
#[inline(always)]
pub fn add(value: *mut u64, more: u64) {
    // SAFETY: values in maps are aligned, and the verifier has checked that this one is there.
    unsafe { *value += more };
}

/// As [`add`], in a user-space probe. There a thread may be preempted within the program, by one
/// that counts the same on the same CPU. In assembly: `AtomicU64` lacks `fetch_add` on this target.
#[inline(always)]
pub fn add_while_preemptible(value: *mut u64, more: u64) {
    // SAFETY: as above.
    unsafe { asm!("lock *(u64 *)({} + 0) += {}", in(reg) value, in(reg) more) };
}
