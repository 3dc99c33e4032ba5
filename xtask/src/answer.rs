//! `cargo xtask answer LAB BOX`: says what is wrong with a black box, and has the lab compare it with
//! the evidence of the box's newest run.
//!
//! The lab leads the dialogue, one part at a time ([`Reply`]). The first part that does not fit ends
//! it; the number of answers has no limit.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lab_record::{Answer, Description, Mode, Part, Plan, RESOURCES, Reply, parse_json, read_json};

use crate::boxes::asking;
use crate::exit::{Code, usage};
use crate::lab::program;
use crate::learn::{Learner, read_answer};
use crate::nearest;
use crate::output::{paragraph, print};
use crate::process::{Captured, Interrupt, capture};
use crate::workspace::{Workspace, shorten};

/// A lab replies from files.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The lab, such as mystery
    name: String,
    /// Its black box, such as 3
    #[arg(value_name = "BOX")]
    variant: String,
    /// The resource that is short; asked for if it is left out, like the other two
    #[arg(long, value_parser = RESOURCES, ignore_case = true)]
    resource: Option<String>,
    /// The function at fault
    #[arg(long)]
    function: Option<String>,
    /// The number that the lab asks for
    #[arg(long)]
    count: Option<String>,
    /// The run to compare with [default: the newest of the box in which no knob was turned]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Use this program instead of building the lab
    #[arg(long, value_name = "PATH", hide = true)]
    binary: Option<PathBuf>,
}

/// Asks for what was not typed, and says how far it fits.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("answer")?;
    let interrupt = Interrupt::listen()?;
    let (lab, description) = program(&args.name, args.binary.as_deref(), &workspace, &interrupt)?;
    check_asks(&description, &args.variant)?;
    let dir = match &args.run {
        Some(dir) => dir.clone(),
        None => newest(&workspace.runs().join(&args.name), &args.variant)
            .ok_or_else(|| no_run_of(args))?,
    };
    let typed = args.count.as_deref().map(|text| count(text, "them").map_err(usage));
    let mut said = vec![];
    said.extend(args.resource.clone().map(|text| (Part::Resource, text)));
    said.extend(args.function.clone().map(|text| (Part::Function, text)));
    said.extend(typed.transpose()?.map(|value| (Part::Count, value.to_string())));
    let (mut learner, mut told) = (None, None);
    say(&format!("Box {} of {}, by {}:", args.variant, args.name, shorten(&dir).display()))?;
    loop {
        match reply(&lab, &dir, &args.variant, &said, &interrupt)? {
            Reply::Asks { part, ask, of } => {
                fits(&said, part, &mut told)?;
                let learner = match &mut learner {
                    Some(learner) => learner,
                    none => none.insert(Learner::listen(None)?),
                };
                said.push((part, hear(learner, part, &ask, &of, &interrupt)?));
            }
            Reply::Wrong { part, says } => {
                fits(&said, part, &mut told)?;
                say(&format!("The {} does not fit. {says}", part.word()))?;
                return Ok(Code::NotReproduced);
            }
            Reply::Right { says } => {
                say(&format!("Right: all three fit. {says}"))?;
                return Ok(Code::Fine);
            }
            Reply::NoEvidence { reason } => {
                say(&format!("This run shows nothing of the box: {reason}. Run it again."))?;
                return Ok(Code::InvalidRun);
            }
        }
    }
}

/// Refuses what is no black box of the lab.
fn check_asks(lab: &Description, variant: &str) -> anyhow::Result<()> {
    let boxes: Vec<&str> = asking(lab).map(|variant| variant.name.as_str()).collect();
    if boxes.is_empty() {
        return Err(usage(format!("{} has no black boxes", lab.name)));
    }
    if boxes.contains(&variant) {
        return Ok(());
    }
    Err(usage(nearest::unknown("black box", variant, boxes)))
}

