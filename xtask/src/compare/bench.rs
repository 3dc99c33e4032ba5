//! The benches of two revisions of any cargo workspace, compared: criterion's.
//!
//! A trial is one fresh process of each bench program of a side, and the value of a benchmark in it
//! is the median time an iteration. Two long runs have two processes, whose difference no number of
//! samples can distinguish from chance; many short ones have enough processes to compare.

pub(super) mod args;
mod build;
mod sample;
pub(super) mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use lab_files::Scratch;
use lab_verdict::comparable;
use lab_verdict::comparison::{Comparison, Kind, SideName};
use lab_verdict::method::{Gate, Method};
use lab_verdict::metric::{ALL_OF_THEM, Metric};
use lab_verdict::order::{Side, Turn};
use lab_verdict::scenario::{MetricResult, Scenario};
use lab_verdict::trial::{SCHEMA, TrialRecord};
use lab_verdict::verdict::Verdict;
use regex_lite::Regex;

use super::args::Args;
use super::command::sides::{self, Checkouts};
use super::command::trial::last;
use super::conduct::{self, Place, Subject};
use super::directory::Directory;
use super::limits::{self, Named};
use super::plan::ComparisonPlan;
use super::resume::{self, KeptRecord};
use super::scenarios::with_looks_that_reject;
use crate::exit::usage;
use crate::nearest;
use crate::others::Ticks;
use crate::process::{Captured, Ended, Interrupt, capture};
use crate::workspace;
use build::Program;
use work::BenchWork;

/// The approximate time for all trials of a comparison, unless the benchmarks are slow.
const BUDGET: Duration = Duration::from_secs(150);
/// The time of a benchmark in a trial beyond its spans: set-up, analysis and writing.
const OVERHEAD: Duration = Duration::from_millis(15);
/// The bounds of the span that is chosen, in ms.
const LEAST_MS: u64 = 10;
const MOST_MS: u64 = 300;
/// The most names that a message lists.
const MOST_NAMES: usize = 8;

/// Compares the benches of two revisions.
pub(super) fn compare(args: &Args) -> anyhow::Result<Comparison> {
    let (bench, plan) = Bench::prepare(args)?;
    bench.begin(&plan, args)
}

/// Resumes an interrupted comparison.
pub(super) fn resume(
    args: &Args,
    directory: Directory,
    mut plan: ComparisonPlan<BenchWork>,
) -> anyhow::Result<Comparison> {
    let kept = resume::whole_pairs_of_record(&directory)?;
    let here = workspace::Place::here()?;
    resume::check_environment(&directory, &here, true)?;
    let interrupt = Interrupt::listen()?;
    let bench = Bench::build(here, &plan.work.revisions, interrupt)?;
    plan.warnings.push(kept.warning());
    directory.write_plan(&plan)?;
    conduct::run(&Trials { bench: &bench, kept }, &plan, &directory, args.require_decision)
}

/// Both sides, built.
pub(super) struct Bench {
    here: workspace::Place,
    interrupt: Interrupt,
    checkouts: Checkouts,
    /// The programs of the base and of the new side.
    programs: [Vec<Program>; 2],
    /// The name of each benchmark, by program and benchmark.
    names: BTreeMap<(PathBuf, String), String>,
}

impl Bench {
    fn build(
        here: workspace::Place,
        revisions: &super::command::work::Revisions,
        interrupt: Interrupt,
    ) -> anyhow::Result<Self> {
        let checkouts = sides::check_out(revisions, None, &here, &interrupt)?;
        let of = |side: Side| {
            let name = &revisions.revisions[side as usize].name;
            build::build(checkouts.tree(side), &checkouts.dir(side), name, &interrupt)
        };
        let base = of(Side::Base)?;
        let new = match checkouts.tree(Side::Base) == checkouts.tree(Side::New) {
            true => base.clone(),
            false => of(Side::New)?,
        };
        let programs = [base, new];
        let names = build::names(&programs);
        Ok(Self { here, interrupt, checkouts, programs, names })
    }

