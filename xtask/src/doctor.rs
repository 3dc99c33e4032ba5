//! `cargo xtask doctor`: what this machine supports, what that enables, and how to fix what is
//! missing.
//!
//! ```json
//! { "schema": "perf-lab.doctor/1",
//!   "findings": [{ "what": "PMU", "found": "none", "enables": "…", "fix": null|"…" }] }
//! ```

mod attempt;
mod facts;

use lab_record::{Reading, Schema, to_json};
use serde::Serialize;

use crate::exit::Code;
use crate::git;
use crate::output::{Format, markdown_table, paragraph, print, row};
use crate::quantity::number;
use attempt::Attempt;
use facts::Facts;

/// The column at which continuation lines begin.
const INDENT: usize = 18;
/// Open files that a root with its leaves and a client may need at once.
const OPEN_FILES_WANTED: u64 = 4_096;
/// The share of stolen CPU time above which latencies cannot be trusted.
const STEAL_WORTH_SAYING: f64 = 0.01;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Serialize)]
struct Findings {
    findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    what: &'static str,
    found: String,
    enables: &'static str,
    /// How to fix it; `None` if nothing is missing.
    fix: Option<String>,
}

/// Examines this machine.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let findings = examine(&Facts::collect());
    print(&match args.format {
        Format::Human => render(&findings),
        Format::Json => format!("{}\n", to_json(&Findings { findings })?),
        Format::Md => markdown(findings),
    })?;
    Ok(Code::Fine)
}

/// Whether the kernel lets this process load a BPF program.
pub(crate) fn may_load_bpf() -> bool {
    attempt::load_bpf() == Attempt::Works
}

fn render(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { what, found, enables, fix } in findings {
        let mark = if fix.is_some() { '!' } else { '+' };
        row(&mut text, &format!("{mark} {what:<15} {found}"));
        row(&mut text, &format!("{:INDENT$}for {enables}", ""));
        if let Some(fix) = fix {
            paragraph(&mut text, &format!("{:INDENT$}fix: ", ""), fix, INDENT + 2);
        }
    }
    text
}

fn markdown(findings: Vec<Finding>) -> String {
    let cells = |finding: Finding| {
        let Finding { what, found, enables, fix } = finding;
        [what.to_owned(), found, enables.to_owned(), fix.unwrap_or_default()]
    };
    markdown_table(["", "found", "for", "to fix it"], findings.into_iter().map(cells))
}

/// Every finding, from facts alone.
fn examine(facts: &Facts) -> Vec<Finding> {
    vec![
        cpus(facts),
        perf_events(facts),
        pmu(facts),
        bpf(facts),
        btf(facts),
        tracefs(facts),
        clock_source(facts),
        timer(facts),
        huge_pages(facts),
        governor(facts),
        virtualization(facts),
        steal(&facts.reading),
        open_files(facts),
        git_here(facts),
        flags(facts),
    ]
}

/// A finding; `fix` is `None` if nothing is missing.
fn finding(
    what: &'static str,
    found: impl Into<String>,
    enables: &'static str,
    fix: Option<&str>,
) -> Finding {
    Finding { what, found: found.into(), enables, fix: fix.map(Into::into) }
}

fn cpus(facts: &Facts) -> Finding {
    let model = facts.cpu_model.as_deref().unwrap_or("unknown model");
    finding(
        "CPUs",
        format!("{} ({model})", facts.cpus),
        "live trials: the load and the servers each want one",
        (facts.cpus < 2)
            .then_some("give this machine or container two CPUs; until then --simulated"),
    )
}

fn perf_events(facts: &Facts) -> Finding {
    let paranoid = facts.perf_event_paranoid.as_deref().unwrap_or("unknown");
    let lower = "sysctl kernel.perf_event_paranoid=1, or CAP_PERFMON";
    let (found, fix) = match (&facts.perf_kernel, &facts.perf_user) {
        (Attempt::Works, _) => ("cpu-clock, user and kernel".to_owned(), None),
        (_, Attempt::Works) => (format!("cpu-clock, user only (paranoid {paranoid})"), Some(lower)),
        (_, Attempt::Refused(errno)) => (
            format!("refused: {errno} (paranoid {paranoid})"),
            Some("sysctl kernel.perf_event_paranoid=2; in a container also allow perf_event_open"),
        ),
    };
    finding("perf events", found, "CPU flame graphs with kernel frames; else pprof, user only", fix)
}

fn pmu(facts: &Facts) -> Finding {
    let (found, fix) = match &facts.pmu {
        Attempt::Works => ("hardware cycle counter".to_owned(), None),
        Attempt::Refused(errno) => {
            (format!("none ({errno})"), Some("bare metal, or a virtual machine with a virtual PMU"))
        }
    };
    finding("PMU", found, "counts of cycles, instructions and cache misses", fix)
}

fn bpf(facts: &Facts) -> Finding {
    let (found, fix) = match &facts.bpf {
        Attempt::Works => ("programs load".to_owned(), None),
        Attempt::Refused(errno) => {
            (format!("refused: {errno}"), Some("run as root, or grant CAP_BPF and CAP_PERFMON"))
        }
    };
    finding("BPF", found, "probes: run queue, off-CPU, wakeups", fix)
}

fn btf(facts: &Facts) -> Finding {
    let found = if facts.btf { "/sys/kernel/btf/vmlinux" } else { "missing" };
    let fix = "a kernel built with CONFIG_DEBUG_INFO_BTF";
    finding("BTF", found, "probes that read kernel structures", (!facts.btf).then_some(fix))
}

