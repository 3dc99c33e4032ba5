//! The test that every lab calls: its checks hold, and each fails once its cause is taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lab_record::{
    CheckSpec, How, Judgement, Knobs, LessonFigures, LessonSpec, Mode, Outcome, Plan, Reads, Run,
    Told, Trial, VariantSpec, Verdict, as_typed, to_json, write_json,
};
use lab_skip::{Need, skip};

use crate::Rehearsal;
use crate::lab::{Lab, Variant};
use crate::lesson;
use crate::observer::Observer;
use crate::program::{judge_run, run};
use crate::rehearse::{finished, plan, rehearse, trial};
use crate::story::{Next, Story, say_different_things, tell, tell_as};

/// Other programs may disturb one run, but hardly every run.
pub(crate) const TRIES: u32 = 3;

/// Runs every check of a lab with its cause and without, and prints the results. Formulas and
/// simulations are decided at once. A measurement gets three tries, each twice as long as the one
/// before; one that still has no evidence on this machine is printed as skipped.
///
/// # Panics
/// A check does not hold with its cause, or holds without it; the finding or a lesson does not
/// change with its cause; there is no lesson; or the lab cannot describe itself.
pub fn check_lab(lab: &'static Lab) {
    if let Ok(package) = std::env::var("CARGO_PKG_NAME") {
        assert_eq!(lab.name, package, "a lab is named after its package");
    }
    assert!(!lab.lessons.is_empty(), "{}: it teaches nothing: no lesson", lab.name);
    check_described(lab);
    let (found, seen) = falsify(lab).unwrap_or_else(|error| panic!("{}: {error:#}", lab.name));
    let (mut wrong, mut untested, mut need) = (Vec::new(), Vec::new(), Need::Quiet);
    for Found { with, without } in &found {
        let verdict = Verdict::of(with.outcome, without.outcome);
        let line = format!(
            "{} {}: {}: {}; without ({}): {}",
            with.id,
            with.how.words(),
            verdict.words(),
            said(with),
            as_typed(&with.without),
            said(without)
        );
        let measured = matches!(with.how, How::Live | How::Probe);
        match verdict {
            Verdict::CanFail => println!("{line}"),
            Verdict::NotTested if measured => {
                let unobserved = |judged: &Judgement| {
                    judged.how == How::Probe && judged.outcome == Outcome::Unavailable
                };
                if unobserved(with) {
                    need = Need::Ebpf;
                }
                let side = if with.outcome.agrees() { without } else { with };
                untested.push((format!("{} {}", with.id, with.how.words()), side.reason.clone()));
            }
            _ => wrong.push(line),
        }
    }
    if !untested.is_empty() {
        let why: BTreeSet<&str> = untested.iter().map(|(_, why)| why.as_str()).collect();
        let checks: Vec<&str> = untested.iter().map(|(check, _)| check.as_str()).collect();
        let why = why.into_iter().collect::<Vec<_>>().join("; ");
        skip(need, format!("{} checks ({}): {why}", checks.len(), checks.join(", ")));
    }
    assert!(wrong.is_empty(), "{}:\n{}", lab.name, wrong.join("\n"));
    check_story(lab, seen.told);
    check_lessons(lab, &seen.taught);
}

/// Asserts that `describe.json` is up to date if the lab's folder has one: `cargo xtask list` reads
/// it before anything is built.
fn check_described(lab: &Lab) {
    let Ok(folder) = std::env::var("CARGO_MANIFEST_DIR") else { return };
    let Ok(committed) = fs::read_to_string(Path::new(&folder).join("describe.json")) else {
        return;
    };
    let said = to_json(&lab.describe()).expect("a description is JSON") + "\n";
    let name = lab.name;
    assert!(
        committed == said,
        "labs/{name}/describe.json is old: cargo run -p {name} describe > labs/{name}/describe.json"
    );
}

