//! The machine and the build of a run, from `/proc`, `/sys`, git and rustc.

use std::path::Path;
use std::process::Command;

use lab_proc::{CpuTicks, cpuinfo, line};
use lab_record::{Environment, Pressure, Reading};
use rustix::time::{ClockId, clock_getres};

use crate::{git, rustflags};

/// Describes the machine and the build, with a first reading.
///
/// `built` says whether the runner built the lab itself: for a program from elsewhere, flags and
/// profile are unknown.
pub(crate) fn collect(root: &Path, built: bool) -> Environment {
    let known = |text: &str| if built { text.to_owned() } else { "unknown".into() };
    Environment {
        architecture: std::env::consts::ARCH.into(),
        cpu_model: cpuinfo("model name"),
        cpus: cpus(),
        memory_bytes: lab_proc::memory().ok().map(|memory| memory.total),
        virtualization: Some(virtualization()),
        kernel: line("/proc/sys/kernel/osrelease"),
        kernel_hz: kernel_hz(),
        governor: governor(),
        thp: thp(),
        clock_source: clock_source(),
        microcode: cpuinfo("microcode"),
        rustc: built.then(|| said(root, "rustc", &["-V"])).flatten(),
        rustflags: known(&rustflags::all().join(" ")),
        profile: known("release"),
        // The caller, which knows the lab, fills this in.
        features: known(""),
        git_revision: git::said(root, &["rev-parse", "HEAD"]).ok(),
        git_dirty: git::said(root, &["status", "--porcelain"]).ok().map(|said| !said.is_empty()),
        harness: env!("CARGO_PKG_VERSION").into(),
        before: read(),
        after: None,
        look: None,
    }
}

/// What the machine is doing now.
pub(crate) fn read() -> Reading {
    let cpus = lab_proc::cpus().ok();
    let some_avg10 = |resource| lab_proc::pressure(resource).ok().map(|waited| waited.some_avg10);
    Reading {
        load_1m: lab_proc::load().ok().map(|load| load.averages[0]),
        steal_ticks: cpus.map(|cpus| cpus.steal),
        total_ticks: cpus.map(CpuTicks::total),
        pressure: Pressure {
            cpu_some_avg10: some_avg10("cpu"),
            memory_some_avg10: some_avg10("memory"),
            io_some_avg10: some_avg10("io"),
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

/// The kernel's setting for transparent huge pages.
pub(crate) fn thp() -> Option<String> {
    let choices = line("/sys/kernel/mm/transparent_hugepage/enabled")?;
    lab_proc::selected(&choices).map(str::to_owned)
}

/// The clock source that the kernel uses.
pub(crate) fn clock_source() -> Option<String> {
    line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
}

/// Timer interrupts a second: the coarse clock steps once with each (`CONFIG_HZ`).
pub(crate) fn kernel_hz() -> Option<u64> {
    let step = clock_getres(ClockId::MonotonicCoarse);
    (step.tv_sec == 0 && step.tv_nsec > 0).then(|| 1_000_000_000 / step.tv_nsec as u64)
}

/// The hypervisor and the container around this process, as far as they can be detected; else
/// `none`.
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

/// A command's standard output, if it succeeds.
fn said(dir: &Path, program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(dir).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_what_every_linux_reports() {
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
