//! What has to be said another way for the kernel's verifier to see it.

use core::arch::asm;
use core::ffi::c_void;

/// An address of the kernel as a number: nobody may reckon with one, but negate it.
#[inline(always)]
pub fn number(address: *const c_void) -> u64 {
    let minus: u64;
    // SAFETY: it reads and writes that register alone.
    unsafe { asm!("{0} = -{0}", inout(reg) address => minus) };
    minus.wrapping_neg()
}

/// `number`, which is known to be below `BOUND`, a power of two: the compiler drops a comparison that it takes for
/// needless, or makes it of another copy of the number.
#[inline(always)]
pub fn below<const BOUND: u64>(mut number: u64) -> u64 {
    const { assert!(BOUND.is_power_of_two()) };
    // SAFETY: it writes that register alone.
    unsafe { asm!("{0} &= {1}", inout(reg) number, const BOUND - 1) };
    number
}
