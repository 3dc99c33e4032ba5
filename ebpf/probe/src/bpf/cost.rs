//! A probe's cost and losses, as the kernel counts them.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;
use std::{fs, mem};

use anyhow::{Context, Result};
use aya::sys::enable_stats;
use lab_probe_common::tally;
use lab_record::probe::{ProbeCost, ProbeLosses};

use super::load::Loaded;

/// The number of runs up to which each is timed. Timing a run costs some 50 ns, a fifth of the cost
/// of runqlat.
const ALL_TIMED: u64 = 50_000;

/// After that, one tick in this many is timed, and stands for all.
const CYCLE: u32 = 10;

/// The kernel's statistics of a probe's programs, if it keeps them for this user.
pub(crate) struct Stats {
    /// Whether the kernel keeps statistics.
    kept: bool,
    /// The kernel times BPF programs while this is open.
    timing: Option<OwnedFd>,
    /// The counts at the beginning of a timed tick, and its time.
    counted: Ran,
    at: Instant,
    ticks: u32,
    account: SampledCost,
}

/// The cost and the losses.
pub(crate) struct Cost {
    pub(crate) cost: ProbeCost,
    pub(crate) losses: ProbeLosses,
    /// Waits whose length was inferred: see `tally::INFERRED`.
    pub(crate) inferred: u64,
}

/// Runs of programs and how long they took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Ran {
    runs: u64,
    ns: u64,
}

impl Ran {
    fn add(&mut self, more: Ran) {
        self.runs += more.runs;
        self.ns += more.ns;
    }
}

/// The timed part of the runs, from which the whole is estimated.
#[derive(Debug, Default)]
struct SampledCost {
    /// Runs while every run was timed.
    all: Ran,
    /// Runs in timed ticks since then, and the length of these ticks in seconds.
    some: Ran,
    some_s: f64,
    /// The length of all ticks since then, in seconds.
    since_s: f64,
}

impl SampledCost {
    fn times_all(&self) -> bool {
        self.all.runs < ALL_TIMED
    }

    /// Adds a tick of this length; `ran` is `None` if it was not timed.
    fn tick(&mut self, length_s: f64, ran: Option<Ran>) {
        let timed = ran.is_some();
        let ran = ran.unwrap_or_default();
        if self.times_all() {
            return self.all.add(ran);
        }
        self.some.add(ran);
        self.since_s += length_s;
        self.some_s += if timed { length_s } else { 0.0 };
    }

    /// The estimate for all runs: timed ticks stand for the others.
    fn whole(&self) -> Ran {
        let times = if self.some_s > 0.0 { self.since_s / self.some_s } else { 0.0 };
        let whole = |all: u64, some: u64| all + (some as f64 * times).round() as u64;
        Ran { runs: whole(self.all.runs, self.some.runs), ns: whole(self.all.ns, self.some.ns) }
    }
}

impl Stats {
    /// Begins. Without CAP_SYS_ADMIN nothing is timed, but the probe can still observe.
    pub(crate) fn enable() -> Self {
        let timing = timing();
        let (kept, at, account) = (timing.is_some(), Instant::now(), SampledCost::default());
        Self { kept, timing, counted: Ran::default(), at, ticks: 0, account }
    }

    /// Adds the runs since the last tick, and decides whether the next tick is timed.
    pub(crate) fn tick(&mut self, loaded: &Loaded) -> Result<()> {
        if !self.kept {
            return Ok(());
        }
        let before = mem::replace(&mut self.at, Instant::now());
        let since = match self.timing {
            Some(_) => {
                let now = ran(loaded)?;
                let before = mem::replace(&mut self.counted, now);
                Some(Ran { runs: now.runs - before.runs, ns: now.ns - before.ns })
            }
            None => None,
        };
        self.account.tick((self.at - before).as_secs_f64(), since);
        if !self.account.times_all() {
            self.ticks += 1;
            self.timing = None;
            if self.ticks % CYCLE == 1 {
                self.timing = timing();
                // Runs may have been timed meanwhile for another probe, or by
                // kernel.bpf_stats_enabled.
                self.counted = ran(loaded)?;
            }
        }
        Ok(())
    }

    /// The figures of all programs of a probe, once it has ended.
    pub(crate) fn cost(mut self, loaded: &Loaded) -> Result<Cost> {
        self.tick(loaded)?;
        let Ran { runs, ns } = self.account.whole();
        let tally = loaded.slots("TALLY")?;
        let counted = |what: u32| tally[what as usize];
        Ok(Cost {
            cost: ProbeCost {
                events: counted(tally::EVENTS),
                runs: self.kept.then_some(runs),
                run_ns: self.kept.then_some(ns),
            },
            losses: ProbeLosses {
                map_full: counted(tally::MAP_FULL),
                ring_full: counted(tally::RING_FULL),
                stacks: counted(tally::STACK_LOST),
                skipped_runs: sum(loaded, ["recursion_misses"], |name| name != OWN_FAULTS)?[0],
                unfinished: counted(tally::UNFINISHED),
            },
            inferred: counted(tally::INFERRED),
        })
    }
}

fn timing() -> Option<OwnedFd> {
    enable_stats(aya::sys::Stats::RunTime).ok()
}

/// The runs that the kernel has timed so far.
fn ran(loaded: &Loaded) -> Result<Ran> {
    let [runs, ns] = sum(loaded, ["run_cnt", "run_time_ns"], |_| true)?;
    Ok(Ran { runs, ns })
}

/// The program whose skipped runs do not count as lost: they are page faults of its own stack walk.
const OWN_FAULTS: &str = "page_fault_kernel";

/// The sums of these figures over a probe's programs.
fn sum<const N: usize>(
    loaded: &Loaded,
    names: [&str; N],
    is_asked_for: impl Fn(&str) -> bool,
) -> Result<[u64; N]> {
    let mut sums = [0; N];
    for (program, fd) in loaded.program_fds() {
        if !is_asked_for(program) {
            continue;
        }
        let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
        let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        sums.iter_mut().zip(names).for_each(|(sum, name)| *sum += figure(&text, name));
    }
    Ok(sums)
}

/// The value of a line `name:<tab>value` in a program's fdinfo; 0 if this kernel has none.
fn figure(text: &str, name: &str) -> u64 {
    let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    values.map(str::trim).find_map(|value| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timed_tick_stands_for_the_others() {
        let mut account = SampledCost::default();
        let ran = |runs| Some(Ran { runs, ns: 100 * runs });
        // The first ticks are timed, even beyond `ALL_TIMED` runs; then two of five ticks are.
        account.tick(0.02, ran(10));
        account.tick(0.02, ran(ALL_TIMED));
        for ran in [ran(100), None, None, ran(300), None] {
            account.tick(0.02, ran);
        }
        let runs = ALL_TIMED + 10 + 1_000;
        assert_eq!(account.whole(), Ran { runs, ns: 100 * runs });
    }

    #[test]
    fn a_figure_is_found_by_its_full_name_only() {
        let text = "prog_id:\t7\nrun_time_ns:\t812\nrun_cnt:\t3\n";
        assert_eq!((figure(text, "run_time_ns"), figure(text, "run_cnt")), (812, 3));
        assert_eq!(figure(text, "run"), 0);
    }
}
