//! System calls of x86-64: those of the 64-bit table and of the 32-bit one.

/// Numbers of each table that have their own counters; Linux 6.18 ends at 470.
pub const NUMBERS: u32 = 512;

/// The first slot of 32-bit calls, after the 64-bit ones.
pub const COMPAT: u32 = NUMBERS;

/// The slot of all calls with higher numbers.
pub const OTHERS: u32 = 2 * NUMBERS;

/// Number of slots.
pub const SLOTS: u32 = 2 * NUMBERS + 1;

/// The counters of one system call on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls.
    pub count: u64,
    /// Returns; the other calls had not returned, or never do.
    pub returned: u64,
    /// Returns with an error.
    pub errors: u64,
    /// Sum of the times from call to return, in nanoseconds.
    pub total_ns: u64,
    /// The longest of them, in nanoseconds.
    pub max_ns: u64,
}

/// A call that has not returned.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was made, in nanoseconds on CLOCK_MONOTONIC.
    pub since_ns: u64,
    /// The slot or number of the call, as the program uses it.
    pub what: u64,
}
