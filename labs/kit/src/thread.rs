//! Threads by name, the CPUs that they may have, and what the kernel says of their time.

use std::fs::File;
use std::io;
use std::ops::{AddAssign, Sub};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// A moment in a thread's life; or, between two moments, where the time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadTime {
    /// Of CLOCK_MONOTONIC.
    pub wall: Duration,
    /// On a CPU.
    pub ran: Duration,
    /// Ready to run, in a run queue.
    pub waited: Duration,
}

impl ThreadTime {
    /// What is left: neither running nor ready.
    pub fn blocked(self) -> Duration {
        self.wall.saturating_sub(self.ran + self.waited)
    }
}

impl Sub for ThreadTime {
    type Output = Self;

    fn sub(self, from: Self) -> Self {
        Self {
            wall: self.wall - from.wall,
            ran: self.ran - from.ran,
            waited: self.waited - from.waited,
        }
    }
}

impl AddAssign for ThreadTime {
    fn add_assign(&mut self, more: Self) {
        self.wall += more.wall;
        self.ran += more.ran;
        self.waited += more.waited;
    }
}

/// The clocks of the thread that opened it.
#[derive(Debug)]
pub struct ThreadClock(File);

impl ThreadClock {
    /// # Errors
    /// This kernel keeps no run-queue waits.
    pub fn here() -> anyhow::Result<Self> {
        let path = "/proc/thread-self/schedstat";
        let clock = Self(File::open(path).context(path)?);
        clock.schedstat().context(path)?;
        Ok(clock)
    }

    /// All clocks at one moment: where the thread left its CPU between them, once more.
    pub fn now(&self) -> ThreadTime {
        let read = || self.schedstat().expect("it could be read when it was opened");
        let mut before = read();
        loop {
            let (wall, ran) = (time_of(ClockId::Monotonic), cpu_time());
            let after = read();
            if before == after {
                return ThreadTime { wall, ran, waited: Duration::from_nanos(after[0]) };
            }
            before = after;
        }
    }

    /// How long the thread was in run queues since it began, and how often it was given a CPU: the
    /// waits of [`ThreadTime`], for who needs no other clock.
    pub fn run_queue(&self) -> (Duration, u64) {
        let [waited_ns, times] = self.schedstat().expect("it could be read when it was opened");
        (Duration::from_nanos(waited_ns), times)
    }

    /// Nanoseconds in run queues, and how often the thread was given a CPU. The first field, time
    /// on a CPU, is left: between two ticks it lags behind.
    fn schedstat(&self) -> io::Result<[u64; 2]> {
        let mut text = [0; 96];
        let length = self.0.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]);
        let mut fields = text.split_whitespace().skip(1).map(str::parse);
        match (fields.next(), fields.next()) {
            (Some(Ok(waited_ns)), Some(Ok(times))) => Ok([waited_ns, times]),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{text}`"))),
        }
    }
}

/// What the calling thread has run for.
pub fn cpu_time() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The CPUs that the calling thread may use.
pub fn allowed_cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap_or_else(|_| set_of(&[0]));
    (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect()
}

/// Keeps the calling thread on one CPU.
pub fn pin_to(cpu: usize) {
    keep_on(&[cpu]);
}

/// Keeps the calling thread on these CPUs.
pub fn keep_on(cpus: &[usize]) {
    // A CPU that went away meanwhile leaves the thread where it is, which its figures show.
    let _ = sched_setaffinity(None, &set_of(cpus));
}

fn set_of(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    set
}

/// A thread to be: its name, and what it does.
pub type Named<'a, T> = (String, Box<dyn FnOnce() -> anyhow::Result<T> + Send + 'a>);

/// Names what a thread does.
pub fn named<'a, T>(
    name: impl Into<String>,
    body: impl FnOnce() -> anyhow::Result<T> + Send + 'a,
) -> Named<'a, T> {
    (name.into(), Box::new(body))
}

/// Runs each of `threads` on a thread of its name and `meanwhile` on this one, and gives what the
/// threads return.
///
/// # Errors
/// A thread cannot be started, or its function fails.
pub fn run<T: Send>(
    threads: Vec<Named<'_, T>>,
    meanwhile: impl FnOnce(),
) -> anyhow::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let started: Vec<_> = threads
            .into_iter()
            .map(|(name, body)| std::thread::Builder::new().name(name).spawn_scoped(scope, body))
            .collect();
        meanwhile();
        let ended = started
            .into_iter()
            .map(|thread| thread?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect()
    })
}
