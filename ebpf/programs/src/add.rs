//! Adding to a counter in a map of one value a CPU.

use core::arch::asm;

/// Adds to what `value` points at, in a tracepoint.
///
/// No other CPU writes it, and what a program counts here is not counted by another that could interrupt it: the
/// scheduler's tracepoints run with interrupts off, those of system calls without preemption.
#[inline(always)]
pub fn add(value: *mut u64, more: u64) {
    // SAFETY: values in maps are aligned, and the verifier has checked that this one is there.
    unsafe { *value += more };
}

/// As [`add`], in a probe of user space: the thread that hits it may be switched from in the midst of its program, for
/// one that counts the same on the same CPU. In assembly: `AtomicU64` lacks `fetch_add` on this target.
#[inline(always)]
pub fn add_while_preemptible(value: *mut u64, more: u64) {
    // SAFETY: as above.
    unsafe { asm!("lock *(u64 *)({} + 0) += {}", in(reg) value, in(reg) more) };
}
