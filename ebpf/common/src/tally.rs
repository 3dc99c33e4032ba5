//! What a program counts about itself: one counter for each CPU.

/// Observations in the probe's figures.
pub const EVENTS: u32 = 0;
/// Observations lost because a map had no room.
pub const MAP_FULL: u32 = 1;
/// Events lost because the ring buffer had no room.
pub const RING_FULL: u32 = 2;
/// Stacks lost: the stack map had no room for them, held another stack in their place, or they
/// were mistaken for another.
pub const STACK_LOST: u32 = 3;
/// Waits and requests whose end the kernel reported to no tracer: found when the same thread or
/// request begins again.
pub const UNFINISHED: u32 = 4;
/// Waits whose end the kernel reported to no tracer, and whose length is inferred from the time
/// that the thread has run since.
pub const INFERRED: u32 = 5;
/// Events that the probe counts and does not look into.
pub const UNSEEN: u32 = 6;
/// Counters in all.
pub const LEN: u32 = 7;
