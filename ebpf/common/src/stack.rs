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

/// A thread that is off its CPU, or was.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// Where it left.
    pub from: StackKey,
    /// When, in nanoseconds on CLOCK_MONOTONIC; 0 once it is back.
    pub since_ns: u64,
    /// How long it had run by then, in nanoseconds.
    pub ran_ns: u64,
    /// 1 where it could have run on and was made to leave.
    pub preempted: u64,
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
