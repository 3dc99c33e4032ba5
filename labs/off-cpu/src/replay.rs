//! From context switches to off-CPU time: what a probe on `sched_switch` does in the kernel.
//!
//! On each switch the thread that leaves is given a start, and for the thread that is switched in,
//! the time since its start is added up. The start belongs to the thread: kept by CPU, as a per-CPU
//! map would, it is wrong for a thread that leaves one CPU and is switched in on another.

use std::collections::HashMap;

use crate::machine::Switch;

/// What a start is kept under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Thread,
    Cpu,
}

/// Which switches begin an off-CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// All: a preempted thread is off the CPU too.
    All,
    /// Those of threads that block (state 1 or 2): preempted threads do not wait in their code.
    Blocking,
}

/// Off-CPU nanoseconds of each thread. Times still open when the trace ends are not included: a
/// probe adds up only when a thread is switched in.
pub(crate) fn off_cpu(trace: &[Switch], key: Key, count: Count) -> HashMap<usize, u64> {
    let mut left_ns: HashMap<usize, u64> = HashMap::new();
    let mut total_ns = HashMap::new();
    for switch in trace {
        let under = |thread: usize| if key == Key::Thread { thread } else { switch.cpu };
        // The thread switched in first: under one key, its start must not be overwritten.
        if let Some(next) = switch.next
            && let Some(from) = left_ns.remove(&under(next))
        {
            *total_ns.entry(next).or_default() += switch.at_ns - from;
        }
        if let Some(prev) = switch.prev
            && (switch.blocks || count == Count::All)
        {
            left_ns.insert(under(prev), switch.at_ns);
        }
    }
    total_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thread 1 blocks on CPU 0 and is switched in on CPU 1; thread 2 is preempted between.
    const TRACE: [Switch; 4] = [
        Switch { at_ns: 100, cpu: 0, prev: Some(1), blocks: true, next: None },
        Switch { at_ns: 150, cpu: 1, prev: Some(2), blocks: false, next: Some(1) },
        Switch { at_ns: 170, cpu: 0, prev: None, blocks: false, next: Some(2) },
        Switch { at_ns: 200, cpu: 1, prev: Some(1), blocks: true, next: None },
    ];

    #[test]
    fn off_cpu_time_is_wrong_when_starts_are_kept_by_cpu() {
        let by = |key, count| off_cpu(&TRACE, key, count);
        assert_eq!(by(Key::Thread, Count::All), HashMap::from([(1, 50), (2, 20)]));
        assert_eq!(by(Key::Thread, Count::Blocking), HashMap::from([(1, 50)]));
        assert_eq!(by(Key::Cpu, Count::All), HashMap::from([(2, 70)]), "what thread 1 began");
    }
}
