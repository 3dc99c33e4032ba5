//! The keys that blocked and waking time is summed by.

use crate::Comm;

/// In place of a stack's number: none was asked for, there is none, or it was lost.
pub const NO_STACK: i32 = -1;

/// A thread and its stacks.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackKey {
    /// The process.
    pub tgid: u32,
    /// The thread. Keyed by thread and not by CPU: a thread that migrates would be counted twice.
    pub pid: u32,
    /// Number of its user stack in the stack map, or [`NO_STACK`].
    pub user: i32,
    /// Number of its kernel stack in the stack map, or [`NO_STACK`].
    pub kernel: i32,
    /// Its name.
    pub comm: Comm,
}

impl StackKey {
    /// No thread.
    pub const NONE: Self =
        Self { tgid: 0, pid: 0, user: NO_STACK, kernel: NO_STACK, comm: Comm([0; 2]) };
}

/// A thread's last time off the CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// Where it was switched out.
    pub from: StackKey,
    /// When it was switched out, in nanoseconds on CLOCK_MONOTONIC; 0 while it is on a CPU.
    pub since_ns: u64,
    /// The same, on the scheduler's clock.
    pub left_ns: u64,
    /// How long it had run in all by then, in nanoseconds.
    pub ran_ns: u64,
    /// 1 if it was preempted, 0 if it blocked.
    pub preempted: u64,
}

impl Away {
    /// A thread that was not switched out yet.
    pub const NEVER: Self =
        Self { from: StackKey::NONE, since_ns: 0, left_ns: 0, ran_ns: 0, preempted: 0 };
}

/// A wakeup: the waker with its stacks, and the thread that it woke.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WakeKey {
    /// The thread that wakes.
    pub waker: StackKey,
    /// The name of the thread that is woken.
    pub woken: Comm,
}

/// A sleep: the sleeper with its stacks, and its waker.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainKey {
    /// The thread that slept.
    pub sleeper: StackKey,
    /// The thread that woke it.
    pub waker: StackKey,
}
