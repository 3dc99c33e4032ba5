//! Differential flame graphs: what every frame cost before and after, and whether it moved.
//!
//! The usual tools give a delta to the last frame of a stack only, so every caller reads 0; they
//! scale in whole numbers, so one-sample stacks vanish; and what vanished has no box. Here every
//! frame has an inclusive and a self change, by its path in the graph and by its name, in `f64`;
//! new and vanished frames are marked; and [`svg`] draws what vanished as a graph of its own.
//!
//! Trials of a side are kept apart up to [`significance`]: a frame's counts differ more between two
//! runs of one build than sampling alone explains.

pub mod json;
pub mod page;
pub mod significance;
pub mod svg;
pub mod table;
mod tree;

use std::borrow::Cow;

use anyhow::{Result, ensure};

use crate::draw::{FEW_SAMPLES, Kind};
use crate::folded::{Folded, Weights};
use significance::{Counts, Exposure, Verdict};
use tree::{Node, Tree};

/// One profile of one trial.
#[derive(Debug, Clone)]
pub struct TrialStacks {
    /// Its stacks and their weights.
    pub stacks: Folded,
    /// Requests completed while it was taken, where known.
    pub requests: Option<u64>,
}

/// What counts are divided by, so that a longer or busier trial does not look slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalise {
    /// Completed requests: what a request costs. Sees a frame grow without shrinking the others.
    Requests,
    /// All samples: shares. One frame that grows makes every other share smaller.
    Samples,
    /// Nothing: the trials did equal work.
    Nothing,
}

impl Normalise {
    /// By requests if every trial knows them, else samples by all samples. Bytes and microseconds
    /// are amounts: as shares, ten times as much of everything would be no change.
    pub fn best(before: &[TrialStacks], after: &[TrialStacks], kind: Kind) -> Normalise {
        let known = before.iter().chain(after).all(|trial| trial.requests.is_some_and(|n| n > 0));
        match kind {
            _ if known => Normalise::Requests,
            Kind::Cpu => Normalise::Samples,
            Kind::OffCpu | Kind::Memory | Kind::Faults => Normalise::Nothing,
        }
    }

    /// The unit of a weight.
    pub fn unit(self, count_name: &str) -> String {
        match self {
            Normalise::Requests => format!("{count_name} per 1,000 requests"),
            Normalise::Samples => format!("% of {count_name}"),
            Normalise::Nothing => format!("{count_name} a trial"),
        }
    }

    /// A weight is given for this amount of what it is divided by: 1,000 requests, 100 %. It is
    /// multiplied by it first, so that the whole of each side is exactly 100 %.
    fn per(self) -> f64 {
        match self {
            Normalise::Requests => 1_000.0,
            Normalise::Samples => 100.0,
            Normalise::Nothing => 1.0,
        }
    }

    fn divisor(self, trial: &TrialStacks) -> Result<f64> {
        Ok(match self {
            Normalise::Requests => {
                let requests = trial.requests.unwrap_or(0);
                ensure!(requests > 0, "a trial without completed requests: normalise by samples");
                requests as f64 * trial.stacks.scale() as f64
            }
            Normalise::Samples => trial.stacks.total() as f64,
            Normalise::Nothing => trial.stacks.scale() as f64,
        })
    }
}

/// Everything that a differential found.
#[derive(Debug, Clone)]
pub struct Diff {
    /// What counts were divided by.
    pub normalise: Normalise,
    /// What one count is: `samples`, `us`, `bytes`.
    pub count_name: String,
    /// Trials before and after.
    pub trials: [usize; 2],
    /// Counts before and after, all trials together.
    pub totals: [u64; 2],
    /// Every distinct frame name, in the order of its first box.
    pub names: Vec<Name>,
    /// Every box of the merged graph, parents first, siblings by name; the first is the root.
    pub paths: Vec<Path>,
}

/// A function, wherever it was called from. A stack with several of its frames counts once.
#[derive(Debug, Clone)]
pub struct Name {
    /// Its name, as the stacks have it.
    pub frame: String,
    /// On which sides it was seen.
    pub mark: Mark,
    /// What it and all that it called weigh.
    pub inclusive: Change,
    /// What it weighs itself.
    pub own: Change,
}

