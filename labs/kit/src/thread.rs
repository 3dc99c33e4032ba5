//! Named threads, their CPUs, and how the kernel counts their time.

use std::ops::{AddAssign, Sub};
use std::time::Duration;

pub use lab_proc::thread_cpu_time as cpu_time;
use lab_proc::{RunQueue, Schedstat};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The clocks of a thread at one moment; the difference of two says how the time between was spent.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadTime {
    /// CLOCK_MONOTONIC.
    pub wall: Duration,
    /// On a CPU.
    pub ran: Duration,
    /// Ready to run, in a run queue.
    pub waited: Duration,
}

impl ThreadTime {
    /// The rest: neither running nor ready, so blocked.
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

/// Reads the clocks of the thread that opened it.
#[derive(Debug)]
pub struct ThreadClock(Schedstat);

impl ThreadClock {
    /// # Errors
    /// This kernel does not count run-queue waits.
    pub fn here() -> anyhow::Result<Self> {
        Ok(Self(Schedstat::here()?))
    }

    /// All clocks at one moment: reads them again if the thread was switched out between two
    /// readings.
    pub fn now(&self) -> ThreadTime {
        let mut before = self.run_queue();
        loop {
            let wall = clock_gettime(ClockId::Monotonic).try_into().expect("it begins at 0");
            let ran = cpu_time();
            let after = self.run_queue();
            if before == after {
                return ThreadTime { wall, ran, waited: after.waited };
            }
            before = after;
        }
    }

    /// The thread's waits in run queues since it began, without the other clocks of [`ThreadTime`].
    pub fn run_queue(&self) -> RunQueue {
        self.0.read().expect("it could be read when it was opened")
    }
}

/// What the kernel counts for a thread apart from time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Minor page faults, which needed no disk.
    pub minor_faults: u64,
    /// Major page faults, each of which waited for a disk.
    pub major_faults: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
}

impl Usage {
    /// The counts of the calling thread since it began.
    pub fn here() -> Self {
        // SAFETY: the structure is made of integers.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the structure lives until the call returns.
        let done = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
        assert!(done == 0, "getrusage knows no other error than a wrong argument");
        let count = i64::unsigned_abs;
        Self {
            minor_faults: count(usage.ru_minflt),
            major_faults: count(usage.ru_majflt),
            voluntary: count(usage.ru_nvcsw),
            involuntary: count(usage.ru_nivcsw),
        }
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, from: Self) -> Self {
        Self {
            minor_faults: self.minor_faults - from.minor_faults,
            major_faults: self.major_faults - from.major_faults,
            voluntary: self.voluntary - from.voluntary,
            involuntary: self.involuntary - from.involuntary,
        }
    }
}

/// The CPUs that the calling thread may use.
pub fn allowed_cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap_or_else(|_| set_of(&[0]));
    (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect()
}

/// The first CPU that the calling thread may use, and the last if that is another one. If there are
/// two cores, these two are not of one.
pub fn first_and_last_cpu() -> (usize, Option<usize>) {
    let cpus = allowed_cpus();
    (cpus[0], cpus[1..].last().copied())
}

/// Keeps the calling thread on one CPU.
pub fn pin_to(cpu: usize) {
    keep_on(&[cpu]);
}

/// Keeps the calling thread on these CPUs.
pub fn keep_on(cpus: &[usize]) {
    // If the CPUs went offline, the thread stays where it is, which shows in its figures.
    let _ = sched_setaffinity(None, &set_of(cpus));
}

/// Runs `body` with the calling thread, and the threads that it starts, on these CPUs; afterwards
/// the calling thread may use its former CPUs again.
pub fn meanwhile_on<T>(cpus: &[usize], body: impl FnOnce() -> T) -> T {
    let before = allowed_cpus();
    keep_on(cpus);
    let done = body();
    keep_on(&before);
    done
}

fn set_of(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    set
}

/// A thread to start: its name and its function.
pub type Named<'a, T> = (String, Box<dyn FnOnce() -> anyhow::Result<T> + Send + 'a>);

/// Names the function of a thread, for [`run`].
pub fn named<'a, T>(
    name: impl Into<String>,
    body: impl FnOnce() -> anyhow::Result<T> + Send + 'a,
) -> Named<'a, T> {
    (name.into(), Box::new(body))
}

/// Runs each of `threads` on a thread of its name and `meanwhile` on this one, and returns the
/// threads' results.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_started_on_a_cpu_stays_there_and_its_parent_does_not() {
        let before = allowed_cpus();
        let last = before[before.len() - 1];
        let started = meanwhile_on(&[last], || std::thread::spawn(allowed_cpus));
        assert_eq!((started.join().unwrap(), allowed_cpus()), (vec![last], before));
    }

    #[test]
    fn sleeps_are_voluntary_switches_and_pages_touched_first_are_faults() {
        const PAGES: usize = 1_000;
        let before = Usage::here();
        (0..5).for_each(|_| std::thread::sleep(Duration::from_millis(1)));
        let slept = Usage::here();
        assert!((slept - before).voluntary >= 5, "{slept:?}");
        let (bytes, fresh) = (PAGES * 4096, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: asks for fresh memory of our own, which stays until the test's process ends.
        let memory: *mut u8 = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let memory = libc::mmap(std::ptr::null_mut(), bytes, access, fresh, -1, 0);
            assert!(memory != libc::MAP_FAILED);
            // A huge page would take one fault instead of 512.
            libc::madvise(memory, bytes, libc::MADV_NOHUGEPAGE);
            memory.cast()
        };
        let before = Usage::here();
        // SAFETY: the mapping has this many pages.
        (0..PAGES).for_each(|page| unsafe { memory.add(page * 4096).write_volatile(1) });
        let faults = (Usage::here() - before).minor_faults;
        assert!((PAGES as u64..PAGES as u64 + 20).contains(&faults), "{faults}");
    }

    #[test]
    fn a_threads_wall_time_is_running_waiting_and_blocked_time() {
        let clock = ThreadClock::here().unwrap();
        let from = clock.now();
        std::thread::sleep(Duration::from_millis(20));
        let slept = clock.now() - from;
        assert!(slept.blocked() >= Duration::from_millis(15), "{slept:?}");
        assert_eq!(slept.ran + slept.waited + slept.blocked(), slept.wall);
    }
}
