//! What is counted of the page cache, in pages of 4 KiB.

/// Pages that reads have asked for.
pub const READ: u32 = 0;
/// Pages of mapped files that were touched and not mapped yet.
pub const FAULTED: u32 = 1;
/// Pages that were put into the cache, but for those that a write makes.
pub const MISSED: u32 = 2;
/// Pages that became dirty.
pub const DIRTIED: u32 = 3;
/// Counters in all.
pub const LEN: u32 = 4;

/// Where a thread is in a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// 1 in a call that writes.
    pub writes: u64,
    /// The file that a call reads from, as the kernel's address of its cache.
    pub file: u64,
    /// The first page asked for last.
    pub first: u64,
    /// The last page that the call asks for.
    pub last: u64,
}
