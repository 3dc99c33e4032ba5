//! `sys_enter` and `sys_exit`: the registers of 64-bit and 32-bit system calls.
//!
//! A 64-bit program can make 32-bit calls, too (`int 0x80`). They have other numbers and other
//! registers: 20 is `getpid` there and `writev` in the 64-bit table.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::programs::BtfTracePointContext;

use crate::task::Task;

globals! {
    /// Where `task_struct` has `thread_info`, and that has `status`.
    TASK_STATUS: u32 = 0;
}

/// An argument's register. Its offset in x86-64's `struct pt_regs` is fixed: debuggers depend on
/// it. The comments name the register of a 64-bit call and that of a 32-bit one.
#[derive(Clone, Copy)]
pub enum Argument {
    /// rdi, ebx
    First,
    /// rsi, ecx
    Second,
    /// r9, ebp
    Sixth,
}

impl Argument {
    #[inline(always)]
    fn place(self, compat: bool) -> usize {
        match (self, compat) {
            (Self::First, false) => 112,
            (Self::Second, false) => 104,
            (Self::Sixth, false) => 64,
            (Self::First, true) => 40,
            (Self::Second, true) => 88,
            (Self::Sixth, true) => 32,
        }
    }
}

/// A call without a number in the 64-bit table, or one that no program here asks for.
pub const UNKNOWN: u32 = u32::MAX;

/// The number of the entered call, in the table of its kind.
#[inline(always)]
pub fn raw_number(ctx: &BtfTracePointContext) -> u32 {
    ctx.arg::<u64>(1) as u32
}

/// Whether the running thread is in a 32-bit call.
#[inline(always)]
pub fn is_compat(task: Task) -> bool {
    /// The kernel's TS_COMPAT.
    const COMPAT: u32 = 2;
    task.number(global!(TASK_STATUS)) & COMPAT != 0
}

/// The number of the entered call in the 64-bit table. Of 32-bit calls only those are translated
/// that a program here asks for; the rest are [`UNKNOWN`].
#[inline(always)]
pub fn number(ctx: &BtfTracePointContext, task: Task) -> u32 {
    let number = raw_number(ctx);
    if is_compat(task) { as_of_64_bits(number) } else { number }
}

/// read, write, open, creat; sync, fsync, msync, fdatasync; readv, writev, pread64, pwrite64;
/// sendfile, sendfile64; openat, splice, sync_file_range; preadv, pwritev, syncfs; copy_file_range,
/// preadv2, pwritev2; openat2.
#[inline(never)]
fn as_of_64_bits(number: u32) -> u32 {
    match number {
        3 => 0,
        4 => 1,
        5 => 2,
        8 => 85,
        36 => 162,
        118 => 74,
        144 => 26,
        148 => 75,
        145 => 19,
        146 => 20,
        180 => 17,
        181 => 18,
        187 | 239 => 40,
        295 => 257,
        313 => 275,
        314 => 277,
        333 => 295,
        334 => 296,
        344 => 306,
        377 => 326,
        378 => 327,
        379 => 328,
        437 => 437,
        _ => UNKNOWN,
    }
}

/// What the call returns: its result, or an error number below zero.
#[inline(always)]
pub fn result(ctx: &BtfTracePointContext) -> i64 {
    ctx.arg(1)
}

/// Whether a result is an error.
#[inline(always)]
pub fn is_error(result: i64) -> bool {
    (-4095..0).contains(&result)
}

/// An argument of the call that `task`, the running thread, enters. That of a 32-bit call is
/// zero-extended.
#[inline(always)]
pub fn argument(ctx: &BtfTracePointContext, task: Task, which: Argument) -> u64 {
    let registers: *const u8 = ctx.arg(0);
    let compat = is_compat(task);
    // SAFETY: the helper checks the address, and fails where nothing can be read.
    let value: u64 =
        unsafe { bpf_probe_read_kernel(registers.add(which.place(compat)).cast()) }.unwrap_or(0);
    if compat { value as u32 as u64 } else { value }
}
