//! What the kernel says of a thread's time, and the CPUs that it may have.

use std::fs::{self, File};
use std::io;
use std::ops::{AddAssign, Sub};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// A moment in a thread's life; or, between two moments, where the time went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ThreadTime {
    pub(crate) wall: Duration,
    pub(crate) ran: Duration,
    /// Ready to run, in a run queue.
    pub(crate) waited: Duration,
}

impl ThreadTime {
    /// What is left: neither running nor ready.
    pub(crate) fn blocked(self) -> Duration {
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
pub(crate) struct ThreadClock(File);

impl ThreadClock {
    /// # Errors
    /// This kernel keeps no run-queue waits.
    pub(crate) fn here() -> anyhow::Result<Self> {
        let path = "/proc/thread-self/schedstat";
        let clock = Self(File::open(path).context(path)?);
        clock.schedstat().context(path)?;
        Ok(clock)
    }

    /// All clocks at one moment: where the thread left its CPU between them, once more.
    pub(crate) fn now(&self) -> ThreadTime {
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

/// How often a thread left its CPU: by itself, and because another was to have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Switches {
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
}

impl Switches {
    /// The calling thread's, since it began.
    ///
    /// # Errors
    /// This kernel does not count them.
    pub(crate) fn here() -> anyhow::Result<Self> {
        let path = "/proc/thread-self/status";
        let status = fs::read_to_string(path).context(path)?;
        let count = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            value.with_context(|| format!("{path} has no {name}"))?.trim().parse().context(path)
        };
        Ok(Self {
            voluntary: count("voluntary_ctxt_switches:")?,
            involuntary: count("nonvoluntary_ctxt_switches:")?,
        })
    }
}

impl Sub for Switches {
    type Output = Self;

    fn sub(self, from: Self) -> Self {
        Self {
            voluntary: self.voluntary - from.voluntary,
            involuntary: self.involuntary - from.involuntary,
        }
    }
}

/// What the calling thread has run for.
pub(crate) fn cpu_time() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The CPUs that the calling thread may use.
pub(crate) fn allowed_cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap_or_else(|_| only(0));
    (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect()
}

/// Keeps the calling thread on one CPU.
pub(crate) fn pin_to(cpu: usize) {
    // A CPU that went away meanwhile leaves the thread where it is, which its figures show.
    let _ = sched_setaffinity(None, &only(cpu));
}

fn only(cpu: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(cpu);
    set
}