    /// Builds both sides, finds their common benchmarks, and runs each side once.
    pub(super) fn prepare(args: &Args) -> anyhow::Result<(Self, ComparisonPlan<BenchWork>)> {
        let here = workspace::Place::here()?;
        args.out.as_deref().map(Directory::check_free).transpose()?;
        let filter = args.bench.bench.clone().unwrap_or_default();
        let pattern =
            Regex::new(&filter).map_err(|error| usage(format!("--bench `{filter}`: {error}")))?;
        let revisions = sides::named(args, None)?;
        let interrupt = Interrupt::listen()?;
        let bench = Self::build(here, &revisions, interrupt)?;
        let mut warnings = bench.checkouts.warnings();
        let (names, left_out) = bench.in_common(&pattern, &args.allow_diff)?;
        warnings.extend(left_out);
        let span = span_ms(args, names.len());
        let work = BenchWork {
            revisions,
            filter,
            names,
            warm_up_ms: span / 2,
            measure_ms: span,
            deadline_ms: args.command.deadline.as_millis() as u64,
        };
        let method = method(args, &work)?;
        let began = Instant::now();
        for side in [Side::Base, Side::New] {
            bench.run(&work, side)?.context("interrupted while warming up")?;
        }
        warnings.extend(bench.checkouts.written());
        let plan = ComparisonPlan {
            kind: if args.aa { Kind::Aa } else { Kind::Gate },
            seed: args.seed,
            sides: work.revisions.revisions.each_ref().map(|revision| SideName {
                name: revision.name.clone(),
                revision: Some(revision.recorded.clone()),
            }),
            scenarios: vec![scenario(&work.filter)],
            looks: method.looks(1)?,
            method,
            warnings,
            work,
        };
        let most = began.elapsed() * plan.looks.last();
        eprintln!(
            "{}: {} ms a trial each, {} at most",
            lab_verdict::render::count(plan.work.names.len(), "benchmark"),
            plan.work.warm_up_ms + plan.work.measure_ms,
            humantime::format_duration(Duration::from_secs(most.as_secs().max(1)))
        );
        Ok((bench, plan))
    }

