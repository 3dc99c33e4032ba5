//! `cargo xtask lab NAME --falsify`: each check with its cause, and without.
//!
//! Checks whose counter-experiments set the same knobs share trials. Each set of knobs is a run of
//! its own, which `show` and `report` read: the run with the causes is in the run's directory,
//! those without in `without/NN` below it. A disturbed check is repeated in a further run. The
//! results are in `falsification.json` ([`Falsification`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::ensure;
use lab_record::{
    CheckSpec, Description, Falsification, Falsified, How, Judgement, Knobs, Outcome, Plan, Reads,
    Verdict, as_typed, to_json, write_json,
};

use super::experiment::Experiment;
use super::{Args, programs_for};
use crate::exit::{Code, usage};
use crate::nearest;
use crate::output::{Format, Paint, Tone, markdown_table, paint, paragraph, print, row};
use crate::process::Interrupt;
use crate::run_dir::RunDir;
use crate::workspace::{Workspace, shorten};

/// Other programs may disturb one run, but hardly every run.
const TRIES: usize = 3;

/// Runs the counter-experiments of a lab.
pub(super) fn run(
    args: &Args,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Code> {
    let (binary, description) =
        super::program(&args.name, args.binary.as_deref(), workspace, interrupt)?;
    let chosen = chosen(&description, args)?;
    let mut request = args.request();
    request.variants = chosen.iter().flat_map(|check| &check.spec.reads).map(variant).collect();
    let probes = chosen.iter().flat_map(|check| &check.spec.reads).filter_map(|r| r.probe.clone());
    let programs = programs_for(&mut request, binary, probes.collect(), workspace, interrupt)?;
    let is_ours = args.binary.is_none();
    let whole = Sides(Experiment { workspace, interrupt, description, request, programs, is_ours });
    let first = whole.plan(&chosen, &Knobs::new())?;
    let dir = RunDir::create(workspace, args.out.as_deref(), &first, &whole.0.programs.lab)?;
    let with = whole.judge(&chosen, &Knobs::new(), &dir.path, "with")?;
    let sets: BTreeSet<String> = chosen.iter().map(|check| key(&check.spec.without)).collect();
    let mut without: BTreeMap<usize, Judgement> = BTreeMap::new();
    for (number, set) in sets.iter().enumerate() {
        let same: Vec<Chosen> =
            chosen.iter().filter(|check| key(&check.spec.without) == *set).cloned().collect();
        let name = format!("without/{:02}", number + 1);
        without.extend(whole.judge(&same, &same[0].spec.without, &dir.path, &name)?);
    }
    let checks = chosen.iter().filter_map(|Chosen { at, .. }| {
        let (with, without) = (with.get(at)?.clone(), without.remove(at)?);
        Some(Falsified { verdict: Verdict::of(with.outcome, without.outcome), with, without })
    });
    let found = Falsification {
        lab: args.name.clone(),
        run: shorten(&dir.path).display().to_string(),
        checks: checks.collect(),
    };
    write_json(&dir.path.join("falsification.json"), &found)?;
    print(&match args.format {
        Format::Human => human(&found, paint()),
        Format::Json => format!("{}\n", to_json(&found)?),
        Format::Md => markdown(&found),
    })?;
    Ok(verdict(&found))
}

/// A check, and its index among all checks of the lab.
#[derive(Debug, Clone)]
struct Chosen {
    at: usize,
    spec: CheckSpec,
}

/// The checks of the claims that were named, or of all, that can be made in this mode.
fn chosen(lab: &Description, args: &Args) -> anyhow::Result<Vec<Chosen>> {
    let ids: Vec<&str> = lab.claims.iter().map(|claim| claim.id.as_str()).collect();
    if let Some(unknown) = args.claim.iter().find(|id| !ids.contains(&id.as_str())) {
        return Err(usage(nearest::unknown("claim", unknown, ids)));
    }
    let all =
        lab.claims.iter().flat_map(|claim| claim.checks.iter().map(move |check| (claim, check)));
    let wanted = |id: &String| args.claim.is_empty() || args.claim.contains(id);
    let made = |how| !args.simulated || matches!(how, How::ClosedForm | How::Simulated);
    let chosen: Vec<Chosen> = all
        .enumerate()
        .filter(|(_, (claim, check))| wanted(&claim.id) && made(check.how))
        .map(|(at, (_, spec))| Chosen { at, spec: spec.clone() })
        .collect();
    if chosen.is_empty() {
        return Err(usage("these claims have no check in this mode"));
    }
    Ok(chosen)
}

fn variant(reads: &Reads) -> String {
    reads.variant.clone()
}

/// A key that is equal for equal knobs.
fn key(set: &Knobs) -> String {
    as_typed(set)
}

/// The two sides of each check, and what they share.
struct Sides<'a>(Experiment<'a>);

