//! Calls of a function of user space that have not returned.

/// Where a call keeps what it returns to. No two calls that are under way have the same, on no stack of a process; and a
/// call that another has unwound leaves a place that the next one takes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The process.
    pub tgid: u64,
    /// The stack pointer at the function's first instruction, and at the one that returns.
    pub stack_pointer: u64,
}

/// A call that has begun.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// When, in nanoseconds on CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// The address that it returns to.
    pub returns_to: u64,
}

/// In the map `OUTCOMES`: calls that have begun.
pub const ENTERED: u32 = 0;
/// In the map `OUTCOMES`: calls that ended in a jump to another function.
pub const JUMPED: u32 = 1;
/// Counters in all.
pub const OUTCOMES: u32 = 2;

/// Signals are below this.
pub const SIGNALS: u32 = 128;