    /// The names of the matching benchmarks that both sides have, and of those that one side has.
    fn in_common(
        &self,
        pattern: &Regex,
        allowed: &[String],
    ) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let of = |side: &Vec<Program>| -> BTreeSet<String> {
            let each = side.iter().flat_map(|program| {
                let wanted = program.benchmarks.iter().filter(|own| pattern.is_match(own));
                wanted.map(|own| self.names[&(program.source.clone(), own.clone())].clone())
            });
            each.collect()
        };
        let [base, new] = self.programs.each_ref().map(of);
        if base.is_empty() && new.is_empty() {
            return Err(self.nothing_matches(pattern.as_str()));
        }
        let left_out = comparable::one_sided("benches", &base, &new, allowed)?;
        let both: Vec<String> = base.intersection(&new).cloned().collect();
        if both.is_empty() {
            return Err(usage("the sides have no benchmark in common"));
        }
        Ok((both, left_out))
    }

    fn nothing_matches(&self, filter: &str) -> anyhow::Error {
        let all: BTreeSet<&str> = self.names.values().map(String::as_str).collect();
        if all.is_empty() {
            let sources: BTreeSet<String> = (self.programs.iter().flatten())
                .map(|program| program.source.display().to_string())
                .collect();
            return usage(format!(
                "no bench program lists a benchmark of criterion, the one harness whose samples are \
                 read: {}",
                Vec::from_iter(sources).join(", ")
            ));
        }
        if let Some(near) = nearest::nearest(filter, all.iter().copied()) {
            return usage(format!("no benchmark matches `{filter}`: did you mean `{near}`?"));
        }
        let more = match all.len().saturating_sub(MOST_NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown: Vec<&str> = all.into_iter().take(MOST_NAMES).collect();
        usage(format!("no benchmark matches `{filter}`: there are {}{more}", shown.join(", ")))
    }

    /// Runs one comparison into a directory of its own.
    pub(super) fn begin(
        &self,
        plan: &ComparisonPlan<BenchWork>,
        args: &Args,
    ) -> anyhow::Result<Comparison> {
        let directory = conduct::begin(&self.here, args.out.as_deref(), true, plan)?;
        let trials = Trials { bench: self, kept: KeptRecord::default() };
        conduct::run(&trials, plan, &directory, args.require_decision)
    }

    /// Runs each bench program of a side that has benchmarks to compare; `None` if Ctrl-C ended it.
    fn run(&self, work: &BenchWork, side: Side) -> anyhow::Result<Option<Found>> {
        let name = &work.revisions.revisions[side as usize].name;
        let wanted: BTreeSet<&str> = work.names.iter().map(String::as_str).collect();
        let before = Ticks::read();
        let mut values = BTreeMap::new();
        for program in &self.programs[side as usize] {
            let called = |own: &String| self.names.get(&(program.source.clone(), own.clone()));
            let is_wanted =
                |own: &String| called(own).is_some_and(|it| wanted.contains(it.as_str()));
            if !program.benchmarks.iter().any(is_wanted) {
                continue;
            }
            let home = Scratch::new(&self.here.runs, "criterion")?;
            let mut command = program.command();
            command.args(options(work)).env("CRITERION_HOME", home.path());
            let deadline = Duration::from_millis(work.deadline_ms);
            let Captured { ended, stderr, .. } = capture(command, deadline, &self.interrupt)?;
            let what = format!("{name}: {}", program.source.display());
            match ended {
                Ended::Interrupted(_) => return Ok(None),
                Ended::TimedOut(_) => {
                    let deadline = humantime::format_duration(deadline);
                    bail!("{what} outlived --deadline {deadline} and was killed{}", last(&stderr));
                }
                ended if !ended.well() => bail!("{what} {ended}{}", last(&stderr)),
                _ => {}
            }
            let found = sample::medians(home.path()).with_context(|| what.clone())?;
            for own in program.benchmarks.iter().filter(|own| is_wanted(own)) {
                let time = found.get(own).with_context(|| {
                    format!("{what}: {own} leaves no samples: is it a benchmark of criterion?")
                })?;
                values.insert(called(own).cloned().unwrap_or_else(|| own.clone()), *time);
            }
        }
        let others = Ticks::read().zip(before).and_then(|(now, before)| now.others_since(before));
        if values.len() > 1 {
            let logarithms: f64 = values.values().map(|time| time.ln()).sum();
            let mean = (logarithms / values.len() as f64).exp();
            values.insert(ALL_OF_THEM.name().to_owned(), mean);
        }
        Ok(Some(Found { values, others }))
    }
}

/// The results of a side's processes in one turn.
struct Found {
    values: BTreeMap<String, f64>,
    others: Option<f64>,
}

/// The trials of one comparison of benches.
struct Trials<'a> {
    bench: &'a Bench,
    kept: KeptRecord,
}

