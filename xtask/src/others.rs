//! How much of the CPUs other programs take while one of ours runs.
//!
//! From `/proc/stat` (proc(5)), in ticks of 10 ms: for spans of a hundred of them, all CPUs together.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity};

use crate::environment::cpu_times;

/// A shorter span says nothing in ticks.
const LEAST_TICKS: u64 = 100;

/// The ticks at one moment, on the CPUs that this process may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ticks {
    /// All.
    total: u64,
    /// In which they ran a program, or the kernel.
    busy: u64,
    /// Of these, in child processes of ours that have ended.
    ours: u64,
}

impl Ticks {
    /// None where `/proc` does not say.
    pub(crate) fn read() -> Option<Self> {
        let cpus = sched_getaffinity(None).ok()?;
        let (total, busy) = machine(&fs::read_to_string("/proc/stat").ok()?, &cpus);
        Some(Self { total, busy, ours: children(&fs::read_to_string("/proc/self/stat").ok()?)? })
    }

    /// The share of the CPU time since `before` that neither stood still nor was our child's; None for a span too short.
    pub(crate) fn others_since(self, before: Self) -> Option<f64> {
        let total = self.total.checked_sub(before.total)?;
        let others = self.busy.saturating_sub(before.busy).saturating_sub(self.ours - before.ours);
        (total >= LEAST_TICKS).then(|| others as f64 / total as f64)
    }
}

/// All and busy ticks of `cpus`.
fn machine(stat: &str, cpus: &CpuSet) -> (u64, u64) {
    let of_cpu = |line: &str| {
        let (cpu, numbers) = line.strip_prefix("cpu")?.split_once(' ')?;
        let [user, nice, system, idle, iowait, irq, softirq, steal] = cpu_times(numbers)[..] else {
            return None;
        };
        let busy = user + nice + system + irq + softirq;
        let allowed = cpus.is_set(cpu.parse().ok()?);
        allowed.then_some((busy + idle + iowait + steal, busy))
    };
    stat.lines().filter_map(of_cpu).fold((0, 0), |sum, cpu| (sum.0 + cpu.0, sum.1 + cpu.1))
}

/// `cutime` and `cstime` of `/proc/self/stat`, the 16th and 17th field; the name, the second, may have spaces.
fn children(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(13);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    const STAT: &str = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 10 20 300 40 5 6 7 50 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 5\n";

    #[test]
    fn the_cpus_that_may_be_used_are_added_up() {
        let mut cpus = CpuSet::new();
        cpus.set(0);
        assert_eq!(machine(STAT, &cpus), (488, 141));
        cpus.set(1);
        assert_eq!(machine(STAT, &cpus), (496, 146));
    }

    #[test]
    fn a_name_may_look_like_the_end_of_one() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4 1 2 3 4 50 60 700 80 20 0";
        assert_eq!(children(stat), Some(780));
        assert_eq!(children("7 (cut"), None);
    }

    #[test]
    fn what_is_not_ours_is_others() {
        let at = |total, busy, ours| Ticks { total, busy, ours };
        assert_eq!(at(1000, 500, 100).others_since(at(600, 100, 0)), Some(0.75));
        assert_eq!(at(1000, 500, 500).others_since(at(600, 100, 0)), Some(0.0), "rounded");
        assert_eq!(at(650, 500, 0).others_since(at(600, 100, 0)), None, "too short");
    }

    #[test]
    fn who_spins_and_is_no_child_is_seen() {
        let (before, begun) = (Ticks::read().unwrap(), Instant::now());
        while begun.elapsed() < Duration::from_millis(1_500) {}
        let share = Ticks::read().unwrap().others_since(before).unwrap();
        let cpus = sched_getaffinity(None).unwrap().count();
        // One of them, unless another program has it.
        assert!(share > 0.5 / f64::from(cpus), "{share} of {cpus}");
    }

    #[test]
    fn our_own_child_is_not_another() {
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
