//! The facts that the doctor examines, collected in one place so that the rest is pure.

use std::fs;
use std::path::Path;

use lab_proc::{cpuinfo, line};
use lab_record::Reading;
use rustix::process::{Resource, getrlimit};

use super::attempt::{self, Attempt};
use crate::{environment, git, rustflags};

/// What is known about this machine.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) cpus: u64,
    pub(super) cpu_model: Option<String>,
    pub(super) perf_event_paranoid: Option<String>,
    /// Whether user and kernel code can be sampled.
    pub(super) perf_kernel: Attempt,
    /// Whether user code alone can be sampled.
    pub(super) perf_user: Attempt,
    pub(super) pmu: Attempt,
    pub(super) bpf: Attempt,
    pub(super) btf: bool,
    pub(super) tracefs: Option<&'static str>,
    pub(super) clock_source: Option<String>,
    pub(super) kernel_hz: Option<u64>,
    pub(super) thp: Option<String>,
    pub(super) governor: Option<String>,
    pub(super) virtualization: String,
    /// The hard limit on open files, to which a lab can raise its soft limit.
    pub(super) open_files: Option<u64>,
    pub(super) reading: Reading,
    /// Git's version, or why it does not accept this checkout.
    pub(super) git: Result<String, String>,
    /// The flags that labs are built with.
    pub(super) flags: String,
    /// Whether a setting replaced the flags that labs need.
    pub(super) flags_replaced: bool,
}

impl Facts {
    pub(super) fn collect() -> Self {
        let mounts = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
        let readable = |path: &&str| fs::read_dir(format!("{path}/events")).is_ok();
        Self {
            cpus: environment::cpus(),
            cpu_model: cpuinfo("model name"),
            perf_event_paranoid: line("/proc/sys/kernel/perf_event_paranoid"),
            perf_kernel: attempt::sample_user_and_kernel(),
            perf_user: attempt::sample_user(),
            pmu: attempt::count_cycles(),
            bpf: attempt::load_bpf(),
            btf: fs::File::open("/sys/kernel/btf/vmlinux").is_ok(),
            tracefs: mounts.into_iter().find(readable),
            clock_source: environment::clock_source(),
            kernel_hz: environment::kernel_hz(),
            thp: environment::thp(),
            governor: environment::governor(),
            virtualization: environment::virtualization(),
            open_files: getrlimit(Resource::Nofile).maximum,
            reading: environment::read(),
            git: git::said(Path::new("."), &["rev-parse", "--git-dir"])
                .and_then(|_| git::said(Path::new("."), &["--version"]))
                .map_err(|error| format!("{error:#}")),
            flags: rustflags::all().join(" "),
            flags_replaced: rustflags::replaced().is_some(),
        }
    }

    /// A machine that lacks nothing.
    #[cfg(test)]
    pub(super) fn ideal() -> Self {
        Self {
            cpus: 8,
            cpu_model: Some("any".into()),
            perf_event_paranoid: Some("-1".into()),
            perf_kernel: Attempt::Works,
            perf_user: Attempt::Works,
            pmu: Attempt::Works,
            bpf: Attempt::Works,
            btf: true,
            tracefs: Some("/sys/kernel/tracing"),
            clock_source: Some("tsc".into()),
            kernel_hz: Some(1_000),
            thp: Some("madvise".into()),
            governor: Some("performance".into()),
            virtualization: "none".into(),
            open_files: Some(1 << 20),
            reading: Reading { steal_ticks: Some(0), total_ticks: Some(100), ..Reading::default() },
            git: Ok("git version 2".into()),
            flags: "-C force-frame-pointers=yes".into(),
            flags_replaced: false,
        }
    }
}
