//! Calls of a user-space function that have not returned.

/// Where a call keeps its return address. No two calls of a process that are in progress share one.
/// A call that was unwound leaves its place to the next.
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

/// In the map `OUTCOMES`: calls that began.
pub const ENTERED: u32 = 0;
/// In the map `OUTCOMES`: calls that ended in a jump to another function.
pub const JUMPED: u32 = 1;
/// Counters in all.
pub const OUTCOMES: u32 = 2;

/// Signal numbers are below this.
pub const SIGNALS: u32 = 128;
