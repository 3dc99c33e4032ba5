//! Changes of threads and processes while they are observed, from the kernel's records.

use lab_proc::Mapping;

/// A change of the meaning of addresses, or of a thread's name, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Nanoseconds on CLOCK_MONOTONIC.
    pub(crate) time_ns: u64,
    /// What happened.
    pub(crate) what: What,
}

#[cfg(feature = "ebpf")]
impl Change {
    /// The process that changed or was born; for a name, the thread.
    pub(crate) fn process(&self) -> u32 {
        match self.what {
            What::Map { pid, .. } | What::Exec { pid, .. } | What::Fork { pid, .. } => pid,
            What::Name { tid, .. } => tid,
        }
    }
}

/// The kinds of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Executable memory appears in a process.
    Map { pid: u32, mapping: Mapping },
    /// A thread has a new name.
    Name { tid: u32, name: Vec<u8> },
    /// A process runs another program: its memory starts afresh, and its thread has a new name.
    Exec { pid: u32, tid: u32, name: Vec<u8> },
    /// A thread, or a process with its first thread, is born.
    Fork { pid: u32, tid: u32, parent_pid: u32, parent_tid: u32 },
}

/// A thread is switched in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switch {
    /// Nanoseconds on CLOCK_MONOTONIC.
    pub(crate) time_ns: u64,
    /// The thread.
    pub(crate) tid: u32,
    /// The kind of switch.
    pub(crate) way: Way,
}

/// The kinds of switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Switched in.
    In,
    /// Switched out because it blocked.
    Blocked,
    /// Switched out although it could have run: preempted.
    Preempted,
}
