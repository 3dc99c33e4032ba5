//! How the CPUs' time went: `/proc/stat`.

use std::io;
use std::time::Duration;

use crate::files::{lacks, text};

const PATH: &str = "/proc/stat";

/// Where a CPU's time went since the machine was started, in [`tick`]s. Guests' time is within `user`
/// and `nice`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTicks {
    /// In programs.
    pub user: u64,
    /// In programs of low priority.
    pub nice: u64,
    /// In the kernel.
    pub system: u64,
    /// With nothing to do.
    pub idle: u64,
    /// With nothing to do but to wait for a disk.
    pub iowait: u64,
    /// In interrupts.
    pub irq: u64,
    /// In what interrupts put off.
    pub softirq: u64,
    /// In which the hypervisor ran another machine.
    pub steal: u64,
}

impl CpuTicks {
    /// The numbers of a line, after the CPU's name. Kernels before 2.6.11 told fewer.
    fn parse(numbers: &str) -> Option<Self> {
        let numbers: Vec<u64> =
            numbers.split_whitespace().map_while(|number| number.parse().ok()).take(8).collect();
        let [user, nice, system, idle, iowait, irq, softirq, steal] = numbers[..] else {
            return None;
        };
        Some(Self { user, nice, system, idle, iowait, irq, softirq, steal })
    }

    /// In which it ran something.
    pub fn busy(self) -> u64 {
        self.user + self.nice + self.system + self.irq + self.softirq
    }

    /// In which it ran nothing: one that waits for a disk is idle too.
    pub fn idle(self) -> u64 {
        self.idle + self.iowait
    }

    /// All.
    pub fn total(self) -> u64 {
        self.busy() + self.idle() + self.steal
    }
}

impl std::iter::Sum for CpuTicks {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, more| Self {
            user: sum.user + more.user,
            nice: sum.nice + more.nice,
            system: sum.system + more.system,
            idle: sum.idle + more.idle,
            iowait: sum.iowait + more.iowait,
            irq: sum.irq + more.irq,
            softirq: sum.softirq + more.softirq,
            steal: sum.steal + more.steal,
        })
    }
}

/// All CPUs together.
///
/// # Errors
/// This system does not tell.
pub fn cpus() -> io::Result<CpuTicks> {
    line_of(&text(PATH)?, "cpu").ok_or_else(|| lacks(PATH, "line of all CPUs"))
}

/// These CPUs together.
///
/// # Errors
/// One of them is not there, or this system does not tell.
pub fn of_cpus(cpus: &[usize]) -> io::Result<CpuTicks> {
    sum(&text(PATH)?, cpus)
}

fn sum(stat: &str, cpus: &[usize]) -> io::Result<CpuTicks> {
    let of_cpu = |cpu: &usize| {
        let name = format!("cpu{cpu}");
        line_of(stat, &name).ok_or_else(|| lacks(PATH, &format!("line of {name}")))
    };
    cpus.iter().map(of_cpu).sum()
}

fn line_of(stat: &str, name: &str) -> Option<CpuTicks> {
    let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
    CpuTicks::parse(lines.find(|(cpu, _)| *cpu == name)?.1)
}

/// How long a tick of `/proc` is: 10 ms on most systems, independent of the kernel's own timer.
pub fn tick() -> Duration {
    Duration::from_secs(1) / rustix::param::clock_ticks_per_second() as u32
}

/// The CPUs that the machine has and uses.
///
/// # Errors
/// This system does not tell.
pub fn cpus_online() -> io::Result<Vec<usize>> {
    let path = "/sys/devices/system/cpu/online";
    list(&text(path)?).ok_or_else(|| lacks(path, "list of CPUs"))
}

/// `0-3,6`
fn list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "\
cpu  300 1 20 700 11 0 2 7 50 50
cpu0 100 1 10 300 5 0 1 3 0 0
cpu1 100 0 5 400 6 0 1 4 0 0
cpu10 100 0 5 9 1
intr 1 2 3
";

    #[test]
    fn guest_time_is_not_counted_twice() {
        let all = line_of(STAT, "cpu").unwrap();
        assert_eq!((all.total(), all.busy(), all.idle(), all.steal), (1_041, 323, 711, 7));
    }

    #[test]
    fn a_cpu_is_found_by_its_whole_name() {
        assert_eq!(sum(STAT, &[0, 1]).unwrap().idle(), 711);
        assert_eq!(sum(STAT, &[1]).unwrap().total(), 516);
        let missing = sum(STAT, &[0, 2]).unwrap_err();
        assert_eq!(missing.to_string(), "/proc/stat has no line of cpu2");
        assert!(sum(STAT, &[10]).is_err(), "a line that is cut off tells nothing");
    }

    #[test]
    fn lists_of_cpus_have_ranges() {
        assert_eq!(list("0-3,6\n"), Some(vec![0, 1, 2, 3, 6]));
        assert_eq!(list("0\n"), Some(vec![0]));
        assert_eq!(list("none"), None);
    }

    #[test]
    fn this_machines_cpus_add_up() {
        let online = cpus_online().unwrap();
        let (sum, all) = (of_cpus(&online).unwrap(), cpus().unwrap());
        // Each is rounded down by itself, and time goes on between the readings.
        let off = all.total().abs_diff(sum.total());
        assert!(off <= 100 * online.len() as u64, "{sum:?} {all:?}");
    }
}
