//! The arguments for comparing commands.

use std::time::Duration;

use anyhow::ensure;
use lab_verdict::method::{Gate, Method};
use lab_verdict::metric::Metric;

use super::metrics::{MEMORY, SYS, USER, WALL, metrics};
use super::own::Own;
use crate::exit::usage;

/// Arguments that apply to labs only.
const OF_LABS: [&str; 9] = [
    "lab",
    "variant",
    "variants",
    "set",
    "inject",
    "replay",
    "duration",
    "profiled",
    "skip_unchanged",
];

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Any program")]
pub(crate) struct CommandArgs {
    /// The command of the base side; a shell runs it only where it needs one
    #[arg(long, value_name = "COMMAND", conflicts_with_all = OF_LABS)]
    pub(in crate::compare) a: Option<String>,
    /// The command of the new side
    #[arg(long, value_name = "COMMAND", requires = "a")]
    pub(in crate::compare) b: Option<String>,
    /// Let a shell run both
    #[arg(long, requires = "a")]
    pub(in crate::compare) shell: bool,
    /// Build each revision by this line, in a worktree of its own
    #[arg(long, value_name = "COMMAND", requires = "run")]
    pub(in crate::compare) build: Option<String>,
    /// Run this line before each trial, outside of all figures
    #[arg(long, value_name = "COMMAND")]
    pub(in crate::compare) prepare: Option<String>,
    /// Refuse sides whose outputs differ, or a side whose output differs from run to run
    #[arg(long)]
    pub(in crate::compare) check: bool,
    /// Runs of each side before the first trial
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(in crate::compare) warmup: u32,
    /// A number that the program prints (repeatable): p99_ns=json:$.latency.p99, or qps=regex:(\d+)
    /// req/s
    #[arg(long, value_name = "NAME=SOURCE")]
    pub(in crate::compare) metric: Vec<Own>,
    /// A higher value of this number is better (repeatable)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(in crate::compare) higher_is_better: Vec<String>,
    /// How long one run may last
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(in crate::compare) deadline: Duration,
    /// The program that both revisions run, and its arguments: ./program is each side's own
    #[arg(last = true, value_name = "PROGRAM", conflicts_with_all = OF_LABS)]
    #[arg(conflicts_with_all = ["a", "b"])]
    pub(in crate::compare) run: Vec<String>,
}

impl CommandArgs {
    /// Whether commands are compared rather than labs.
    pub(in crate::compare) fn are_asked_for(&self) -> bool {
        self.a.is_some() || !self.run.is_empty()
    }

    /// Checks the arguments before anything is built or run, given the number of named revisions.
    pub(in crate::compare) fn check(
        &self,
        named: usize,
        aa: bool,
        merge_base: bool,
    ) -> anyhow::Result<()> {
        if !self.are_asked_for() {
            let alone = self.prepare.is_some() || self.check || !self.metric.is_empty();
            ensure!(
                !alone,
                usage(
                    "--prepare, --check and --metric are of commands: name them by --a and --b, or \
                     after --"
                )
            );
            return Ok(());
        }
        let own = |name: &String| self.metric.iter().filter(|own| own.name == *name).count();
        if let Some(twice) = self.metric.iter().find(|one| own(&one.name) > 1) {
            return Err(usage(format!("--metric {}: the name is given twice", twice.name)));
        }
        if let Some(name) = self.higher_is_better.iter().find(|name| own(name) == 0) {
            return Err(usage(format!(
                "--higher-is-better {name}: no --metric has this name; of what is always measured \
                 less is better"
            )));
        }
        if self.check && self.warmup == 0 {
            return Err(usage(
                "--check needs a run of each side to compare with: --warmup 1 or more",
            ));
        }
        match (&self.a, &self.b) {
            (Some(_), _) if named > 0 || merge_base => {
                Err(usage("two commands, or two revisions and one command after --: not both"))
            }
            (Some(_), None) if !aa => Err(usage(
                "--a needs --b, the command to compare with; --aa compares one with itself",
            )),
            (Some(_), Some(_)) if aa => {
                Err(usage("--aa compares one command with itself: leave out --b"))
            }
            (None, _) if named == 0 && !aa => Err(usage(
                "name the revisions to compare, such as: compare main HEAD --build make -- \
                 ./program",
            )),
            _ => Ok(()),
        }
    }

    /// The program's own numbers as metrics.
    fn own(&self) -> Vec<Metric> {
        let metric = |own: &Own| own.metric(self.higher_is_better.contains(&own.name));
        self.metric.iter().map(metric).collect()
    }

    /// The metrics that can be gated on.
    pub(in crate::compare) fn known(&self) -> Vec<Metric> {
        metrics().into_iter().chain(self.own()).collect()
    }

    /// The usual method: the program's own numbers decide if there are any, else time and memory.
    pub(in crate::compare) fn usual(&self) -> Method {
        let own = self.own();
        let gates = if own.is_empty() { vec![WALL, MEMORY] } else { own };
        Method {
            gates: gates.into_iter().map(Gate::of).collect(),
            guards: Vec::new(),
            ..Method::default()
        }
    }

    /// The metrics that are shown beside these gates.
    pub(in crate::compare) fn shown(&self, gates: &[Gate]) -> Vec<Metric> {
        let all = [WALL, MEMORY, USER, SYS].into_iter().chain(self.own());
        all.filter(|metric| gates.iter().all(|gate| gate.metric != *metric)).collect()
    }
}
