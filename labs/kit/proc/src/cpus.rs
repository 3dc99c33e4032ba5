//! What the CPUs did: `/proc/stat`; machine checks: `/proc/interrupts`.

use std::io;
use std::time::Duration;

use crate::files::{lacks, text};

const PATH: &str = "/proc/stat";

/// A CPU's time by use since the machine was started, in [`tick`]s. The time of guests is within
/// `user` and `nice`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTicks {
    /// Running programs.
    pub user: u64,
    /// Running programs of low priority (nice).
    pub nice: u64,
    /// Running the kernel.
    pub system: u64,
    /// Idle.
    pub idle: u64,
    /// Idle, while a task that ran here waits for a disk.
    pub iowait: u64,
    /// Serving interrupts.
    pub irq: u64,
    /// Serving soft interrupts, the deferred work of interrupts.
    pub softirq: u64,
    /// Stolen: the hypervisor ran another machine.
    pub steal: u64,
    /// The part of `user` and `nice` spent running guests of this machine (since Linux 2.6.24).
    pub guest: u64,
}

impl CpuTicks {
    /// The numbers of a line, after the CPU's name. Kernels before 2.6.11 have fewer.
    fn parse(numbers: &str) -> Option<Self> {
        let numbers: Vec<u64> =
            numbers.split_whitespace().map_while(|number| number.parse().ok()).collect();
        let &[user, nice, system, idle, iowait, irq, softirq, steal] = numbers.first_chunk()?;
        let guest = numbers[8..].iter().take(2).sum();
        Some(Self { user, nice, system, idle, iowait, irq, softirq, steal, guest })
    }

    /// Time in which it ran something.
    pub fn busy(self) -> u64 {
        self.user + self.nice + self.system + self.irq + self.softirq
    }

    /// Time in which it ran nothing. Waiting for a disk is idle time, too.
    pub fn idle(self) -> u64 {
        self.idle + self.iowait
    }

    /// All time.
    pub fn total(self) -> u64 {
        self.busy() + self.idle() + self.steal
    }
}

impl std::ops::Sub for CpuTicks {
    type Output = Self;

    /// The difference to `from`. The kernel estimates idle time, and it may decrease by a
    /// tick.
    fn sub(self, from: Self) -> Self {
        Self {
            user: self.user.saturating_sub(from.user),
            nice: self.nice.saturating_sub(from.nice),
            system: self.system.saturating_sub(from.system),
            idle: self.idle.saturating_sub(from.idle),
            iowait: self.iowait.saturating_sub(from.iowait),
            irq: self.irq.saturating_sub(from.irq),
            softirq: self.softirq.saturating_sub(from.softirq),
            steal: self.steal.saturating_sub(from.steal),
            guest: self.guest.saturating_sub(from.guest),
        }
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
            guest: sum.guest + more.guest,
        })
    }
}

/// All CPUs together.
///
/// # Errors
/// This system has no /proc/stat.
pub fn cpus() -> io::Result<CpuTicks> {
    line_of(&text(PATH)?, "cpu").ok_or_else(|| lacks(PATH, "line of all CPUs"))
}

/// These CPUs together.
///
/// # Errors
/// One of them does not exist, or this system has no /proc/stat.
pub fn of_cpus(cpus: &[usize]) -> io::Result<CpuTicks> {
    sum(&text(PATH)?, cpus)
}

/// The content of `/proc/stat`: counts since the machine was started, and two current values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// All CPUs together.
    pub all: CpuTicks,
    /// Each CPU that is online, by its number.
    pub each: Vec<(usize, CpuTicks)>,
    /// Interrupts.
    pub interrupts: u64,
    /// Context switches.
    pub switches: u64,
    /// Tasks created: processes and threads.
    pub forks: u64,
    /// Tasks that run or are ready now, with the one that reads this.
    pub runnable: u64,
    /// Tasks that wait for a disk now.
    pub blocked: u64,
}