/// Asserts that the finding is computed: it says something else when the next step is taken. Runs
/// what no check has run.
fn check_story(lab: &Lab, told: [Option<Told>; 2]) {
    let (name, Next { set, ask }) = (lab.name, lab.story.next);
    assert!(!set.is_empty() && !ask.trim().is_empty(), "{name}: its story has no next step");
    let mode = mode_of_story(lab);
    let or_run = |told: Option<Told>, set| match told {
        Some(told) => told,
        None => tell_by_a_run(lab, mode, set).unwrap_or_else(|error| panic!("{name}: {error:#}")),
    };
    let [first, second] = told;
    let [told, after] = [or_run(first, &[]), or_run(second, set)];
    let (Some(first), Some(second)) = (&told.finding, &after.finding) else {
        let reasons = [told.reason, after.reason].join("; ");
        assert_ne!(mode, Mode::Simulated, "{name} has no finding: {reasons}");
        return skip(Need::Quiet, format!("the finding of {name}: {reasons}"));
    };
    assert!(!first.trim().is_empty(), "{name}: its finding has no words");
    println!("finding: {first}\nthen ({set:?}): {second}");
    assert!(
        say_different_things(first, second),
        "{name}: its finding does not change with its next step: {first} / {second}"
    );
}

/// Simulated, if all variants that the story reads simulate, since nothing disturbs a simulation;
/// else live.
fn mode_of_story(lab: &Lab) -> Mode {
    let simulates = |name: &&str| {
        let variant = lab.variants.iter().find(|variant| variant.name == *name);
        variant.is_some_and(Variant::simulates)
    };
    if lab.story.reads.iter().all(simulates) { Mode::Simulated } else { Mode::Live }
}

/// What a story says about a quick run with these knobs.
///
/// # Errors
/// The run fails.
fn tell_by_a_run(lab: &Lab, mode: Mode, set: &[(&str, &str)]) -> Result<Told> {
    let Story { reads, .. } = lab.story;
    let mut told = Told::default();
    for _ in 0..TRIES {
        let dir = tempfile::tempdir()?;
        rehearse(lab, dir.path(), Rehearsal { mode, variants: reads, set, measure: None })?;
        told = tell(&lab.story, &Run::load(dir.path())?);
        if told.finding.is_some() || mode == Mode::Simulated {
            break;
        }
    }
    Ok(told)
}

/// Asserts that each lesson's figure changes once its cause is taken away.
fn check_lessons(lab: &Lab, taught: &[Taught]) {
    for (lesson, Taught { with, without }) in lab.lessons.iter().zip(taught) {
        let what = format!("{}: the lesson on {}", lab.name, lesson.claim);
        let measured = with.measured.zip(without.measured);
        if let Some((with, without)) = measured {
            lesson::teaches(lesson, with, without).unwrap_or_else(|e| panic!("{}: {e}", lab.name));
            println!("lesson {}: {with}; without: {without}", lesson.claim);
            continue;
        }
        let reasons = [with, without].map(|figures| figures.reason.clone()).join("; ");
        assert_ne!(lesson.how, How::Simulated, "{what} has no figure: {reasons}");
        skip(Need::Quiet, format!("{what}: {reasons}"));
    }
}

/// The figures of a lesson with its cause and without.
#[derive(Debug, Clone, Default)]
struct Taught {
    with: LessonFigures,
    without: LessonFigures,
}

/// What the runs of checks say besides the checks.
#[derive(Debug, Default)]
struct Seen {
    /// The lessons' figures; of several runs, the last with a figure counts.
    taught: Vec<Taught>,
    /// The finding as the lab is, and after its next step; of several runs, the last that has one.
    told: [Option<Told>; 2],
}

/// Results of a check with its cause and without.
struct Found {
    with: Judgement,
    without: Judgement,
}