fn tracefs(facts: &Facts) -> Finding {
    let found = facts.tracefs.map_or("not mounted, or not readable", |path| path);
    let fix = "as root: mount -t tracefs nodev /sys/kernel/tracing";
    finding("tracefs", found, "probes on tracepoints", facts.tracefs.is_none().then_some(fix))
}

fn clock_source(facts: &Facts) -> Finding {
    let found = facts.clock_source.as_deref().unwrap_or("unknown");
    // The others need a system call, or a slow bus.
    let fast = [
        "tsc",
        "kvm-clock",
        "arch_sys_counter",
        "hyperv_clocksource_tsc_page",
        "riscv_clocksource",
    ];
    let fix = "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource";
    finding(
        "clock source",
        found,
        "timestamps in tens of nanoseconds",
        (!fast.contains(&found)).then_some(fix),
    )
}

fn timer(facts: &Facts) -> Finding {
    let found = facts.kernel_hz.map_or("unknown".to_owned(), |hz| format!("{hz} Hz"));
    finding("timer", found, "pprof: it cannot sample more often than this", None)
}

fn huge_pages(facts: &Facts) -> Finding {
    let found = facts.thp.as_deref().unwrap_or("unknown");
    finding("huge pages", found, "comparing runs: the choice moves memory-bound labs", None)
}

fn governor(facts: &Facts) -> Finding {
    let found = facts.governor.as_deref().unwrap_or("none to be seen");
    let steady = matches!(found, "performance" | "none to be seen");
    let fix = "cpupower frequency-set -g performance";
    finding("governor", found, "a steady clock rate", (!steady).then_some(fix))
}

fn virtualization(facts: &Facts) -> Finding {
    let fix = "bare metal, for figures to publish";
    let found = &facts.virtualization;
    finding(
        "virtualization",
        found,
        "attributing noise to the host",
        (found != "none").then_some(fix),
    )
}

fn steal(reading: &Reading) -> Finding {
    let share = match (reading.steal_ticks, reading.total_ticks) {
        (Some(steal), Some(total)) if total > 0 => Some(steal as f64 / total as f64),
        _ => None,
    };
    let found = share.map_or("unknown".into(), |s| format!("{} % since boot", number(s * 100.0)));
    let much = share.is_some_and(|share| share > STEAL_WORTH_SAYING);
    let fix = "a host with fewer guests: others take CPU time from this one";
    finding("steal", found, "trusting a tail", much.then_some(fix))
}

fn open_files(facts: &Facts) -> Finding {
    let found = facts.open_files.map_or("no limit".to_owned(), |limit| number(limit as f64));
    let few = facts.open_files.is_some_and(|limit| limit < OPEN_FILES_WANTED);
    let fix = format!("ulimit -Hn {OPEN_FILES_WANTED}, as root or in /etc/security/limits.conf");
    finding("open files", found, "labs with many connections", few.then_some(fix.as_str()))
}

fn git_here(facts: &Facts) -> Finding {
    let (found, fix) = match &facts.git {
        Ok(version) => (version.clone(), None),
        Err(why) => {
            // Git's own message, without the command and the path.
            let line = why.lines().next().unwrap_or_default();
            let said = line.rsplit("fatal: ").next().and_then(|said| said.split(" (").next());
            (said.unwrap_or(line).chars().take(60).collect(), Some(git::fix(why)))
        }
    };
    finding("git", found, "comparing revisions, and knowing which one ran", fix.as_deref())
}

fn flags(facts: &Facts) -> Finding {
    let fix = "unset RUSTFLAGS: it replaces this project's flags, and what labs need is added";
    let found = if facts.flags.is_empty() { "none" } else { &facts.flags };
    finding("rustc flags", found, "stacks with all callers", facts.flags_replaced.then_some(fix))
}

impl Schema for Findings {
    const NAME: &'static str = "perf-lab.doctor";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_lacks_nothing_needs_no_fix() {
        for finding in examine(&Facts::ideal()) {
            assert_eq!(finding.fix, None, "{finding:?}");
        }
    }

    #[test]
    fn every_missing_feature_names_its_fix() {
        let refused = || Attempt::Refused("Permission denied".into());
        let poor = Facts {
            cpus: 1,
            perf_kernel: refused(),
            perf_user: refused(),
            pmu: refused(),
            bpf: refused(),
            btf: false,
            tracefs: None,
            clock_source: Some("hpet".into()),
            governor: Some("powersave".into()),
            virtualization: "kvm".into(),
            open_files: Some(256),
            git: Err("fatal: not a git repository".into()),
            flags_replaced: true,
            reading: Reading { steal_ticks: Some(5), total_ticks: Some(100), ..Reading::default() },
            ..Facts::ideal()
        };
        let findings = examine(&poor);
        let faulty = findings.iter().filter(|finding| finding.fix.is_some()).count();
        // The timer and huge pages are reported and never a fault.
        assert_eq!(faulty, findings.len() - 2, "{findings:#?}");
        assert!(render(&findings).contains("! steal           5 % since boot"));
    }

    #[test]
    fn kernel_frames_may_be_missing_alone() {
        let facts =
            Facts { perf_kernel: Attempt::Refused("Permission denied".into()), ..Facts::ideal() };
        let finding = perf_events(&facts);
        assert!(finding.found.contains("user only") && finding.fix.is_some(), "{finding:?}");
    }
}
