//! Why a probe cannot run here, and the command that grants the rights.

use std::fmt;
use std::io;
use std::path::Path;

use lab_proc::Status;

use super::points::PROVIDER;

/// Capabilities by their bit in /proc/PID/status.
const CAP_SYS_ADMIN: u64 = 1 << 21;
const CAP_PERFMON: u64 = 1 << 38;
const CAP_BPF: u64 = 1 << 39;

/// The kernel, or this user's rights, do not suffice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What is missing.
    missing: String,
    /// The command, or what to change.
    grant: String,
}

impl Refused {
    /// The kernel publishes no types.
    pub(crate) fn no_btf(path: &str) -> Self {
        Self {
            missing: format!("this kernel has no {path}"),
            grant: "a kernel built with CONFIG_DEBUG_INFO_BTF=y".to_owned(),
        }
    }

    /// The kernel's structures are not those that the program knows.
    pub(crate) fn other_kernel(missing: &anyhow::Error) -> Self {
        Self {
            missing: missing.to_string(),
            grant: "another kernel, or a program that knows this one".to_owned(),
        }
    }

    /// The kernel has no such tracepoint.
    pub(crate) fn no_tracepoint(name: &str) -> Self {
        Self {
            missing: format!("this kernel has no tracepoint {name}"),
            grant: "another kernel: this one is too old, or built without it".to_owned(),
        }
    }

    /// /proc was mounted for another pid namespace.
    pub(crate) fn other_proc() -> Self {
        Self {
            missing: "the process ids in /proc are those of another pid namespace".to_owned(),
            grant: "mount -t proc proc /proc (unshare --mount-proc does so)".to_owned(),
        }
    }

    /// The observed program lacks the USDT points.
    pub(crate) fn no_points(program: &Path) -> Self {
        Self {
            missing: format!(
                "{} does not say where its requests begin and end (USDT notes of {PROVIDER})",
                program.display()
            ),
            grant: "a program that serves them under lab_kit::Serving, itself and not by a shell"
                .to_owned(),
        }
    }

    /// `None` if this process, by its capabilities, may load BPF programs that read the kernel.
    pub(crate) fn rights() -> Option<Self> {
        let effective = Status::here().ok()?.capabilities()?;
        lacks_rights(effective).then(Self::no_rights)
    }

    fn no_rights() -> Self {
        Self {
            missing: "it needs the rights to load BPF programs".to_owned(),
            grant: setcap("cap_bpf,cap_perfmon"),
        }
    }

    /// Linux 6.18 demands this for probes of user space; for others CAP_PERFMON is enough.
    pub(crate) fn no_hook() -> Self {
        Self {
            missing: "to probe a program takes CAP_SYS_ADMIN on this kernel".to_owned(),
            grant: setcap("cap_bpf,cap_perfmon,cap_sys_admin"),
        }
    }

    /// Why loading failed despite sufficient rights; `None` if the program itself is at fault.
    pub(crate) fn diagnose(error: &io::Error, making_map: bool) -> Option<Self> {
        match error.raw_os_error()? {
            libc::EPERM | libc::ENOMEM if making_map => Some(Self {
                missing: "its maps take more memory than this process may lock".to_owned(),
                grant: "ulimit -l unlimited, as root or in /etc/security/limits.conf".to_owned(),
            }),
            // EACCES would come from the verifier.
            libc::EPERM => Some(Self {
                missing: "the kernel refuses BPF programs to this process".to_owned(),
                grant: "no container that forbids bpf(), and no lockdown of the kernel (see \
                        /sys/kernel/security/lockdown)"
                    .to_owned(),
            }),
            libc::ENOSYS => Some(Self {
                missing: "this kernel is built without BPF".to_owned(),
                grant: "a kernel built with CONFIG_BPF_SYSCALL=y".to_owned(),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; it takes: {}", self.missing, self.grant)
    }
}

impl std::error::Error for Refused {}

/// The command that grants these to this program.
fn setcap(capabilities: &str) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "lab-probe".into());
    format!("sudo setcap {capabilities}+ep {} (or root)", program.display())
}

fn lacks_rights(effective: u64) -> bool {
    effective & CAP_SYS_ADMIN == 0 && effective & (CAP_BPF | CAP_PERFMON) != CAP_BPF | CAP_PERFMON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cap_bpf_and_cap_perfmon_are_as_good_as_root() {
        assert!(lacks_rights(0) && lacks_rights(CAP_BPF) && lacks_rights(CAP_PERFMON));
        assert!(!lacks_rights(CAP_SYS_ADMIN) && !lacks_rights(CAP_BPF | CAP_PERFMON));
    }

    #[test]
    fn a_program_that_the_verifier_refuses_is_our_fault_and_no_refusal() {
        let error = |errno| io::Error::from_raw_os_error(errno);
        assert_eq!(Refused::diagnose(&error(libc::EINVAL), false), None);
        assert!(Refused::diagnose(&error(libc::EPERM), true).unwrap().grant.contains("ulimit"));
        assert!(Refused::diagnose(&error(libc::EPERM), false).is_some());
    }
}
