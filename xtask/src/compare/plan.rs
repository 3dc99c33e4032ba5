//! The plan of a comparison, written before its first trial; a comparison can be resumed from it.

use std::collections::BTreeSet;

use anyhow::ensure;
use lab_record::{Backend, Schema, Trial, check_name};
use lab_verdict::comparison::{Kind, SideName};
use lab_verdict::looks::Looks;
use lab_verdict::method::Method;
use lab_verdict::order::{Side, Turn};
use serde::{Deserialize, Serialize};

use super::bench::work::BenchWork;
use super::command::work::CommandWork;
use super::drive::Course;
use super::git::Revision;

/// `comparison-plan.json`. Together with the seed it fixes every trial and their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ComparisonPlan<W> {
    pub(super) kind: Kind,
    /// Seed of the order of trials and of the arrivals.
    pub(super) seed: u64,
    /// The names of the base and of the new side.
    pub(super) sides: [SideName; 2],
    /// The names of the scenarios.
    pub(super) scenarios: Vec<String>,
    pub(super) method: Method,
    pub(super) looks: Looks,
    /// Notes that do not affect the verdict.
    pub(super) warnings: Vec<String>,
    /// What the trials run.
    pub(super) work: W,
}

/// What the trials of a comparison run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Work {
    Labs(LabWork),
    Command(CommandWork),
    Bench(BenchWork),
}

/// Variants of labs, on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LabWork {
    pub(super) base: Revision,
    pub(super) new: Revision,
    /// One element for each scenario.
    pub(super) planned: Vec<Planned>,
    /// Profiled trials of each side.
    pub(super) profiled: u32,
}

impl<W> Schema for ComparisonPlan<W> {
    const NAME: &'static str = "perf-lab.comparison-plan";
    const MAJOR: u32 = 2;
}

impl From<LabWork> for Work {
    fn from(work: LabWork) -> Self {
        Self::Labs(work)
    }
}

impl From<CommandWork> for Work {
    fn from(work: CommandWork) -> Self {
        Self::Command(work)
    }
}

impl From<BenchWork> for Work {
    fn from(work: BenchWork) -> Self {
        Self::Bench(work)
    }
}

impl Work {
    /// Refuses a plan that we did not write, since its names become paths, and its commits
    /// arguments of git.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let revisions = match self {
            Self::Labs(work) => {
                work.labs().into_iter().try_for_each(|lab| check_name("lab", lab))?;
                vec![&work.base, &work.new]
            }
            Self::Command(work) => work.revisions.iter().flat_map(|of| &of.revisions).collect(),
            Self::Bench(work) => work.revisions.revisions.iter().collect(),
        };
        for Revision { commit, .. } in revisions {
            ensure!(
                !commit.is_empty() && commit.chars().all(|c| c.is_ascii_hexdigit()),
                "commit {commit:?} is no commit id"
            );
        }
        Ok(())
    }
}

impl<W> ComparisonPlan<W> {
    /// The same plan with other work.
    pub(super) fn with_work<V>(self, work: impl FnOnce(W) -> V) -> ComparisonPlan<V> {
        let Self { kind, seed, sides, scenarios, method, looks, warnings, work: own } = self;
        ComparisonPlan { kind, seed, sides, scenarios, method, looks, warnings, work: work(own) }
    }

    /// The name of a side: its variant if two are compared, its command, else its revision.
    pub(super) fn name(&self, side: Side) -> &str {
        &self.sides[side as usize].name
    }

    /// The course of the scenario with this index.
    pub(super) fn course(&self, at: usize) -> Course<'_> {
        Course {
            scenario: &self.scenarios[at],
            sides: (self.name(Side::Base), self.name(Side::New)),
            method: &self.method,
            looks: &self.looks,
            seed: self.seed,
            first_quad: at as u32 * self.looks.quads(),
        }
    }
}

impl LabWork {
    /// The labs that take part.
    pub(super) fn labs(&self) -> BTreeSet<&str> {
        self.planned.iter().map(|planned| planned.lab.as_str()).collect()
    }

    /// The runs of a comparison: one of each lab on each side.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Side, &str)> {
        self.labs().into_iter().flat_map(|lab| [(Side::Base, lab), (Side::New, lab)])
    }

    pub(super) fn revision(&self, side: Side) -> &Revision {
        match side {
            Side::Base => &self.base,
            Side::New => &self.new,
        }
    }
}

impl ComparisonPlan<LabWork> {
    /// Every trial that a side's run of a lab may get.
    pub(super) fn trials_of(&self, side: Side, lab: &str) -> Vec<Trial> {
        let all = &self.work.planned;
        let of_lab = (0..all.len()).filter(|&at| all[at].lab == lab);
        of_lab
            .flat_map(|at| {
                let planned = &all[at];
                let turns = self.course(at).turns().filter(move |turn| turn.side == side);
                let profiled = profiled(planned, self.work.profiled).into_iter();
                let profiled = profiled.filter(move |(_, of)| *of == side);
                turns.map(|turn| timed(planned, &turn)).chain(profiled.map(|(trial, _)| trial))
            })
            .collect()
    }
}

/// A scenario, with the trial of each side from which all others are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Planned {
    /// `tail-latency/hedged`, or `tail-latency/single → hedged`.
    pub(super) name: String,
    pub(super) lab: String,
    /// The trials of the base and of the new side.
    pub(super) trials: [Trial; 2],
    /// The same trials, profiled, if the lab wants a profile of both.
    pub(super) profiled: Option<[Trial; 2]>,
}

impl Planned {
    /// The profiler, if there are profiles.
    pub(super) fn backend(&self) -> Option<Backend> {
        let [base, _] = self.profiled.as_ref()?;
        base.profile.as_ref().map(|profile| profile.backend)
    }
}

/// The trial of a turn. Its id depends only on the turn, so that both sides' paths have equal
/// length.
pub(super) fn timed(planned: &Planned, turn: &Turn) -> Trial {
    let template = &planned.trials[turn.side as usize];
    let id = format!("{:03}-{}", turn.quad, turn.position);
    Trial { id, seed: turn.seed, ..template.clone() }
}

/// The profiled trials of a scenario, base and new in turn; the n-th of each share a seed.
pub(super) fn profiled(planned: &Planned, each: u32) -> Vec<(Trial, Side)> {
    let Some([base, new]) = &planned.profiled else { return Vec::new() };
    let trial = |template: &Trial, n: u32| Trial {
        id: format!("{}-profiled-{n:02}", planned.trials[0].variant),
        seed: template.seed + u64::from(n),
        ..template.clone()
    };
    (0..each).flat_map(|n| [(trial(base, n), Side::Base), (trial(new, n), Side::New)]).collect()
}
