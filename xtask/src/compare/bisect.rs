//! `cargo xtask bisect GOOD BAD …`: the first revision that is slower, by gated comparisons.
//!
//! Each step compares GOOD with a revision between the two, as `compare` does. The revision has the
//! regression if it is slower by at least half as much as BAD, and does not if that can be
//! excluded. Both need evidence, so on a noisy machine the search ends with several revisions
//! rather than a wrong one. Its decisions share the error that is allowed for the whole search.

mod history;
mod search;

use std::fmt::Write as _;

use lab_text::quantity::percent;
use lab_verdict::comparison::Comparison;
use lab_verdict::metric::ALL_OF_THEM;
use lab_verdict::render;
use lab_verdict::scenario::MetricResult;
use lab_verdict::verdict::Verdict;
use serde::Serialize;

use super::args::{Args as CompareArgs, Format};
use super::{command, interleave, name_format, sides};
use crate::exit::{Code, usage};
use crate::output::print;
use crate::process::Interrupt;
use crate::workspace::Workspace;
use history::Commit;
use search::{Answer, Search};

/// Numbers of pairs at which a step is judged: more than for a comparison, since one undecided step
/// leaves several revisions as the answer.
const LOOKS: [u32; 6] = [12, 16, 24, 32, 48, 64];
/// Decisions beyond those that a search without undecided revisions takes.
const SPARE: u32 = 2;
/// Revisions that do not build, or cannot be decided, before the search gives up.
const MOST_UNKNOWN: usize = 8;

// Its argument group would have the same name as `compare`'s.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    compare: CompareArgs,
    /// The chance of a wrong decision, in the whole search
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = chance)]
    error: f64,
}

/// The metric in which BAD is slower, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Regression {
    scenario: String,
    metric: String,
    /// The change of BAD against GOOD: 0.1 is 10 % worse.
    change_ratio: f64,
    /// A revision has the regression from this change on.
    half_ratio: f64,
}

/// A revision that was compared with GOOD.
#[derive(Debug, Serialize)]
struct Step {
    #[serde(flatten)]
    commit: Commit,
    answer: Answer,
    change_ratio: Option<f64>,
    low_ratio: Option<f64>,
    high_ratio: Option<f64>,
    pairs: u32,
    /// The reason why there is no evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// The results of a search.
#[derive(Debug, Serialize)]
struct Report {
    good: String,
    bad: String,
    regression: Regression,
    /// The largest chance that any of the decisions is wrong.
    error: f64,
    steps: Vec<Step>,
    /// The commits of which one introduced the regression.
    candidates: Vec<Commit>,
}

/// Searches, and prints the revision, or the candidates if several are left.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    args.check()?;
    search(args).map_err(name_format)
}

fn search(args: &Args) -> anyhow::Result<Code> {
    let interrupt = Interrupt::listen()?;
    let elsewhere = args.compare.command.are_asked_for() || args.compare.bench.are_asked_for();
    let root = match elsewhere {
        true => command::toplevel()?,
        false => Workspace::discover()?.root,
    };
    let (good, bad) = sides::revisions(&args.compare, &root)?;
    let commits = history::between(&root, &good, &bad)?;
    let decisions = search::decisions(commits.len()) + SPARE;
    eprintln!("{} from {} to {}", render::count(commits.len(), "revision"), good.name, bad.name);
    let whole = interleave(&CompareArgs {
        sides: vec![good.commit.clone(), bad.commit],
        profiled: Some(0),
        ..args.compare.clone()
    })?;
    let Some(regression) = Regression::of(&whole) else {
        print(&format!("{} against {}: {}\n", bad.name, good.name, whole.outcome.name()))?;
        eprintln!("nothing to search for: only a regression that is seen can be found");
        return Ok(Code::Inconclusive);
    };
    eprintln!("{}", regression.sentence(&bad.name));
    let asked = args.of_step(&regression, decisions);
    let mut found = Search::among(commits.len());
    let mut steps = Vec::new();
    while let Some(at) = found.next()
        && more_may_be_decided(&steps, decisions)
    {
        let commit = commits[at].clone();
        let made = interleave(&CompareArgs {
            sides: vec![good.commit.clone(), commit.revision.clone()],
            ..asked.clone()
        });
        if interrupt.raised() {
            eprintln!("{}", so_far(&commits[found.candidates()]));
            return made.map(|_| Code::Failure);
        }
        let step = Step::of(commit, &made);
        eprintln!("{}", step.sentence());
        found.learn(at, step.answer);
        steps.push(step);
    }
    let candidates = commits[found.candidates()].to_vec();
    let (good, bad, error) = (good.name, bad.name, args.error);
    let report = Report { good, bad, regression, error, steps, candidates };
    print(&match args.compare.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&report)?),
        _ => report.text(),
    })?;
    Ok(if report.candidates.len() == 1 { Code::Fine } else { Code::Inconclusive })
}