fn falsify(lab: &'static Lab) -> Result<(Vec<Found>, Seen)> {
    let described = lab.describe();
    let specs: Vec<CheckSpec> =
        described.claims.into_iter().flat_map(|claim| claim.checks).collect();
    let taught = vec![Taught::default(); lab.lessons.len()];
    let seen = Mutex::new(Seen { taught, told: [None, None] });
    let next = described.story.map(|story| story.next.set);
    let observers = Observers::find(lab, &specs);
    let all: Vec<usize> = (0..specs.len()).collect();
    let side = |set, holds| Side {
        lab,
        specs: &specs,
        observers: &observers,
        set,
        holds,
        lessons: &described.lessons,
        next: next.as_ref(),
        seen: &seen,
    };
    let none = Knobs::new();
    let with = side(&none, true).judge(&all)?;
    let mut without: Vec<Option<Judgement>> = vec![None; specs.len()];
    for &at in &all {
        if without[at].is_some() {
            continue;
        }
        let set = &specs[at].without;
        let same: Vec<usize> = all.iter().copied().filter(|i| specs[*i].without == *set).collect();
        for (at, judgement) in same.iter().zip(side(set, false).judge(&same)?) {
            without[*at] = Some(judgement);
        }
    }
    let pairs = with.into_iter().zip(without.into_iter().flatten());
    let found = pairs.map(|(with, without)| Found { with, without }).collect();
    Ok((found, seen.into_inner().expect("no holder of this lock panics")))
}

/// One side of the experiment: knobs, and the outcome that is expected with them.
struct Side<'a> {
    lab: &'static Lab,
    specs: &'a [CheckSpec],
    observers: &'a Observers,
    set: &'a Knobs,
    holds: bool,
    lessons: &'a [LessonSpec],
    /// The knobs of the story's next step.
    next: Option<&'a Knobs>,
    seen: &'a Mutex<Seen>,
}

impl Side<'_> {
    /// Judges these checks. One with an unexpected result is run again where another trial may
    /// decide differently.
    fn judge(&self, checks: &[usize]) -> Result<Vec<Judgement>> {
        let mut found: BTreeMap<usize, Judgement> = BTreeMap::new();
        for attempt in 0..TRIES {
            let again = |at: &usize| found.get(at).is_none_or(|j| self.may_differ(*at, j));
            let open: Vec<usize> = checks.iter().copied().filter(again).collect();
            if open.is_empty() {
                break;
            }
            let judged = self.run(&open, attempt)?;
            found.extend(open.iter().map(|at| (*at, judged[*at].clone())));
        }
        Ok(found.into_values().collect())
    }

    fn may_differ(&self, at: usize, judgement: &Judgement) -> bool {
        let Judgement { outcome, how, .. } = judgement;
        let as_hoped =
            if self.holds { outcome.agrees() } else { *outcome == Outcome::NotReproduced };
        let unobserved = self.specs[at].reads.iter().any(|reads| {
            reads.probe.as_ref().is_some_and(|probe| self.observers.without.contains_key(probe))
        });
        match how {
            How::ClosedForm => false,
            // A longer trial may have enough samples.
            How::Simulated => *outcome == Outcome::Unavailable,
            How::Live | How::Probe => !as_hoped && !unobserved,
        }
    }

    /// Runs all trials that these checks read, and judges all checks.
    fn run(&self, checks: &[usize], attempt: u32) -> Result<Vec<Judgement>> {
        let what = Rehearsal { mode: Mode::Live, variants: &[], set: &[], measure: None };
        let mut plan = Plan {
            set: self.set.clone(),
            without_probes: self.observers.without.clone(),
            limits: Vec::new(),
            ..plan(self.lab, what)?
        };
        let read = |at: &usize| {
            let CheckSpec { how, reads, .. } = &self.specs[*at];
            reads.iter().cloned().map(|reads| (how.mode(), reads))
        };
        for (mode, Reads { variant, probe }) in
            checks.iter().flat_map(read).collect::<BTreeSet<_>>()
        {
            if probe.as_ref().is_some_and(|probe| plan.without_probes.contains_key(probe)) {
                continue;
            }
            let quick = quick(&plan.description.variants, &variant, mode);
            let measure = Some(quick * 2_u32.pow(attempt));
            let trial = Trial { probe, ..trial(&plan, &variant, mode, measure)? };
            plan.trials.push(trial);
        }
        let dir = tempfile::tempdir().context("make a directory for trials")?;
        write_json(&dir.path().join("plan.json"), &plan)?;
        let (live, simulated): (Vec<_>, Vec<_>) =
            plan.trials.iter().partition(|trial| trial.mode == Mode::Live);
        live.iter().try_for_each(|trial| self.run_one(trial, dir.path()))?;
        at_once(&simulated, |trial| self.run_one(trial, dir.path()))?;
        let run = Run::load(dir.path())?;
        self.teach(&run);
        self.tell(&run);
        Ok(judge_run(self.lab, &run))
    }

    fn teach(&self, run: &Run) {
        for figures in lesson::figures(self.lab.lessons, run) {
            let at = self.lessons.iter().position(|lesson| lesson.claim == figures.claim);
            let Some(at) = at.filter(|at| self.holds || self.lessons[*at].without == *self.set)
            else {
                continue;
            };
            let mut seen = self.seen.lock().expect("no holder of this lock panics");
            let Taught { with, without } = &mut seen.taught[at];
            let side = if self.holds { with } else { without };
            if figures.measured.is_some() || side.measured.is_none() {
                *side = figures;
            }
        }
    }

    /// Keeps what the story says about this run, if it is one of the two that the story is of.
    fn tell(&self, run: &Run) {
        if !self.holds && self.next != Some(self.set) {
            return;
        }
        let how = match mode_of_story(self.lab) {
            Mode::Live => How::Live,
            Mode::Simulated => How::Simulated,
        };
        let told = tell_as(how, &self.lab.story, run).filter(|told| told.finding.is_some());
        if let Some(told) = told {
            let mut seen = self.seen.lock().expect("no holder of this lock panics");
            seen.told[usize::from(!self.holds)] = Some(told);
        }
    }

    fn run_one(&self, trial: &Trial, dir: &Path) -> Result<()> {
        let dir = dir.join("trials").join(&trial.id);
        fs::create_dir_all(&dir)?;
        write_json(&dir.join("trial.json"), trial)?;
        let ran = match &trial.probe {
            None => run(self.lab, &dir),
            Some(probe) => self.observers.by[probe].observe(probe, &dir),
        };
        ran.with_context(|| format!("trial {} with {}", trial.id, as_typed(self.set)))?;
        finished(&dir)
    }
}

