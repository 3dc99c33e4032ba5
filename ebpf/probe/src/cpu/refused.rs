//! Why the kernel refuses perf events, and the command that fixes it.

use std::fmt;
use std::io;

use lab_proc::Status;

/// perf_event_open is refused, altogether or for the requested event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// One plain sentence.
    pub(crate) why: String,
    /// The command that lifts the refusal, if one is known.
    pub(crate) fix: Option<String>,
}

impl Refused {
    /// The cause of `error`, if it is a refusal and not some other failure.
    pub(crate) fn diagnose(error: &io::Error) -> Option<Self> {
        let paranoid = lab_proc::line("/proc/sys/kernel/perf_event_paranoid");
        let status = Status::here().ok();
        explain(
            error.raw_os_error()?,
            paranoid.and_then(|text| text.parse().ok()),
            // 2: a filter decides which system calls pass, as in most containers.
            status.is_some_and(|status| status.field("Seccomp") == Some("2")),
        )
    }
}

impl Refused {
    /// Perf events are allowed, but not for the kernel.
    pub(crate) fn kernel_side() -> Self {
        Self {
            why: "perf events of the kernel are refused: threads leave their CPU inside it, and \
                  who is neither root nor has CAP_PERFMON sees that with \
                  kernel.perf_event_paranoid at 1 or less"
                .to_owned(),
            fix: Some(format!("sudo sysctl kernel.perf_event_paranoid=1, or {}", grant())),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        self.fix.as_ref().map_or(Ok(()), |line| write!(f, "\nto fix it: {line}"))
    }
}

impl std::error::Error for Refused {}

/// `paranoid` is kernel.perf_event_paranoid: up to 2, users may sample their own programs; Debian
/// and Android also have 3.
fn explain(errno: i32, paranoid: Option<i32>, filtered: bool) -> Option<Refused> {
    let refused = |why: &str, fix: Option<String>| {
        Some(Refused { why: format!("perf events are refused: {why}"), fix })
    };
    match (errno, paranoid) {
        (libc::EACCES | libc::EPERM, Some(level)) if level > 2 => refused(
            &format!("kernel.perf_event_paranoid is {level}, and sampling needs 2 or less"),
            Some(format!("sudo sysctl kernel.perf_event_paranoid=2, or {}", grant())),
        ),
        (libc::EACCES | libc::EPERM | libc::ENOSYS, _) if filtered => refused(
            "a seccomp filter (a container's) blocks perf_event_open",
            Some("docker run --security-opt seccomp=unconfined …".into()),
        ),
        (libc::ENOSYS, _) | (libc::EACCES | libc::EPERM, None) => {
            refused("this kernel is built without them", None)
        }
        (libc::EACCES | libc::EPERM, _) => refused(
            "a security module or a lockdown of the kernel forbids perf_event_open",
            Some(format!("{}, or run as root", grant())),
        ),
        _ => None,
    }
}

/// The command that gives this program the one capability it needs.
fn grant() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "lab-probe".into());
    format!("sudo setcap cap_perfmon+ep '{}'", program.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_of_a_refusal_has_its_own_fix() {
        let fix = |errno, paranoid, filtered| {
            explain(errno, paranoid, filtered).unwrap().fix.unwrap_or("none".into())
        };
        assert!(fix(libc::EACCES, Some(3), false).contains("sysctl"));
        assert!(fix(libc::EACCES, Some(3), false).contains("setcap"));
        assert!(fix(libc::EPERM, Some(4), true).contains("sysctl"));
        assert!(fix(libc::EPERM, Some(2), true).contains("seccomp"));
        assert!(fix(libc::EPERM, Some(2), false).starts_with("sudo setcap cap_perfmon"));
        assert_eq!(fix(libc::ENOSYS, None, false), "none");
    }

    #[test]
    fn other_failures_are_not_refusals() {
        assert_eq!(explain(libc::EMFILE, Some(2), false), None);
        assert_eq!(explain(libc::EINVAL, Some(4), true), None);
    }
}
