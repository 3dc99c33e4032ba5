//! Whom a program observes: the values of its global `TARGET`, and what the map `FAMILY` says of a process.

/// Every process but the loader.
pub const EVERYONE: u32 = 0;
/// The processes in `FAMILY`.
pub const FAMILY: u32 = 1;
/// Threads of the name in `TARGET_COMM`.
pub const NAME: u32 = 2;

/// In `FAMILY`: observed.
pub const OBSERVED: u32 = 1;
/// In `FAMILY`: observed from its next exec on.
pub const FROM_EXEC: u32 = 2;
