//! What threads run for, and wait for a CPU.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use rustix::time::{ClockId, clock_gettime};

/// Of the calling thread: its directory in /proc.
pub(crate) const HERE: &str = "/proc/thread-self";

/// What the thread or the process, by the clock, has run for.
pub(crate) fn cpu_time(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// How long a thread, by its directory in /proc, has waited for a CPU: the second field of its
/// schedstat.
///
/// # Errors
/// The thread is gone, or this kernel keeps no such account.
pub(crate) fn waited(thread: impl AsRef<Path>) -> io::Result<Duration> {
    let text = fs::read_to_string(thread.as_ref().join("schedstat"))?;
    let waited = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
    let waited = waited.map(Duration::from_nanos);
    waited.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("`{text}`")))
}

/// Does the work; how long the calling thread waited for a CPU meanwhile, nought where the kernel
/// does not tell.
pub(crate) fn waited_in<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let so_far = || waited(HERE).unwrap_or_default();
    let before = so_far();
    let done = work();
    (so_far().saturating_sub(before), done)
}
