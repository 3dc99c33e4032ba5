//! What a probe takes from the machine, and what it has missed, as the kernel counts it.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use aya::sys::enable_stats;
use lab_probe_common::tally;
use lab_record::probe::{ProbeCost, ProbeLosses};

use super::load::Loaded;

/// The kernel times BPF programs as long as this lives, where it does so for this user.
pub(crate) struct Stats(Option<OwnedFd>);

/// The cost and the losses.
pub(crate) struct Cost {
    pub(crate) cost: ProbeCost,
    pub(crate) losses: ProbeLosses,
}

impl Stats {
    /// Begins; without CAP_SYS_ADMIN nothing is timed, which is no reason not to observe.
    pub(crate) fn enable() -> Self {
        Self(enable_stats(aya::sys::Stats::RunTime).ok())
    }

    /// The figures so far of all programs of a probe.
    pub(crate) fn cost(&self, loaded: &Loaded) -> Result<Cost> {
        let (mut runs, mut run_ns, mut skipped) = (0, 0, 0);
        for fd in loaded.program_fds()? {
            let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
            let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
            runs += figure(&text, "run_cnt");
            run_ns += figure(&text, "run_time_ns");
            skipped += figure(&text, "recursion_misses");
        }
        let tally = loaded.slots("TALLY")?;
        let counted = |what: u32| tally[what as usize];
        let timed = self.0.is_some();
        Ok(Cost {
            cost: ProbeCost {
                events: counted(tally::EVENTS),
                runs: timed.then_some(runs),
                run_ns: timed.then_some(run_ns),
            },
            losses: ProbeLosses {
                map_full: counted(tally::MAP_FULL),
                ring_full: counted(tally::RING_FULL),
                stacks: counted(tally::STACK_LOST),
                skipped_runs: skipped,
                untold: counted(tally::UNTOLD),
            },
        })
    }
}

/// A line `name:<tab>value` of a program's fdinfo; 0 where this kernel has none.
fn figure(text: &str, name: &str) -> u64 {
    let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    values.map(str::trim).find_map(|value| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_their_whole_name() {
        let text = "prog_id:\t7\nrun_time_ns:\t812\nrun_cnt:\t3\n";
        assert_eq!((figure(text, "run_time_ns"), figure(text, "run_cnt")), (812, 3));
        assert_eq!(figure(text, "run"), 0);
    }
}
