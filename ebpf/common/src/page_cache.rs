//! Counters of the page cache, in pages of 4 KiB.

/// Pages that reads asked for.
pub const READ: u32 = 0;
/// Pages of mapped files whose first touch faulted.
pub const FAULTED: u32 = 1;
/// Pages added to the cache, except by writes.
pub const MISSED: u32 = 2;
/// Pages that became dirty.
pub const DIRTIED: u32 = 3;
/// Counters in all.
pub const LEN: u32 = 4;

/// A thread's progress in a call that reads or writes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// 1 in a call that writes.
    pub writes: u64,
    /// The file that the call reads: the kernel's address of its `address_space`.
    pub file: u64,
    /// The first page of the last request.
    pub first: u64,
    /// The last page of the call.
    pub last: u64,
}