impl Subject for Trials<'_> {
    type Work = BenchWork;

    fn interrupt(&self) -> &Interrupt {
        &self.bench.interrupt
    }

    fn runs(&self) -> PathBuf {
        self.bench.here.runs.clone()
    }

    fn trial(
        &self,
        place: &Place<'_, BenchWork>,
        turn: &Turn,
    ) -> anyhow::Result<Option<TrialRecord>> {
        let Place { plan, at, number, progress, .. } = *place;
        if let Some(kept) = self.kept.trial(place, turn) {
            return Ok(Some(kept));
        }
        let Some(found) = self.bench.run(&plan.work, turn.side)? else { return Ok(None) };
        progress.borrow_mut().ran();
        Ok(Some(TrialRecord {
            schema: Some(SCHEMA.to_owned()),
            trial: number,
            quad: turn.quad,
            position: turn.position,
            scenario: Some(plan.scenarios[at].clone()),
            variant: turn.side.name().to_owned(),
            seed: turn.seed,
            values: found.values,
            others_cpu_ratio: found.others,
            ..TrialRecord::default()
        }))
    }

    fn end(
        &self,
        _: &ComparisonPlan<BenchWork>,
        _: &Directory,
        judged: &mut [Scenario],
    ) -> anyhow::Result<()> {
        // Sorts the rows that moved first, the largest change first.
        let moved = |row: &MetricResult| {
            let decided = match row.verdict {
                Some(Verdict::Regressed) => 0,
                Some(Verdict::Improved) => 1,
                Some(Verdict::Equivalent) => 3,
                _ => 2,
            };
            let change = row.change_ratio.map_or(0.0, |ratio| ratio.ln_1p().abs());
            (row.metric != ALL_OF_THEM, decided, (-1e12 * change) as i64)
        };
        judged.iter_mut().for_each(|scenario| scenario.metrics.sort_by_key(moved));
        Ok(())
    }
}

/// The options for criterion.
fn options(work: &BenchWork) -> Vec<String> {
    let seconds = |ms: u64| format!("{:.3}", ms as f64 / 1e3);
    let mut options = vec![
        "--noplot".to_owned(),
        // Criterion resamples for figures of its own, which are not read here.
        "--nresamples=1001".to_owned(),
        "--sample-size=10".to_owned(),
        format!("--warm-up-time={}", seconds(work.warm_up_ms)),
        format!("--measurement-time={}", seconds(work.measure_ms)),
    ];
    options.extend((!work.filter.is_empty()).then(|| work.filter.clone()));
    options
}

/// How long a benchmark is measured in a trial, in ms: the user's choice, or what fits the budget
/// of all trials.
fn span_ms(args: &Args, benchmarks: usize) -> u64 {
    if let Some(span) = args.duration {
        return span.as_millis() as u64;
    }
    let pairs = args.looks.last().copied().unwrap_or(24).max(1);
    let each = BUDGET.as_secs_f64() / (2.0 * f64::from(pairs) * benchmarks as f64);
    let span = (each - OVERHEAD.as_secs_f64()) / 1.5;
    ((1e3 * span.max(0.0)) as u64).clamp(LEAST_MS, MOST_MS)
}

fn scenario(filter: &str) -> String {
    if filter.is_empty() { "benches".to_owned() } else { format!("benches matching {filter}") }
}

/// All benchmarks decide, or those that the user chose, and the mean of all of them.
fn method(args: &Args, work: &BenchWork) -> anyhow::Result<Method> {
    let named = work.names.iter().map(|name| Metric::named(name, "ns", false));
    let together = (work.names.len() > 1).then_some(ALL_OF_THEM);
    let known: Vec<Metric> = together.into_iter().chain(named).collect();
    let usual = Method {
        gates: known.iter().cloned().map(Gate::of).collect(),
        guards: Vec::new(),
        ..Method::default()
    };
    let limits = limits::resolve(&args.limits, &[Named::plain(scenario(&work.filter))], &known)?;
    let method = Method { limits, ..args.method_among(&known, usual)? };
    with_looks_that_reject(args, method, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_benchmarks_are_short_and_few_are_no_longer_than_needed() {
        let args = |line: &str| super::super::args::tests::parsed(line);
        let of = |line: &str, count| span_ms(&args(line), count);
        assert_eq!(of("main HEAD --bench", 1), MOST_MS);
        let twenty = of("main HEAD --bench", 20);
        assert!((80..110).contains(&twenty), "{twenty}");
        assert_eq!(of("main HEAD --bench", 500), LEAST_MS);
        assert!(of("main HEAD --bench --looks 12", 20) > twenty);
        assert_eq!(of("main HEAD --bench --duration 2s", 500), 2_000);
    }
}
