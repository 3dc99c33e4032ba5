//! What a program counts about itself, one counter a CPU each.

/// Observations made: what the probe's figures are made of.
pub const EVENTS: u32 = 0;
/// Observations lost because a map had no room.
pub const MAP_FULL: u32 = 1;
/// Events lost because the ring buffer had no room.
pub const RING_FULL: u32 = 2;
/// Stacks lost because the stack map had no room, or another stack in their place, or that were taken for another.
pub const STACK_LOST: u32 = 3;
/// Beginnings whose end the kernel told no tracer: known when the same thread, or request, begins again.
pub const UNTOLD: u32 = 4;
/// Waits whose end the kernel told no tracer, as long as the thread's own account of running leaves them.
pub const RECKONED: u32 = 5;
/// Events of a kind that the probe knows to happen and does not look into.
pub const UNSEEN: u32 = 6;
/// Counters in all.
pub const LEN: u32 = 7;
