//! What every trial of a command measures: wall time from before the start to the end, CPU time
//! (user, system, and both together), and the peak memory of one of its processes.

use lab_verdict::metric::Metric;

pub(super) const WALL: Metric = Metric::fixed("wall", "ns");
pub(super) const CPU: Metric = Metric::fixed("cpu", "ns");
pub(super) const USER: Metric = Metric::fixed("user", "ns");
pub(super) const SYS: Metric = Metric::fixed("sys", "ns");
pub(super) const MEMORY: Metric = Metric::fixed("memory", "bytes");

/// The metrics that a comparison of commands can gate on, besides the program's own numbers.
pub(super) fn metrics() -> [Metric; 5] {
    [WALL, MEMORY, CPU, USER, SYS]
}
