//! System calls of x86-64, by the tables of 64 and of 32 bits.

/// Numbers of a table that are counted apart; Linux 6.18 ends at 470.
pub const NUMBERS: u32 = 512;

/// Where calls of 32 bits begin, behind those of 64.
pub const COMPAT: u32 = NUMBERS;

/// Of all calls whose numbers are in neither table.
pub const OTHERS: u32 = 2 * NUMBERS;

/// What is counted apart, in all.
pub const SLOTS: u32 = 2 * NUMBERS + 1;

/// Of one system call, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Times it was called.
    pub count: u64,
    /// Times it returned; the rest were unfinished, or never return.
    pub returned: u64,
    /// Of these, with an error.
    pub errors: u64,
    /// Nanoseconds from call to return, in all.
    pub total_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// A call that has not returned.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was made, in nanoseconds on CLOCK_MONOTONIC.
    pub since_ns: u64,
    /// Its number, or for an open its path.
    pub what: u64,
}
