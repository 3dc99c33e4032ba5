//! Operations written so that the kernel's verifier accepts them.

use core::arch::asm;
use core::ffi::c_void;

/// An address in the kernel as a number. The verifier allows no arithmetic with an address except
/// negation.
#[inline(always)]
pub fn number(address: *const c_void) -> u64 {
    let minus: u64;
    // SAFETY: it reads and writes that register alone.
    unsafe { asm!("{0} = -{0}", inout(reg) address => minus) };
    minus.wrapping_neg()
}

/// `number`, masked so that the verifier knows it to be below `BOUND`, a power of two. A comparison
/// would not do: the compiler drops it as needless, or compares another copy of the number.
#[inline(always)]
pub fn below<const BOUND: u64>(mut number: u64) -> u64 {
    const { assert!(BOUND.is_power_of_two()) };
    // SAFETY: it writes that register alone.
    unsafe { asm!("{0} &= {1}", inout(reg) number, const BOUND - 1) };
    number
}