/// The newest run below `home` that ran this variant to its end, live, with no knob turned.
fn newest(home: &Path, variant: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(home).ok()?.flatten().map(|entry| entry.path());
    // `latest` is a link to one of them.
    let runs = entries.filter(|dir| !dir.is_symlink()).filter_map(|dir| {
        let plan: Plan = read_json(&dir.join("plan.json")).ok()?;
        let mut trials = plan.trials.iter().filter(|trial| {
            trial.variant == variant && trial.mode == Mode::Live && trial.is_timed()
        });
        let finished = |id: &str| dir.join("trials").join(id).join("metrics.json").is_file();
        let shows = plan.set.is_empty() && trials.any(|trial| finished(&trial.id));
        shows.then_some((plan.created, dir))
    });
    runs.max().map(|(_, dir)| dir)
}

fn no_run_of(args: &Args) -> anyhow::Error {
    let Args { name, variant, .. } = args;
    let program = lab_text::program::name();
    usage(format!(
        "box {variant} was not run: look at it first, `{program} lab {name} --variant {variant}`"
    ))
}

/// Says of each part before `next` that it fits, once: the last that was told is in `told`.
fn fits(said: &[(Part, String)], next: Part, told: &mut Option<Part>) -> anyhow::Result<()> {
    let mut fit: Vec<_> = said.iter().filter(|(part, _)| *part < next).collect();
    fit.sort_by_key(|(part, _)| *part);
    for (part, text) in fit {
        if Some(*part) > *told {
            say(&format!("  {text} fits the evidence ({}).", part.word()))?;
            *told = Some(*part);
        }
    }
    Ok(())
}

/// Asks until what is typed is an answer.
fn hear(
    learner: &Learner,
    part: Part,
    ask: &str,
    of: &str,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    let hint = match part {
        Part::Resource => RESOURCES.join(", "),
        Part::Function => "its name in a flame graph, such as compare".into(),
        Part::Count => format!("a number of {of}"),
    };
    loop {
        let typed = learner.ask(&format!("{ask} ({hint}): "), interrupt)?;
        let typed = typed.trim();
        let understood = match part {
            Part::Resource => resource(typed),
            Part::Function if typed.is_empty() => Err("Nothing was typed.".into()),
            Part::Function => Ok(typed.to_owned()),
            Part::Count => count(typed, of).map(|value| value.to_string()),
        };
        match understood {
            Ok(value) => return Ok(value),
            Err(instead) => say(&instead)?,
        }
    }
}

fn resource(typed: &str) -> Result<String, String> {
    let known = RESOURCES.iter().find(|known| known.eq_ignore_ascii_case(typed));
    let instead = || format!("`{typed}` is none of {}.", RESOURCES.join(", "));
    known.map(|known| (*known).to_owned()).ok_or_else(instead)
}

fn count(typed: &str, of: &str) -> Result<f64, String> {
    read_answer(typed, &Answer::Count { of: of.into() })
}

/// What the lab replies.
fn reply(
    lab: &Path,
    dir: &Path,
    variant: &str,
    said: &[(Part, String)],
    interrupt: &Interrupt,
) -> anyhow::Result<Reply> {
    let mut command = Command::new(lab);
    command.arg("answer").arg(dir).arg(variant);
    for (part, value) in said {
        // In one word: a value may begin with a hyphen.
        command.arg(OsString::from(format!("--{}={value}", part.word())));
    }
    let Captured { ended, stdout, stderr } = capture(command, DEADLINE, interrupt)?;
    let what = format!("{} answer {}", lab.display(), dir.display());
    ensure!(ended.well(), "{what} {ended}\n{}", stderr.trim_end());
    parse_json(&stdout).with_context(|| format!("{what}: not a reply"))
}

fn say(words: &str) -> anyhow::Result<()> {
    let mut text = String::new();
    let hang = words.len() - words.trim_start().len();
    paragraph(&mut text, &words[..hang], &words[hang..], hang);
    print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_as_people_type_it_and_nothing_else_is_a_resource() {
        assert_eq!(count("1,000", "writes"), Ok(1_000.0));
        assert_eq!(count("8 writes", "writes"), Ok(8.0));
        assert!(count("nan", "writes").is_err() && count("many", "writes").is_err());
        assert_eq!(resource("Disk"), Ok("disk".to_owned()));
        assert!(resource("disc").unwrap_err().contains("cpu, memory, disk, network, lock, none"));
    }
}