/// A box: a function under one chain of callers.
#[derive(Debug, Clone)]
pub struct Path {
    /// Into [`Diff::names`]; `None` for the root.
    pub name: Option<usize>,
    /// 0 for the root.
    pub depth: usize,
    /// On which sides it was seen.
    pub mark: Mark,
    /// What it and all that it called weigh.
    pub inclusive: Change,
    /// What it weighs itself.
    pub own: Change,
}

/// On which sides a frame was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// On both.
    Both,
    /// After only.
    New,
    /// Before only.
    Vanished,
}

/// A weight before and after, in the unit of [`Normalise::unit`].
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// All trials before, together.
    pub before: f64,
    /// All trials after, together.
    pub after: f64,
    /// `None` where nothing can be said: too small a share, or one trial of counts that are no samples.
    /// Boxed, because most of the million boxes of a large profile have none.
    pub verdict: Option<Box<Verdict>>,
}

impl Change {
    /// After less before.
    pub fn delta(&self) -> f64 {
        self.after - self.before
    }

    /// The delta as a share of before; `None` for what is new.
    pub fn relative(&self) -> Option<f64> {
        match (self.before > 0.0, self.after > 0.0) {
            (true, _) => Some(self.delta() / self.before),
            (false, true) => None,
            (false, false) => Some(0.0),
        }
    }

    /// How far this is from no change, in the manner of chi-square. Ranks a path that lost all its
    /// 30 samples before its caller that lost 30 of 100.
    pub fn surprise(&self) -> f64 {
        let both = self.before + self.after;
        if both > 0.0 { self.delta() * self.delta() / both } else { 0.0 }
    }

    /// Whether the rule for several trials finds the change significant.
    pub fn significant(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.significant)
    }
}

impl Diff {
    /// Whether the sides have enough trials for [`significance`] to tell a change from noise.
    pub fn replicated(&self) -> bool {
        significance::enough(self.trials)
    }

    /// The frame of a box; `all` for the root.
    pub fn frame(&self, path: &Path) -> &str {
        path.name.map_or("all", |name| &self.names[name].frame)
    }

    /// The unit of a weight.
    pub fn unit(&self) -> String {
        self.normalise.unit(&self.count_name)
    }

    /// What a reader should know before the table: sides with too few samples, and sides that have
    /// little in common.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let sides = [("before", self.totals[0]), ("after", self.totals[1])];
        let few = |(side, total): (&str, u64)| {
            (self.count_name == "samples" && total < FEW_SAMPLES).then(|| {
                let s = if total == 1 { "" } else { "s" };
                format!("only {total} sample{s} {side}: too few to trust")
            })
        };
        notes.extend(sides.into_iter().filter_map(few));
        let [vanished, new] = [Mark::Vanished, Mark::New].map(|mark| self.share_of(mark));
        if vanished > UNLIKE && new > UNLIKE {
            notes.push(format!(
                "{:.0} % of before vanished and {:.0} % of after is new: do names differ from build to build? --strip makes them alike",
                100.0 * vanished,
                100.0 * new
            ));
        }
        notes
    }

    /// The share of its side that is in boxes of this mark.
    fn share_of(&self, mark: Mark) -> f64 {
        let weight = |path: &Path| match mark {
            Mark::New => path.inclusive.after,
            _ => path.inclusive.before,
        };
        let (mut sum, mut inside) = (0.0, usize::MAX);
        for path in &self.paths {
            if path.depth > inside {
                continue;
            }
            inside = usize::MAX;
            if path.mark == mark {
                sum += weight(path);
                inside = path.depth;
            }
        }
        let whole = weight(&self.paths[0]);
        if whole > 0.0 { sum / whole } else { 0.0 }
    }
}

/// Sides of which more than this is new and vanished have little in common.
const UNLIKE: f64 = 0.8;