fn more_may_be_decided(steps: &[Step], decisions: u32) -> bool {
    let unknown = steps.iter().filter(|step| step.answer == Answer::Unknown).count();
    unknown < MOST_UNKNOWN && steps.len() - unknown < decisions as usize
}

impl Args {
    /// Refuses arguments that do not apply to a search, before anything is built.
    fn check(&self) -> anyhow::Result<()> {
        let asked = &self.compare;
        let useless = [
            ("--aa", asked.aa),
            ("--a", asked.command.a.is_some()),
            ("--inject", asked.inject.is_some()),
            ("--replay", asked.replay.is_some()),
            ("--resume", asked.resume.is_some()),
            ("--variants", !asked.variants.is_empty()),
            ("--merge-base", asked.merge_base),
            ("--skip-unchanged", asked.skip_unchanged),
            ("--assert", !asked.limits.is_empty()),
            ("--alpha (bisect takes --error)", asked.alpha.is_some()),
            ("--looks", !asked.looks.is_empty()),
            ("--out", asked.out.is_some()),
            ("--format md or junit", matches!(asked.format, Format::Md | Format::Junit)),
        ];
        if let Some((name, _)) = useless.iter().find(|(_, given)| *given) {
            return Err(usage(format!("bisect takes no {name}")));
        }
        if asked.sides.len() != 2 {
            return Err(usage("name two revisions, such as: bisect v1.0 HEAD"));
        }
        asked.check()
    }

    /// The comparison of one step: only of the regressed metric, with its share of the error.
    fn of_step(&self, regression: &Regression, decisions: u32) -> CompareArgs {
        let half = || vec![(regression.metric.clone(), regression.half_ratio)];
        let mut asked = CompareArgs {
            gate: vec![regression.metric.clone()],
            floor: half(),
            margin: half(),
            looks: LOOKS.to_vec(),
            // A decision can be wrong on one side only, so the two-sided alpha of a look is twice
            // its share.
            alpha: Some(2.0 * self.error / f64::from(decisions) / LOOKS.len() as f64),
            profiled: Some(0),
            ..self.compare.clone()
        };
        if asked.bench.are_asked_for() {
            asked.bench.bench = Some(bench_filter(regression, &self.compare));
        } else if !asked.command.are_asked_for()
            && let Some((lab, variant)) = regression.scenario.split_once('/')
        {
            (asked.lab, asked.variant) = (vec![lab.to_owned()], vec![variant.to_owned()]);
        }
        asked
    }
}

impl Regression {
    /// The regressed metric whose change is largest relative to its interval's width: the cheapest
    /// to decide.
    fn of(whole: &Comparison) -> Option<Self> {
        let rows = whole.scenarios.iter().flat_map(|scenario| {
            scenario.metrics.iter().map(move |row| (scenario.name.as_str(), row))
        });
        let regressed = rows.filter(|(_, row)| row.verdict == Some(Verdict::Regressed));
        let clearest = regressed.max_by(|(_, a), (_, b)| clarity(a).total_cmp(&clarity(b)))?;
        let (scenario, row) = clearest;
        let change_ratio = row.change_ratio?;
        Some(Self {
            scenario: scenario.to_owned(),
            metric: row.metric.name().to_owned(),
            change_ratio,
            half_ratio: (change_ratio.ln_1p().abs() / 2.0).exp_m1(),
        })
    }

