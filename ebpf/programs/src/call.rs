//! `sys_enter` and `sys_exit`: the system calls of x86-64, by their registers.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::programs::BtfTracePointContext;

/// A register's place in x86-64's `struct pt_regs`, which is part of the kernel's interface with debuggers.
#[derive(Clone, Copy)]
pub enum Argument {
    /// rdi
    First = 112,
    /// rsi
    Second = 104,
}

/// The number of the call that is entered.
#[inline(always)]
pub fn number(ctx: &BtfTracePointContext) -> u32 {
    ctx.arg::<u64>(1) as u32
}

/// What the call that is left returns: an error number below zero, or its result.
#[inline(always)]
pub fn result(ctx: &BtfTracePointContext) -> i64 {
    ctx.arg(1)
}

/// Whether a result is an error.
#[inline(always)]
pub fn is_error(result: i64) -> bool {
    (-4095..0).contains(&result)
}

/// An argument of the call that is entered.
#[inline(always)]
pub fn argument(ctx: &BtfTracePointContext, which: Argument) -> u64 {
    let registers: *const u8 = ctx.arg(0);
    // SAFETY: the helper checks the address, and fails where nothing can be read.
    unsafe { bpf_probe_read_kernel(registers.add(which as usize).cast()) }.unwrap_or(0)
}
