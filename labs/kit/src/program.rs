//! A lab as a program: the verbs `describe`, `run DIR`, `judge DIR`, `answer DIR VARIANT` if it has
//! black boxes, and those that the lab adds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use lab_record::{
    Backend, Claims, Judgement, Knobs, Outcome, Profile, ProfileKind, Run, Trial, read_json,
    write_json,
};

use crate::allocations;
use crate::check::Check;
use crate::ctx::Ctx;
use crate::diagnosis::{Said, reply};
use crate::evidence::{Evidence, is_planned};
use crate::finding::Gap;
use crate::hiccup::HiccupMeter;
use crate::lab::{Claim, Lab, Variant};
use crate::lesson;
use crate::profile::CpuProfile;
use crate::story::tell;

/// Runs the lab's program with the arguments it was started with.
pub fn main(lab: &'static Lab) -> ExitCode {
    let matches = command(lab).get_matches();
    match dispatch(lab, &matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", lab.name);
            ExitCode::FAILURE
        }
    }
}

fn command(lab: &'static Lab) -> Command {
    let dir =
        || Arg::new("dir").value_name("DIR").required(true).value_parser(value_parser!(PathBuf));
    let own = lab.verbs.iter().map(|verb| (verb.command)(Command::new(verb.name)));
    Command::new(lab.name)
        .about(lab.question)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("describe").about("Print the lab as JSON"))
        .subcommand(Command::new("run").about("Run the trial of DIR/trial.json").arg(dir()))
        .subcommand(Command::new("judge").about("Judge the claims of the run in DIR").arg(dir()))
        .subcommands(lab.variants.iter().any(|v| v.diagnosis.is_some()).then(|| {
            let part = |name: &'static str| Arg::new(name).long(name);
            Command::new("answer")
                .about("Reply to what is said of a black box, by the run in DIR")
                .arg(dir())
                .arg(Arg::new("variant").value_name("VARIANT").required(true))
                .args([part("resource"), part("function")])
                .arg(part("count").value_parser(value_parser!(f64)))
        }))
        .subcommands(own)
}

fn dispatch(lab: &'static Lab, matches: &ArgMatches) -> anyhow::Result<()> {
    let (verb, matches) = matches.subcommand().expect("clap requires a verb");
    match verb {
        "describe" => describe(lab),
        "run" => run(lab, dir_of(matches)),
        "judge" => judge(lab, dir_of(matches)),
        "answer" => answer(lab, matches),
        own => {
            let verb = lab.verbs.iter().find(|verb| verb.name == own);
            (verb.expect("clap knows only our verbs").run)(matches)
        }
    }
}

fn dir_of(matches: &ArgMatches) -> &Path {
    matches.get_one::<PathBuf>("dir").expect("clap requires a directory")
}

fn describe(lab: &Lab) -> anyhow::Result<()> {
    println!("{}", lab_record::to_json(&lab.describe())?);
    Ok(())
}

/// Runs one trial; all its results are in `dir` when this returns.
pub(crate) fn run(lab: &Lab, dir: &Path) -> anyhow::Result<()> {
    let trial: Trial = read_json(&dir.join("trial.json"))?;
    let variant = check(lab, &trial).with_context(|| dir.display().to_string())?;
    let own = trial.profile.as_ref().filter(|profile| profile.backend != Backend::PerfEvent);
    let profiling = own.map(Profiling::start).transpose()?;
    let mut ctx = Ctx::new(trial, dir.to_owned(), variant.expects);
    let hiccups = ctx.is_live().then(|| HiccupMeter::start(ctx.timeline())).transpose()?;
    (variant.run)(&mut ctx)?;
    if let Some(hiccups) = hiccups {
        ctx.save("hiccup", hiccups.stop())?;
    }
    if let Some(profiling) = profiling {
        profiling.stop(ctx.dir())?;
    }
    ctx.finish(variant.responds)
}

/// A profile that this process takes of itself.
enum Profiling {
    Cpu(CpuProfile),
    Memory,
}