/// Compares the trials of two sides. `count_name` is what one count is; `samples` are counted, so
/// one trial a side already has a sampling error.
///
/// # Errors
/// A side has no trials, or a trial lacks what `normalise` divides by.
pub fn diff(
    before: &[TrialStacks],
    after: &[TrialStacks],
    normalise: Normalise,
    count_name: &str,
) -> Result<Diff> {
    ensure!(!before.is_empty() && !after.is_empty(), "a differential needs a profile on each side");
    let (before, after) = at_one_scale(before, after);
    let (before, after) = (&*before, &*after);
    let profiles: Vec<&Folded> = before.iter().chain(after).map(|trial| &trial.stacks).collect();
    let tree = Tree::build(&profiles);
    let exposure = exposure(before, after, normalise, count_name)?;
    let by_name = tree.by_name();

    // One family of tests, so that one rate of false findings covers all that is shown.
    let trials = profiles.len();
    let by_path = || pairs(&tree.inclusive, &tree.own, trials);
    let by_name = || pairs(&by_name.inclusive, &by_name.own, trials);
    let family = by_path().chain(by_name()).flatten();
    let mut verdicts = significance::judge(family, &exposure).into_iter().peekable();
    let mut row = 0..;
    let mut change = |counts: Counts<'_>| {
        let row = row.next();
        let [before, after] = exposure.sums(counts).map(|(count, of)| count * normalise.per() / of);
        let verdict = verdicts.next_if(|(judged, _)| row == Some(*judged));
        Change { before, after, verdict: verdict.map(|(_, verdict)| Box::new(verdict)) }
    };
    // In the order of the family.
    let path = |(node, pair): (&Node, [Counts<'_>; 2])| {
        let [inclusive, own] = pair.map(&mut change);
        Path { name: node.name(), depth: node.depth(), mark: mark(&inclusive), inclusive, own }
    };
    let paths = tree.boxes.iter().zip(by_path()).map(path).collect();
    let name = |(frame, pair): (&&str, [Counts<'_>; 2])| {
        let [inclusive, own] = pair.map(&mut change);
        Name { frame: (*frame).to_string(), mark: mark(&inclusive), inclusive, own }
    };
    let names = tree.names.iter().zip(by_name()).map(name).collect();
    let total = |side: &[TrialStacks]| -> u64 {
        side.iter().map(|trial| trial.stacks.total() / trial.stacks.scale()).sum()
    };

    Ok(Diff {
        normalise,
        count_name: count_name.to_string(),
        trials: [before.len(), after.len()],
        totals: [total(before), total(after)],
        names,
        paths,
    })
}

/// The trials of both sides with counts that are multiplied alike.
fn at_one_scale<'a>(
    before: &'a [TrialStacks],
    after: &'a [TrialStacks],
) -> (Cow<'a, [TrialStacks]>, Cow<'a, [TrialStacks]>) {
    let scales = || before.iter().chain(after).map(|trial| trial.stacks.scale());
    let Some(scale) = scales().max().filter(|scale| scales().any(|other| other != *scale)) else {
        return (before.into(), after.into());
    };
    let scaled =
        |trial: &TrialStacks| TrialStacks { stacks: trial.stacks.at_scale(scale), ..trial.clone() };
    let side = |side: &[TrialStacks]| side.iter().map(scaled).collect::<Vec<_>>().into();
    (side(before), side(after))
}

/// The inclusive and the self counts of each frame.
fn pairs<'a>(
    inclusive: &'a [u64],
    own: &'a [u64],
    trials: usize,
) -> impl Iterator<Item = [Counts<'a>; 2]> {
    inclusive
        .chunks(trials)
        .zip(own.chunks(trials))
        .map(|(inclusive, own)| [Counts(inclusive), Counts(own)])
}

fn exposure(
    before: &[TrialStacks],
    after: &[TrialStacks],
    normalise: Normalise,
    count_name: &str,
) -> Result<Exposure> {
    let trials = || before.iter().chain(after);
    let divisors = trials().map(|trial| normalise.divisor(trial)).collect::<Result<_>>()?;
    let totals: Vec<f64> = trials().map(|trial| trial.stacks.total() as f64).collect();
    let mut exposure = Exposure::new(divisors, totals, before.len());
    exposure.shares = normalise == Normalise::Samples;
    let counted = Weights::of(trials().map(|trial| &trial.stacks)) == Weights::Samples;
    exposure.sampled = count_name == "samples" && counted;
    Ok(exposure)
}

fn mark(inclusive: &Change) -> Mark {
    match (inclusive.before > 0.0, inclusive.after > 0.0) {
        (false, true) => Mark::New,
        (true, false) => Mark::Vanished,
        _ => Mark::Both,
    }
}
