//! Events, as they stand in a ring buffer.

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
    /// Bytes that the arguments have.
    pub args_all: u64,
    /// Its new name.
    pub comm: Comm,
    /// Arguments, each ended by a zero, as far as there is room.
    pub args: [u8; TEXT_BYTES],
}

/// Bytes kept of a folder's path, but for the last of its parts that are kept.
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
    /// The path as it was asked for, ended by a zero.
    pub path: [u8; TEXT_BYTES],
    /// Bytes of `folder` that are written.
    pub folder_len: u32,
    /// 1 where the parts are all there are, up to the root.
    pub folder_whole: u32,
    /// What a path that begins with no slash begins in: its parts, the last one first, each ended by a zero.
    pub folder: [u8; FOLDER_BYTES + TEXT_BYTES],
}

/// The two ends of a TCP connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ends {
    /// 2 is IPv4, whose addresses are the first four bytes; 10 is IPv6.
    pub family: u16,
    /// Port of this end, in the order of this machine.
    pub local_port: u16,
    /// Port of the other end.
    pub remote_port: u16,
    /// Of the socket, when it was looked at.
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
    /// From its first state to its last.
    pub lived_ns: u64,
    /// Bytes of payload sent, each once.
    pub sent: u64,
    /// Bytes of payload received, each once.
    pub received: u64,
    /// Whose it is.
    pub owner: Owner,
    /// From where to where.
    pub ends: Ends,
}

/// An attempt to connect, and what came of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TcpConnect {
    /// When it was over, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// From the first SYN on.
    pub took_ns: u64,
    /// 0, or the number of an error.
    pub error: u64,
    /// Who asked.
    pub owner: Owner,
    /// From where to where.
    pub ends: Ends,
}

/// A segment that was sent again.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TcpRetransmit {
    /// When, in nanoseconds on CLOCK_MONOTONIC.
    pub time_ns: u64,
    /// Whose it is.
    pub owner: Owner,
    /// From where to where.
    pub ends: Ends,
}

/// A process that something is done for; all zero where it is not known.
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
    /// From its making until the device had it.
    pub queued_ns: u64,
    /// From then until it was done.
    pub service_ns: u64,
    /// The first sector, of 512 bytes.
    pub sector: u64,
    /// How many bytes.
    pub bytes: u32,
    /// The kernel's `REQ_OP_*`: 0 reads, 1 writes, 2 flushes, 3 discards.
    pub operation: u32,
    /// The device's numbers.
    pub major: u32,
    /// As above.
    pub minor: u32,
    /// Who made it: for a write from the page cache, the kernel's own thread.
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
    /// How long it took.
    pub took_ns: u64,
    /// Its number.
    pub call: u64,
    /// The result, or the error number below zero.
    pub result: i64,
    /// Who called.
    pub owner: Owner,
    /// The last part of the file's path, ended by a zero; empty where the call names no file.
    pub name: [u8; NAME_BYTES],
}