    fn sentence(&self, bad: &str) -> String {
        let Self { scenario, metric, change_ratio, half_ratio } = self;
        format!(
            "{bad} is worse by {} in {metric} of {scenario}: a revision has that from {} on",
            percent(*change_ratio),
            percent(*half_ratio)
        )
    }
}

/// A filter for the one benchmark that regressed; the user's own filter if all regressed together,
/// or if two programs have a benchmark of that name.
fn bench_filter(regression: &Regression, asked: &CompareArgs) -> String {
    let name = &regression.metric;
    if name == ALL_OF_THEM.name() || name.contains(": ") {
        return asked.bench.bench.clone().unwrap_or_default();
    }
    format!("^{}$", regex_lite::escape(name))
}

/// A change relative to half the width of its interval.
fn clarity(row: &MetricResult) -> f64 {
    let change = row.change_ratio.map_or(0.0, |ratio| ratio.ln_1p().abs());
    row.half_width_ratio.map_or(0.0, |width| change / width.ln_1p().max(1e-9))
}

impl Step {
    fn of(commit: Commit, made: &anyhow::Result<Comparison>) -> Self {
        let none = |why: String| Self {
            commit: commit.clone(),
            answer: Answer::Unknown,
            change_ratio: None,
            low_ratio: None,
            high_ratio: None,
            pairs: 0,
            why: Some(why),
        };
        let comparison = match made {
            Ok(comparison) => comparison,
            Err(error) => return none(format!("{error:#}")),
        };
        let judged = comparison.scenarios.first().and_then(|of| Some((of, of.metrics.first()?)));
        let Some((scenario, row)) = judged else { return none("nothing was measured".into()) };
        Self {
            commit,
            answer: match row.verdict {
                Some(Verdict::Regressed) => Answer::Has,
                Some(Verdict::Equivalent | Verdict::Improved) => Answer::HasNot,
                _ => Answer::Unknown,
            },
            change_ratio: row.change_ratio,
            low_ratio: row.low_ratio,
            high_ratio: row.high_ratio,
            pairs: row.pairs,
            why: scenario.invalid_reasons.first().cloned(),
        }
    }

    fn sentence(&self) -> String {
        let said = match self.answer {
            Answer::Has => "has it",
            Answer::HasNot => "does not have it",
            Answer::Unknown => "is undecided",
        };
        let figures = match (self.change_ratio, self.low_ratio, self.high_ratio) {
            (Some(change), Some(low), Some(high)) => {
                format!(" ({}, {} to {})", percent(change), percent(low), percent(high))
            }
            _ => String::new(),
        };
        let why = self.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("{} {said}{figures}{why}", self.commit.line())
    }
}

impl Report {
    fn text(&self) -> String {
        let Self { good, bad, regression, error, steps, candidates } = self;
        let mut out = regression.sentence(&format!("{bad} against {good}")) + "\n\n";
        for step in steps {
            let _ = writeln!(out, "{}", step.sentence());
        }
        let head = match candidates.len() {
            1 => "\nThe first that has it:\n".to_owned(),
            several => format!("\nOne of these {several} is the first that has it:\n"),
        };
        out.push_str(&head);
        for commit in candidates {
            let _ = writeln!(out, "{}", commit.line());
        }
        let decided = steps.iter().filter(|step| step.answer != Answer::Unknown).count();
        let _ = writeln!(
            out,
            "\n{}, of which one is wrong with a chance of {} at most, if {bad} regressed at all.",
            render::count(decided, "decision"),
            percent(*error)
        );
        out
    }
}

/// A message about what an interrupted search knows so far.
fn so_far(candidates: &[Commit]) -> String {
    let ends = candidates.first().zip(candidates.last());
    ends.map_or_else(String::new, |(first, last)| {
        let count = render::count(candidates.len(), "revision");
        format!("so far: one of {count}, from {} to {}", first.line(), last.line())
    })
}

/// Reads `5%`.
fn chance(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').ok_or("write a per cent sign, such as 5%")?;
    let percent: f64 = number.trim().parse().map_err(|_| format!("`{number}` is not a number"))?;
    let sensible = (0.01..=20.0).contains(&percent);
    if sensible { Ok(percent / 100.0) } else { Err("from 0.01% to 20%".into()) }
}