fn quick(variants: &[VariantSpec], name: &str, mode: Mode) -> Duration {
    let spans = variants.iter().find(|variant| variant.name == name).and_then(|v| v.spans(mode));
    Duration::from_millis(spans.map_or(1, |spans| spans.quick_ms))
}

/// Runs simulations in parallel: they do not depend on what runs beside them.
fn at_once(trials: &[&Trial], run: impl Fn(&Trial) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(trial) = trials.get(next.fetch_add(1, Relaxed)) {
            run(trial)?;
        }
        Ok(())
    };
    let width = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..width).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a trial does not panic"))
    })
}

/// The observer of trials on this machine, if any.
struct Observers {
    by: BTreeMap<String, Observer>,
    without: BTreeMap<String, String>,
}

impl Observers {
    fn find(lab: &Lab, checks: &[CheckSpec]) -> Self {
        let probes = checks.iter().flat_map(|check| &check.reads).filter_map(|r| r.probe.clone());
        let (mut by, mut without) = (BTreeMap::new(), BTreeMap::new());
        for probe in probes.collect::<BTreeSet<_>>() {
            match Self::find_one(lab, &probe) {
                Ok(observer) => drop(by.insert(probe, observer)),
                Err(why) => drop(without.insert(probe, format!("{why:#}"))),
            }
        }
        Self { by, without }
    }

    /// A test is in `target/debug/deps`, and the lab's program is beside that folder.
    fn find_one(lab: &Lab, probe: &str) -> Result<Observer> {
        let test = std::env::current_exe()?;
        let program = test.ancestors().nth(2).context("a test lies in target/<profile>/deps")?;
        let scratch = tempfile::tempdir()?;
        Observer::find(&program.join(lab.name), probe, scratch.path())
    }
}

fn said(judgement: &Judgement) -> String {
    let figure = judgement.measured.map_or(String::new(), |value| format!(" at {value}"));
    format!("{}{figure} ({})", judgement.outcome.words(), judgement.reason)
}

#[cfg(test)]
mod tests;
