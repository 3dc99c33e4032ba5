//! A request to a block device that is not done yet.

use crate::event::Owner;

/// REQ_OP_FLUSH: the device is to put on its medium what it has in its cache.
pub const FLUSH: u32 = 2;

/// Who made it, and when.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// When it was made, in nanoseconds on CLOCK_MONOTONIC.
    pub made_ns: u64,
    /// When the device got it; 0 before.
    pub issued_ns: u64,
    /// The first sector, as issued.
    pub sector: u64,
    /// How many bytes, as issued.
    pub bytes: u64,
    /// The kernel's `REQ_OP_*`.
    pub operation: u64,
    /// Who made it.
    pub owner: Owner,
}

/// Who has asked a device to flush its cache, and when.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// When, in nanoseconds on CLOCK_MONOTONIC.
    pub asked_ns: u64,
    /// Who.
    pub owner: Owner,
}
