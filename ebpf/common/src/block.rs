//! A request to a block device that is not done yet.

use crate::event::Owner;

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
    /// Who made it.
    pub owner: Owner,
}