impl Sides<'_> {
    /// Plans a run of all trials that these checks read, with these knobs over those that were
    /// typed.
    fn plan(&self, checks: &[Chosen], set: &Knobs) -> anyhow::Result<Plan> {
        let reads = checks.iter().flat_map(|Chosen { spec, .. }| {
            let mode = spec.how.mode();
            spec.reads.iter().map(move |reads| (mode, reads.clone()))
        });
        self.0.plan(&reads.collect(), set)
    }

    /// The judgements of the checks with these knobs, each from its last run: checks without an
    /// answer are repeated.
    fn judge(
        &self,
        checks: &[Chosen],
        set: &Knobs,
        dir: &Path,
        name: &str,
    ) -> anyhow::Result<BTreeMap<usize, Judgement>> {
        let mut found: BTreeMap<usize, Judgement> = BTreeMap::new();
        for attempt in 1..=TRIES {
            let disturbed = |check: &&Chosen| {
                found.get(&check.at).is_none_or(|judged| judged.outcome == Outcome::Invalid)
            };
            let open: Vec<Chosen> = checks.iter().filter(disturbed).cloned().collect();
            if open.is_empty() {
                break;
            }
            let run = match (name, attempt) {
                ("with", 1) => dir.to_owned(),
                (_, 1) => dir.join(name),
                _ => dir.join(format!("{name}-{attempt}")),
            };
            if !set.is_empty() {
                eprintln!("{}", as_typed(set));
            }
            let judged = self.0.run(&self.plan(&open, set)?, &run)?.claims;
            for check in open {
                ensure!(check.at < judged.len(), "the lab judged fewer checks than it describes");
                found.insert(check.at, judged[check.at].clone());
            }
        }
        Ok(found)
    }
}

fn verdict(found: &Falsification) -> Code {
    let any = |verdict| found.checks.iter().any(|check| check.verdict == verdict);
    let invalid = |check: &Falsified| {
        [&check.with, &check.without].iter().any(|side| side.outcome == Outcome::Invalid)
    };
    if any(Verdict::CannotFail) {
        Code::NotReproduced
    } else if found.checks.iter().any(invalid) {
        Code::InvalidRun
    } else {
        Code::Fine
    }
}

fn human(found: &Falsification, paint: Paint) -> String {
    let mut text = String::new();
    row(&mut text, &format!("{:<13} {:<22} {:<22} verdict", "check", "with its cause", "without"));
    for same in found.checks.chunk_by(|a, b| a.with.id == b.with.id) {
        paragraph(&mut text, &format!("{}: ", same[0].with.id), &same[0].with.says, 2);
        for Falsified { verdict, with, without } in same {
            let how = with.how.words();
            let (said, without_said) = (said(with), said(without));
            let verdict = match verdict {
                Verdict::CanFail => paint.tone(Tone::Good, verdict.words()),
                Verdict::CannotFail => paint.tone(Tone::Bad, verdict.words()),
                _ => paint.tone(Tone::Doubtful, verdict.words()),
            };
            row(&mut text, &format!("  {how:<11} {said:<22} {without_said:<22} {verdict}"));
            row(&mut text, &format!("    {}", as_typed(&with.without)));
            for side in [with, without] {
                if matches!(side.outcome, Outcome::Invalid | Outcome::Unavailable) {
                    paragraph(&mut text, "      ", &side.reason, 8);
                }
            }
        }
    }
    row(&mut text, &format!("{}.", tally(found)));
    row(&mut text, &format!("run: {}", found.run));
    text
}

/// `reproduced 0.634`
fn said(judgement: &Judgement) -> String {
    let figure = judgement.measured.map(|value| crate::quantity::quantity(value, &judgement.unit));
    let words = match judgement.outcome {
        Outcome::Reproduced | Outcome::Calibrated => "holds",
        Outcome::NotReproduced => "fails",
        Outcome::Invalid => "invalid",
        Outcome::Unavailable => "unavailable",
    };
    figure.map_or(words.to_owned(), |figure| format!("{words}: {figure}"))
}

/// `12 of 14 checks can fail, 1 cannot, 1 not tested`
fn tally(found: &Falsification) -> String {
    let count = |verdict| found.checks.iter().filter(|check| check.verdict == verdict).count();
    let mut words =
        format!("{} of {} checks can fail", count(Verdict::CanFail), found.checks.len());
    for (verdict, name) in [
        (Verdict::CannotFail, "cannot"),
        (Verdict::NotReproduced, "not reproduced with its cause"),
        (Verdict::NotTested, "not tested"),
    ] {
        if count(verdict) > 0 {
            words.push_str(&format!(", {} {name}", count(verdict)));
        }
    }
    words
}

fn markdown(found: &Falsification) -> String {
    let table = markdown_table(
        ["claim", "checked", "with its cause", "without", "the cause away", "verdict"],
        found.checks.iter().map(|Falsified { verdict, with, without }| {
            [
                with.id.clone(),
                with.how.words().to_owned(),
                said(with),
                said(without),
                as_typed(&with.without),
                verdict.words().to_owned(),
            ]
        }),
    );
    format!("{}.\n\n{table}", tally(found))
}
