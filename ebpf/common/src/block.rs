//! Requests to a block device that are not done yet.

use crate::event::Owner;

/// REQ_OP_FLUSH: the device writes its cache to its medium.
pub const FLUSH: u32 = 2;

/// A request: who made it, and when.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// When it was made, in nanoseconds on CLOCK_MONOTONIC.
    pub made_ns: u64,
    /// When the device got it; 0 before.
    pub issued_ns: u64,
    /// The first sector, as issued.
    pub sector: u64,
    /// Its length in bytes, as issued.
    pub bytes: u64,
    /// The kernel's `REQ_OP_*`.
    pub operation: u64,
    /// Who made it.
    pub owner: Owner,
}

/// A process that asked a device to flush its cache.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// When it asked, in nanoseconds on CLOCK_MONOTONIC.
    pub asked_ns: u64,
    /// The process.
    pub owner: Owner,
}
