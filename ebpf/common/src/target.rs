//! Which processes a program observes: the values of its global `TARGET`, and those of its map
//! `FAMILY`.

/// `TARGET`: every process except the loader.
pub const EVERYONE: u32 = 0;
/// `TARGET`: the processes in `FAMILY`.
pub const FAMILY: u32 = 1;
/// `TARGET`: threads with the name in `TARGET_COMM`.
pub const NAME: u32 = 2;

/// In `FAMILY`: observed.
pub const OBSERVED: u32 = 1;
/// In `FAMILY`: observed from its next exec on.
pub const FROM_EXEC: u32 = 2;
