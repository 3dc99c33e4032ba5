//! A thread: its waits for a CPU, its reads and writes, its time slice.

use std::fs::{self, File};
use std::io::{self, Error};
use std::iter::Sum;
use std::ops::Sub;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use crate::files::{field, lacks, text};

/// Waits in run queues: `/proc/PID/task/TID/schedstat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunQueue {
    /// How long the thread was ready and had no CPU.
    pub waited: Duration,
    /// How often it was given a CPU.
    pub times: u64,
}

impl RunQueue {
    /// `ran waited times`, the first two in nanoseconds. `ran` is left out: between two ticks it
    /// lags.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace().skip(1).map_while(|field| field.parse().ok());
        Some(Self { waited: Duration::from_nanos(fields.next()?), times: fields.next()? })
    }
}

impl Sub for RunQueue {
    type Output = Self;

    /// The difference to `from`. Saturating: threads that have ended meanwhile are in `from` alone.
    fn sub(self, from: Self) -> Self {
        Self {
            waited: self.waited.saturating_sub(from.waited),
            times: self.times.saturating_sub(from.times),
        }
    }
}

impl Sum for RunQueue {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, more| Self {
            waited: sum.waited + more.waited,
            times: sum.times + more.times,
        })
    }
}

/// A thread's `schedstat`, held open: any thread reads it by one system call.
#[derive(Debug)]
pub struct Schedstat(File);

impl Schedstat {
    /// Opens that of the calling thread.
    ///
    /// # Errors
    /// This kernel does not count waits.
    pub fn here() -> io::Result<Self> {
        let held = Self(open(SCHEDSTAT)?);
        held.read()?;
        Ok(held)
    }

    /// The thread's waits in run queues since it began.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn read(&self) -> io::Result<RunQueue> {
        let mut text = [0; 96];
        let length = self.0.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]);
        RunQueue::parse(&text).ok_or_else(|| lacks(SCHEDSTAT, "waits"))
    }
}

const SCHEDSTAT: &str = "/proc/thread-self/schedstat";

/// The waits in run queues of all living threads of this process.
///
/// # Errors
/// This kernel does not count waits.
pub fn run_queue_of_living() -> io::Result<RunQueue> {
    run_queue("/proc/self/task")
}

/// The waits in run queues of all living threads of process `pid`.
///
/// # Errors
/// The process is gone, or this kernel does not count waits.
pub fn run_queue_of(pid: u32) -> io::Result<RunQueue> {
    run_queue(&format!("/proc/{pid}/task"))
}

fn run_queue(path: &str) -> io::Result<RunQueue> {
    let mut all = Vec::new();
    for thread in fs::read_dir(path)? {
        // A thread may end while its directory is read.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        all.extend(RunQueue::parse(&text));
    }
    if all.is_empty() { Err(lacks(path, "schedstat")) } else { Ok(all.into_iter().sum()) }
}

/// Reads and writes of a thread: `/proc/PID/task/TID/io`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Io {
    /// Calls of read and its siblings, with those that failed.
    pub reads: u64,
    /// Bytes that they returned, from any source.
    pub read_bytes: u64,
    /// Bytes read from block devices for the thread, also by read-ahead and past the cache.
    pub fetched_bytes: u64,
    /// Bytes that it wrote to files on block devices, to the cache or past it.
    pub stored_bytes: u64,
}

impl Io {
    /// The reads and writes of the calling thread in `work`, and the work's result. The read of the
    /// counters themselves is
    /// left out.
    ///
    /// # Errors
    /// This kernel does not count them; and those of `work`.
    pub fn of<T, E: From<Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<(Self, T), E> {
        let file = open(IO)?;
        let (before, own_bytes) = Self::read(&file)?;
        let done = work()?;
        let (after, _) = Self::read(&file)?;
        let account = Self {
            reads: after.reads - before.reads - 1,
            read_bytes: after.read_bytes - before.read_bytes - own_bytes,
            fetched_bytes: after.fetched_bytes - before.fetched_bytes,
            stored_bytes: after.stored_bytes - before.stored_bytes,
        };
        Ok((account, done))
    }

