//! The share of CPU time that other programs take while one of ours runs.
//!
//! From `/proc/stat` (proc(5)), in ticks of 10 ms: for spans of at least a hundred ticks, over all
//! CPUs together.

use std::process;

use lab_proc::Stat;
use rustix::thread::{CpuSet, sched_getaffinity};

/// The least ticks of a span: in a shorter one, they are too coarse.
const LEAST_TICKS: u64 = 100;

/// The ticks at one moment, on the CPUs that this process may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ticks {
    /// All ticks.
    total: u64,
    /// Ticks that were not idle.
    busy: u64,
    /// Busy ticks of our child processes that have ended.
    ours: u64,
}

impl Ticks {
    /// Reads the ticks; `None` if `/proc` does not have them.
    pub(crate) fn read() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
        let (cpus, own) = (lab_proc::of_cpus(&cpus).ok()?, Stat::of(process::id()).ok()?);
        let ours = own.children_user + own.children_system;
        Some(Self { total: cpus.total(), busy: cpus.busy(), ours })
    }

    /// The share of the CPU time since `before` that was neither idle nor our children's; `None`
    /// for too short a span.
    pub(crate) fn others_since(self, before: Self) -> Option<f64> {
        let total = self.total.checked_sub(before.total)?;
        let others = self.busy.saturating_sub(before.busy).saturating_sub(self.ours - before.ours);
        (total >= LEAST_TICKS).then(|| others as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn cpu_time_of_other_programs_is_total_minus_ours() {
        let at = |total, busy, ours| Ticks { total, busy, ours };
        assert_eq!(at(1000, 500, 100).others_since(at(600, 100, 0)), Some(0.75));
        assert_eq!(at(1000, 500, 500).others_since(at(600, 100, 0)), Some(0.0), "rounded");
        assert_eq!(at(650, 500, 0).others_since(at(600, 100, 0)), None, "too short");
    }

    #[test]
    fn a_spinning_process_that_is_no_child_counts_as_other() {
        let (before, begun) = (Ticks::read().unwrap(), Instant::now());
        while begun.elapsed() < Duration::from_millis(1_500) {}
        let share = Ticks::read().unwrap().others_since(before).unwrap();
        let cpus = sched_getaffinity(None).unwrap().count();
        // One CPU, unless another program has it.
        assert!(share > 0.5 / f64::from(cpus), "{share} of {cpus}");
    }

    #[test]
    fn our_own_child_does_not_count_as_other() {
        let spun = |child: &str| {
            let before = Ticks::read().unwrap();
            let mut child = Command::new("sh").args(["-c", child]).spawn().unwrap();
            child.wait().unwrap();
            Ticks::read().unwrap().ours - before.ours
        };
        let spins = "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done";
        assert!(spun(spins) > spun("exit"), "its time counts once it has ended");
    }
}