impl Profiling {
    fn start(profile: &Profile) -> anyhow::Result<Self> {
        match (profile.kind, profile.backend) {
            (ProfileKind::Cpu, Backend::Pprof) => {
                let hz = profile.hz.context("a profile by pprof has a rate")?;
                Ok(Self::Cpu(CpuProfile::start(hz)?))
            }
            (ProfileKind::Memory, Backend::Allocator) => {
                allocations::start();
                Ok(Self::Memory)
            }
            (kind, backend) => bail!("no profile of {} by {backend:?}", kind.name()),
        }
    }

    fn stop(self, dir: &Path) -> anyhow::Result<()> {
        match self {
            Self::Cpu(profiler) => profiler.stop(dir),
            Self::Memory => allocations::stop(dir),
        }
    }
}

/// A trial may be written by hand, so it is checked like any input.
fn check<'a>(lab: &'a Lab, trial: &Trial) -> anyhow::Result<&'a Variant> {
    ensure!(trial.lab == lab.name, "a trial of lab `{}`, not of `{}`", trial.lab, lab.name);
    for knob in lab.describe().knobs {
        let Some(value) = trial.knobs.get(&knob.name) else {
            bail!("knob `{}` has no value", knob.name)
        };
        knob.check(value)?;
    }
    ensure!(trial.measure_ms > 0 && trial.interval_ms > 0, "a trial needs a measured span");
    let variant = lab.variants.iter().find(|variant| variant.name == trial.variant);
    variant.with_context(|| format!("no variant `{}`", trial.variant))
}

/// Judges every check of every claim from the trials in `dir`, and writes `claims.json`.
pub(crate) fn judge(lab: &Lab, dir: &Path) -> anyhow::Result<()> {
    let run = Run::load(dir)?;
    let claims = Claims {
        claims: judge_run(lab, &run),
        story: tell(&lab.story, &run),
        lessons: lesson::figures(lab.lessons, &run),
    };
    write_json(&dir.join("claims.json"), &claims)
}

/// Prints a [`Reply`](lab_record::Reply).
fn answer(lab: &Lab, matches: &ArgMatches) -> anyhow::Result<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let said = Said {
        resource: text("resource"),
        function: text("function"),
        count: matches.get_one("count").copied(),
    };
    let variant = text("variant").expect("clap requires a variant");
    let known = lab.variants.iter().find(|known| known.name == variant);
    let right = known.and_then(|known| known.diagnosis);
    let right = right.with_context(|| format!("no black box `{variant}`"))?;
    let reply = reply(right, &Run::load(dir_of(matches))?, &variant, &said);
    println!("{}", lab_record::to_json(&reply)?);
    Ok(())
}

/// Judges every check of every claim, in the lab's order.
pub(crate) fn judge_run(lab: &Lab, run: &Run) -> Vec<Judgement> {
    let described = lab.describe();
    let mut judged = Vec::new();
    for (claim, spec) in lab.claims.iter().zip(described.claims) {
        for (check, spec) in claim.checks.iter().zip(spec.checks) {
            judged.push(judge_one(claim, check, spec.without, run));
        }
    }
    judged
}

fn judge_one(claim: &Claim, check: &Check, without: Knobs, run: &Run) -> Judgement {
    let evidence = Evidence::new(run, check.how, check.reads());
    let mut judgement = Judgement {
        says: claim.says.into(),
        source: claim.source.short.into(),
        without,
        chosen: is_planned(check.how, &check.reads(), run),
        ..Judgement::bare(claim.id, check.how, Outcome::Unavailable)
    };
    match (check.judge)(&evidence) {
        Ok(finding) => {
            judgement.outcome = match (finding.holds, check.calibrates) {
                (false, _) => Outcome::NotReproduced,
                (true, false) => Outcome::Reproduced,
                (true, true) => Outcome::Calibrated,
            };
            judgement.predicted = finding.predicted;
            judgement.measured = Some(finding.figure.value).filter(|value| value.is_finite());
            judgement.low = finding.figure.interval.map(|(low, _)| low);
            judgement.high = finding.figure.interval.map(|(_, high)| high);
            judgement.unit = finding.figure.unit;
            judgement.reason = match evidence.trials_used() {
                0 | 1 => finding.required,
                trials => format!("{} ({trials} trials)", finding.required),
            };
        }
        Err(Gap::Unavailable(reason)) => judgement.reason = reason,
        Err(Gap::Invalid(reason)) => {
            judgement.outcome = Outcome::Invalid;
            judgement.reason = reason;
        }
    }
    judgement
}