    /// Those of all threads of process `pid`, also of threads that have ended.
    ///
    /// # Errors
    /// The process is gone, or belongs to another user.
    pub fn of_process(pid: u32) -> io::Result<Self> {
        Self::parse(&text(&format!("/proc/{pid}/io"))?)
    }

    /// Reads by one call, which the next reading counts; with the text's length.
    fn read(file: &File) -> io::Result<(Self, u64)> {
        let mut text = [0; 512];
        let length = file.read_at(&mut text, 0)?;
        Ok((Self::parse(&String::from_utf8_lossy(&text[..length]))?, length as u64))
    }

    fn parse(text: &str) -> io::Result<Self> {
        let count = |name| {
            let count = field(text, name).and_then(|count| count.parse().ok());
            count.ok_or_else(|| lacks(IO, name))
        };
        Ok(Self {
            reads: count("syscr")?,
            read_bytes: count("rchar")?,
            fetched_bytes: count("read_bytes")?,
            stored_bytes: count("write_bytes")?,
        })
    }
}

const IO: &str = "/proc/thread-self/io";

/// How long the calling thread may keep a CPU that another thread waits for: its time slice. `None`
/// if this kernel does not say: it does since 6.6, if built with CONFIG_SCHED_DEBUG.
pub fn slice() -> Option<Duration> {
    slice_ns(&fs::read_to_string("/proc/self/sched").ok()?).map(Duration::from_nanos)
}

/// `se.slice     :     1400000`
fn slice_ns(sched: &str) -> Option<u64> {
    field(sched, "se.slice")?.parse().ok()
}

fn open(path: &str) -> io::Result<File> {
    File::open(path).map_err(|error| Error::new(error.kind(), format!("{path}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_the_second_and_third_number() {
        let found = RunQueue { waited: Duration::from_nanos(7), times: 3 };
        assert_eq!(RunQueue::parse("5000 7 3\n"), Some(found));
        assert_eq!(RunQueue::parse("5000 7\n"), None);
        let more = RunQueue { waited: Duration::from_nanos(10), times: 5 };
        assert_eq!([found, more - found].into_iter().sum::<RunQueue>(), more);
    }

    #[test]
    fn a_thread_that_sleeps_is_given_a_cpu_each_time() {
        let own = Schedstat::here().unwrap();
        let before = own.read().unwrap();
        (0..5).for_each(|_| std::thread::sleep(Duration::from_millis(1)));
        assert!((own.read().unwrap() - before).times >= 5);
        assert!(run_queue_of_living().unwrap().times >= 5);
    }

    #[test]
    fn an_io_account_is_read_by_its_field_names() {
        let text = "rchar: 10\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 5\n";
        let expected = Io { reads: 3, read_bytes: 10, fetched_bytes: 4096, stored_bytes: 5 };
        assert_eq!(Io::parse(text).unwrap(), expected);
        assert!(Io::parse("rchar: 10\nread_bytes: 7\n").is_err());
    }

    #[test]
    fn an_io_account_counts_the_work_and_not_itself() {
        let zero = File::open("/dev/zero").unwrap();
        for (reads, bytes) in [(0, 0), (3, 7)] {
            let work = || (0..reads).try_for_each(|_| zero.read_exact_at(&mut [0; 7], 0));
            let (account, ()) = Io::of(work).unwrap();
            assert_eq!((account.reads, account.read_bytes), (reads, reads * bytes));
        }
    }

    #[test]
    fn a_slice_is_read_by_its_name() {
        assert_eq!(
            slice_ns("policy : 0\nse.slice                   :     1400000\n"),
            Some(1_400_000)
        );
        assert_eq!(slice_ns("policy : 0\n"), None);
    }
}
