//! CPU clocks (clock_gettime(2)).

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of this process, with that of threads that have ended.
pub fn process_cpu_time() -> Duration {
    time_of(ClockId::ProcessCPUTime)
}

/// The CPU time of the calling thread.
pub fn thread_cpu_time() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().expect("a CPU clock begins at 0")
}
