//! Open TCP connections.

use crate::event::Owner;

/// States of a connection, by the kernel's numbers: those that programs act on.
pub mod state {
    #![expect(missing_docs, reason = "named as RFC 9293 does")]
    pub const ESTABLISHED: u32 = 1;
    pub const SYN_SENT: u32 = 2;
    pub const SYN_RECEIVED: u32 = 3;
    pub const FIN_WAIT_1: u32 = 4;
    pub const CLOSED: u32 = 7;
    pub const LAST_ACK: u32 = 9;

    /// The name of a state.
    pub fn name(state: u16) -> &'static str {
        const NAMES: [&str; 13] = [
            "?",
            "ESTABLISHED",
            "SYN_SENT",
            "SYN_RECEIVED",
            "FIN_WAIT_1",
            "FIN_WAIT_2",
            "TIME_WAIT",
            "CLOSED",
            "CLOSE_WAIT",
            "LAST_ACK",
            "LISTEN",
            "CLOSING",
            "SYN_RECEIVED",
        ];
        NAMES.get(usize::from(state)).copied().unwrap_or("?")
    }
}

/// An open connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// When its first state was seen, in nanoseconds on CLOCK_MONOTONIC.
    pub born_ns: u64,
    /// 1 after it was established.
    pub established: u64,
    /// 1 if its owner is observed.
    pub observed: u64,
    /// The process that uses it; all zero until it is known.
    pub owner: Owner,
}