impl Activity {
    fn parse(stat: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
            let (_, value) = lines.find(|(found, _)| *found == name)?;
            value.split(' ').next()?.parse().ok()
        };
        let cpu = |line: &str| {
            let (number, ticks) = line.strip_prefix("cpu")?.split_once(' ')?;
            Some((number.parse().ok()?, CpuTicks::parse(ticks)?))
        };
        Some(Self {
            all: line_of(stat, "cpu")?,
            each: stat.lines().filter_map(cpu).collect(),
            interrupts: value("intr")?,
            switches: value("ctxt")?,
            forks: value("processes")?,
            runnable: value("procs_running")?,
            blocked: value("procs_blocked")?,
        })
    }
}

/// What the CPUs did since the machine was started.
///
/// # Errors
/// This system has no /proc/stat.
pub fn activity() -> io::Result<Activity> {
    Activity::parse(&text(PATH)?).ok_or_else(|| lacks(PATH, "counts of tasks"))
}

const INTERRUPTS: &str = "/proc/interrupts";

/// Machine checks since the machine was started: hardware faults that a CPU detected.
///
/// # Errors
/// This kernel does not count them, as on other processors than x86.
pub fn machine_checks() -> io::Result<u64> {
    checks(&text(INTERRUPTS)?).ok_or_else(|| lacks(INTERRUPTS, "machine checks"))
}

/// `MCE:   0   0   Machine check exceptions`, one number for each CPU.
fn checks(interrupts: &str) -> Option<u64> {
    let counts = interrupts.lines().find_map(|line| line.trim_start().strip_prefix("MCE:"))?;
    Some(counts.split_whitespace().map_while(|count| count.parse::<u64>().ok()).sum())
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

/// The length of a tick of `/proc`: 10 ms on most systems, whatever the kernel's own timer.
pub fn tick() -> Duration {
    Duration::from_secs(1) / rustix::param::clock_ticks_per_second() as u32
}

/// The CPUs that the machine has and uses.
///
/// # Errors
/// This system has no /sys/devices/system/cpu.
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
    fn the_whole_file_is_read_and_a_cpu_that_is_cut_off_left_out() {
        let rest = "ctxt 9\nbtime 4\nprocesses 7\nprocs_running 3\nprocs_blocked 2\n";
        let found = Activity::parse(&format!("{STAT}{rest}")).unwrap();
        assert_eq!((found.interrupts, found.switches, found.forks), (1, 9, 7));
        assert_eq!((found.runnable, found.blocked, found.all.guest), (3, 2, 100));
        assert_eq!(found.each.iter().map(|(cpu, _)| *cpu).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(Activity::parse(STAT), None);
    }

    #[test]
    fn idle_time_that_goes_back_is_no_time() {
        let (from, to) = (line_of(STAT, "cpu0").unwrap(), line_of(STAT, "cpu1").unwrap());
        assert_eq!(((to - from).user, (to - from).system, (to - from).idle), (0, 0, 100));
    }

    #[test]
    fn machine_checks_of_all_cpus_add_up() {
        let text = "  0:  9  9  timer\nTRM:  7  7  Thermal event interrupts\nMCE:  1  2  Machine \
                    check exceptions\n";
        assert_eq!(checks(text), Some(3));
        assert_eq!(checks("TRM:  7  7  Thermal event interrupts\n"), None);
    }

    #[test]
    fn a_list_of_cpus_may_have_ranges() {
        assert_eq!(list("0-3,6\n"), Some(vec![0, 1, 2, 3, 6]));
        assert_eq!(list("0\n"), Some(vec![0]));
        assert_eq!(list("none"), None);
    }

    #[test]
    fn the_counters_of_all_cpus_add_up_to_the_total() {
        let online = cpus_online().unwrap();
        let (sum, all) = (of_cpus(&online).unwrap(), cpus().unwrap());
        // Each is rounded down by itself, and time passes between the readings.
        let off = all.total().abs_diff(sum.total());
        assert!(off <= 100 * online.len() as u64, "{sum:?} {all:?}");
    }
}
