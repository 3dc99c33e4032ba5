//! What blocked and waking time is summed by.

use crate::Comm;

/// No stack: none was asked for, there is none, or it was lost.
pub const NO_STACK: i32 = -1;

/// A thread and where it stood.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackKey {
    /// Its process.
    pub tgid: u32,
    /// The thread: not the CPU, or one that migrates would be counted twice.
    pub pid: u32,
    /// Its user stack in the stack map, or [`NO_STACK`].
    pub user: i32,
    /// Its kernel stack in the stack map, or [`NO_STACK`].
    pub kernel: i32,
    /// Its name.
    pub comm: Comm,
}

impl StackKey {
    /// Of nobody.
    pub const NONE: Self =
        Self { tgid: 0, pid: 0, user: NO_STACK, kernel: NO_STACK, comm: Comm([0; 2]) };
}

/// A thread that is off its CPU, or was.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// Where it left.
    pub from: StackKey,
    /// When, in nanoseconds on CLOCK_MONOTONIC; 0 once it is back.
    pub since_ns: u64,
    /// The same on the scheduler's clock.
    pub left_ns: u64,
    /// How long it had run by then, in nanoseconds.
    pub ran_ns: u64,
    /// 1 where it could have run on and was made to leave.
    pub preempted: u64,
}

impl Away {
    /// Of a thread that has not left yet.
    pub const NEVER: Self =
        Self { from: StackKey::NONE, since_ns: 0, left_ns: 0, ran_ns: 0, preempted: 0 };
}

/// Who woke a thread, and by which path.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WakeKey {
    /// The one that wakes.
    pub waker: StackKey,
    /// The name of the one that is woken.
    pub woken: Comm,
}

/// Where a thread slept, and who woke it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainKey {
    /// The one that slept.
    pub sleeper: StackKey,
    /// The one that woke it.
    pub waker: StackKey,
}
