//! Events, as programs write them to a ring buffer.

use crate::Comm;

/// Bytes kept of a path or a command line.
pub const TEXT_BYTES: usize = 256;

/// A program that was started.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Exec {
    /// When, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// The process.
    pub tgid: u32,
    /// Its parent.
    pub parent: u32,
    /// The user.
    pub uid: u32,
    /// Bytes of `args` that were read.
    pub args_len: u32,
    /// Bytes that the arguments have in all.
    pub args_all: u64,
    /// Its new name.
    pub comm: Comm,
    /// Arguments, each ended by a zero, as far as there is room.
    pub args: [u8; TEXT_BYTES],
}

/// Bytes of a folder's path up to which another part is kept; the last part may go beyond.
pub const FOLDER_BYTES: usize = 512;

/// A file that was opened, or could not be.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// When the call returned, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// How long it took, in nanoseconds.
    pub took_ns: u64,
    /// The process.
    pub tgid: u32,
    /// The thread.
    pub pid: u32,
    /// The descriptor, or the error number below zero.
    pub result: i64,
    /// The thread's name.
    pub comm: Comm,
    /// The path as the program gave it, ended by a zero.
    pub path: [u8; TEXT_BYTES],
    /// Bytes of `folder` in use.
    pub folder_len: u32,
    /// 1 if `folder` reaches the root.
    pub folder_whole: u32,
    /// The folder that a relative path starts in: its parts, the last one first, each ended by a
    /// zero.
    pub folder: [u8; FOLDER_BYTES + TEXT_BYTES],
}

/// The two ends of a TCP connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ends {
    /// 2 is IPv4, whose addresses are the first four bytes; 10 is IPv6.
    pub family: u16,
    /// Port of this end, in this machine's byte order.
    pub local_port: u16,
    /// Port of the other end, in this machine's byte order.
    pub remote_port: u16,
    /// The socket's state when the event was written.
    pub state: u16,
    /// Address of this end.
    pub local: [u8; 16],
    /// Address of the other end.
    pub remote: [u8; 16],
}

/// A TCP connection that has ended.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TcpSession {
    /// When it ended, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// From its first state to its last, in nanoseconds.
    pub lived_ns: u64,
    /// Bytes of payload sent, without retransmissions.
    pub sent: u64,
    /// Bytes of payload received, without duplicates.
    pub received: u64,
    /// The process that used it.
    pub owner: Owner,
    /// Its two ends.
    pub ends: Ends,
}

/// An attempt to connect, and its result.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TcpConnect {
    /// When it ended, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// Nanoseconds since the first SYN.
    pub took_ns: u64,
    /// 0, or an error number.
    pub error: u64,
    /// The process that connects.
    pub owner: Owner,
    /// The two ends.
    pub ends: Ends,
}

/// A segment that was sent again.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TcpRetransmit {
    /// When, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// The process that sent it.
    pub owner: Owner,
    /// The two ends of its connection.
    pub ends: Ends,
}

/// The process that something is done for; all zero if it is unknown.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub tgid: u64,
    /// The thread's name.
    pub comm: Comm,
}

/// A request to a block device that is done.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct BlockIo {
    /// When it was done, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// Nanoseconds until the device had it.
    pub queued_ns: u64,
    /// Nanoseconds from then until it was done.
    pub service_ns: u64,
    /// The first sector, of 512 bytes.
    pub sector: u64,
    /// Its length in bytes.
    pub bytes: u32,
    /// The kernel's `REQ_OP_*`: 0 reads, 1 writes, 2 flushes, 3 discards.
    pub operation: u32,
    /// The device's major number.
    pub major: u32,
    /// The device's minor number.
    pub minor: u32,
    /// The process that made it; for a write from the page cache, a thread of the kernel.
    pub owner: Owner,
}

/// Bytes kept of a file's name.
pub const NAME_BYTES: usize = 64;

/// A system call on a file that has returned.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FileCall {
    /// When it returned, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// How long it took, in nanoseconds.
    pub took_ns: u64,
    /// The call's number in the 64-bit table.
    pub call: u64,
    /// The result, or the error number below zero.
    pub result: i64,
    /// The process that called.
    pub owner: Owner,
    /// The last part of the file's path, ended by a zero; empty where the call names no file.
    pub name: [u8; NAME_BYTES],
}
