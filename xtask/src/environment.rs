//! The machine of a run, as `/proc`, `/sys`, git and rustc tell it.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab_record::{Environment, Pressure, Reading};
use rustix::time::{ClockId, clock_getres};

use crate::git;

/// Describes the machine and the build, with a first reading.
///
/// `built` tells whether the runner built the lab itself: of a program that came from elsewhere,
/// flags and profile are not known.
pub(crate) fn collect(root: &Path, built: bool) -> Environment {
    let known = |text: &str| if built { text.to_owned() } else { "unknown".into() };
    Environment {
        architecture: std::env::consts::ARCH.into(),
        cpu_model: cpuinfo("model name"),
        cpus: cpus(),
        memory_bytes: memory_bytes(),
        virtualization: Some(virtualization()),
        kernel: line("/proc/sys/kernel/osrelease"),
        kernel_hz: kernel_hz(),
        governor: governor(),
        thp: thp(),
        clock_source: clock_source(),
        microcode: cpuinfo("microcode"),
        rustc: built.then(|| said(root, "rustc", &["-V"])).flatten(),
        rustflags: known(env!("PERF_LAB_RUSTFLAGS")),
        profile: known("release"),
        // The lab's own: whoever knows the lab fills it in.
        features: known(""),
        git_revision: git::said(root, &["rev-parse", "HEAD"]).ok(),
        git_dirty: git::said(root, &["status", "--porcelain"]).ok().map(|said| !said.is_empty()),
        harness: env!("CARGO_PKG_VERSION").into(),
        before: read(),
        after: None,
    }
}

/// What the machine is doing now.
pub(crate) fn read() -> Reading {
    let load = line("/proc/loadavg");
    let (steal_ticks, total_ticks) =
        line("/proc/stat").and_then(|cpu| ticks(&cpu)).unwrap_or_default();
    Reading {
        load_1m: load.and_then(|text| text.split(' ').next()?.parse().ok()),
        steal_ticks,
        total_ticks,
        pressure: Pressure {
            cpu_some_avg10: pressure("/proc/pressure/cpu"),
            memory_some_avg10: pressure("/proc/pressure/memory"),
            io_some_avg10: pressure("/proc/pressure/io"),
        },
    }
}

/// Logical CPUs that this process may use.
pub(crate) fn cpus() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// The scaling governor of the first CPU, where there is one.
pub(crate) fn governor() -> Option<String> {
    line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
}

/// When the kernel uses transparent huge pages.
pub(crate) fn thp() -> Option<String> {
    selected(&line("/sys/kernel/mm/transparent_hugepage/enabled")?)
}

/// The clock that the kernel tells time by.
pub(crate) fn clock_source() -> Option<String> {
    line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
}

/// Timer interrupts a second: the coarse clock steps once with each (`CONFIG_HZ`).
pub(crate) fn kernel_hz() -> Option<u64> {
    let step = clock_getres(ClockId::MonotonicCoarse);
    (step.tv_sec == 0 && step.tv_nsec > 0).then(|| 1_000_000_000 / step.tv_nsec as u64)
}

/// The hypervisor and the container around us, as far as they show; `none` where nothing does.
pub(crate) fn virtualization() -> String {
    let container =
        ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists());
    match (hypervisor(), container) {
        (Some(name), false) => name,
        (Some(name), true) => format!("{name}, container"),
        (None, true) => "container".into(),
        (None, false) => "none".into(),
    }
}

fn hypervisor() -> Option<String> {
    if let Some(kind) = line("/sys/hypervisor/type") {
        return Some(kind);
    }
    let vendor = line("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let product = line("/sys/class/dmi/id/product_name").unwrap_or_default();
    let dmi = format!("{vendor} {product}").to_lowercase();
    let known = [
        ("kvm", "kvm"),
        ("qemu", "kvm"),
        ("amazon ec2", "kvm"),
        ("google compute engine", "kvm"),
        ("vmware", "vmware"),
        ("virtualbox", "virtualbox"),
        ("virtual machine", "hyper-v"),
        ("xen", "xen"),
    ];
    let named = known.iter().find(|(sign, _)| dmi.contains(sign)).map(|(_, name)| *name);
    let flagged = cpuinfo("flags").is_some_and(|f| f.split(' ').any(|f| f == "hypervisor"));
    let clock_is_kvm = clock_source().is_some_and(|clock| clock == "kvm-clock");
    named
        .or(clock_is_kvm.then_some("kvm"))
        .or(flagged.then_some("hypervisor"))
        .filter(|_| flagged || cpuinfo("flags").is_none())
        .map(Into::into)
}

/// The value after `key :` in the first CPU's part of `/proc/cpuinfo`.
pub(crate) fn cpuinfo(key: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let pair = text.lines().filter_map(|line| line.split_once(':'));
    pair.into_iter().find(|(k, _)| k.trim() == key).map(|(_, value)| value.trim().to_owned())
}

fn memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The first line of a file of `/proc` or `/sys`.
pub(crate) fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// `madvise` of `always [madvise] never`.
fn selected(choices: &str) -> Option<String> {
    let (_, rest) = choices.split_once('[')?;
    rest.split_once(']').map(|(chosen, _)| chosen.to_owned())
}

/// The numbers of a `cpu` line of `/proc/stat`: user nice system idle iowait irq softirq steal;
/// guest time, which follows, is counted within user and nice.
pub(crate) fn cpu_times(numbers: &str) -> Vec<u64> {
    numbers.split_whitespace().map_while(|number| number.parse().ok()).take(8).collect()
}

/// Stolen and all ticks in the `cpu` line of `/proc/stat`.
fn ticks(line: &str) -> Option<(Option<u64>, Option<u64>)> {
    let ticks = cpu_times(line.strip_prefix("cpu ")?);
    Some((ticks.get(7).copied(), (!ticks.is_empty()).then(|| ticks.iter().sum())))
}

/// `1.66` of `some avg10=1.66 avg60=…`.
fn pressure(path: &str) -> Option<f64> {
    let some = line(path)?;
    some.split(' ').find_map(|field| field.strip_prefix("avg10="))?.parse().ok()
}

/// What a command says on its standard output, if it ends well.
fn said(dir: &Path, program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(dir).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_time_is_not_counted_twice() {
        let (steal, total) = ticks("cpu  100 1 20 300 5 0 2 7 50 50").unwrap();
        assert_eq!((steal, total), (Some(7), Some(435)));
        assert_eq!(ticks("intr 12"), None);
        assert_eq!(ticks("cpu  100 1"), Some((None, Some(101))), "a kernel without steal");
    }

    #[test]
    fn the_bracketed_choice_is_selected() {
        assert_eq!(selected("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(selected("never"), None);
    }

    #[test]
    fn this_machine_tells_what_every_linux_tells() {
        let elsewhere = tempfile::tempdir().unwrap();
        let environment = collect(elsewhere.path(), false);
        assert!(environment.cpus >= 1 && environment.memory_bytes > Some(1 << 20));
        assert!(environment.before.total_ticks.is_some());
        let hz = environment.kernel_hz.unwrap();
        assert!((24..=10_000).contains(&hz), "{hz}");
        assert_eq!(environment.git_revision, None, "no checkout");
        assert_eq!(environment.rustc, None, "nothing was built");
    }
}
