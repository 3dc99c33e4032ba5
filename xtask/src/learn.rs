//! `cargo xtask learn NAME`: predict, run and compare; take the cause away, and predict again.
//!
//! Its directory, `<lab>/learn-<utc-time>-<short-id>`, holds `answers.json` ([`Answers`]) and the runs,
//! each of which `show` and `report` read: `1-TAS-2`, `1-TAS-2-without`, and a second try `…-again`.

mod answer;
mod ask;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use lab_record::{
    Answered, Answers, Knobs, LessonFigures, LessonSpec, Mode, ProfileKind, write_json,
};
use lab_verdict::render::count;

use crate::busy::Busy;
use crate::ending::address;
use crate::execute::Programs;
use crate::exit::{Code, usage};
use crate::lab::experiment::Experiment;
use crate::lab::program;
use crate::output::{paint, paragraph, print};
use crate::plan::{Depth, Request};
use crate::process::Interrupt;
use crate::run_dir;
use crate::workspace::{Workspace, shorten};
pub(crate) use answer::read as read_answer;
pub(crate) use ask::Learner;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The lab, such as tail-latency
    name: String,
    /// Take the predictions from this file, a line each, instead of asking for them
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Keep answers and runs in this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Use this program instead of building the lab
    #[arg(long, value_name = "PATH", hide = true)]
    binary: Option<PathBuf>,
}

/// Leads through a lab's lessons.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("learn")?;
    args.out.as_deref().map(run_dir::check_free).transpose()?;
    let learner = Learner::listen(args.answers.as_deref())?;
    let interrupt = Interrupt::listen()?;
    let (lab, description) = program(&args.name, args.binary.as_deref(), &workspace, &interrupt)?;
    if description.lessons.is_empty() {
        return Err(usage(format!(
            "{lab} has no lessons: `{program} lab {lab}` runs it",
            lab = description.name,
            program = lab_text::program::name()
        )));
    }
    let busy = Busy::begin(&workspace.runs())?;
    let named = args.out.as_deref().map(std::path::absolute).transpose()?;
    let dir = named.unwrap_or_else(|| {
        let name = format!("learn-{}", run_dir::live_name(SystemTime::now()));
        workspace.runs().join(&args.name).join(name)
    });
    std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    print(&show::welcome(&description))?;
    let experiment = Experiment {
        workspace: &workspace,
        interrupt: &interrupt,
        description,
        request: request(),
        programs: Programs { lab, probe: None, observer: None },
        is_ours: args.binary.is_none(),
    };
    let answers = Answers { lab: args.name.clone(), answers: Vec::new() };
    let mut course = Course { experiment, learner, dir, answers };
    let kept = |course: &Course| {
        let dir = shorten(&course.dir).display();
        let answers = count(course.answers.answers.len(), "answer");
        format!("{answers} kept in {dir}/answers.json")
    };
    if let Err(error) = course.lead() {
        bail!("{error:#}\n{}", kept(&course));
    }
    let readme = format!("labs/{}/README.md", args.name);
    let readme = workspace.root.join(&readme).is_file().then_some(readme.as_str());
    let ending = show::ending(&course.experiment.description, &course.answers.answers, readme);
    print(&format!("{ending}\n{}\n", kept(&course)))?;
    busy.tell();
    Ok(Code::Fine)
}

/// A request for a trial of each variant, without profiles or probes.
fn request() -> Request {
    Request {
        mode: Mode::Live,
        depth: Depth::Quick,
        variants: Vec::new(),
        set: Vec::new(),
        trials: Some(1),
        duration: None,
        deadline: None,
        seed: 1,
        profile: ProfileKind::Cpu,
        profiler: None,
        probes: Vec::new(),
        own_probes: false,
        without_probes: BTreeMap::new(),
    }
}

/// The lessons of a lab, and the learner.
struct Course<'a> {
    experiment: Experiment<'a>,
    learner: Learner,
    dir: PathBuf,
    answers: Answers,
}

impl Course<'_> {
    fn lead(&mut self) -> anyhow::Result<()> {
        self.save()?;
        for (at, lesson) in self.experiment.description.lessons.clone().iter().enumerate() {
            print(&show::setup(&self.experiment.description, at + 1, lesson, paint()))?;
            let name = format!("{}-{}", at + 1, lesson.claim);
            self.side(lesson, &Knobs::new(), &lesson.ask, &name)?;
            say(&lesson.because)?;
            print(&show::away(lesson))?;
            self.side(lesson, &lesson.without, &lesson.away, &format!("{name}-without"))?;
            say(&lesson.so)?;
        }
        Ok(())
    }

    /// Asks, runs and shows. The answer is on disk before the run begins.
    fn side(
        &mut self,
        lesson: &LessonSpec,
        without: &Knobs,
        ask: &str,
        name: &str,
    ) -> anyhow::Result<()> {
        let (typed, value, hints) = self.predict(lesson, ask)?;
        self.answers.answers.push(Answered {
            claim: lesson.claim.clone(),
            without: without.clone(),
            typed,
            value,
            hints,
            predicted: None,
            measured: None,
            run: name.to_owned(),
        });
        self.save()?;
        let mut found = self.measure(lesson, without, name)?;
        let mut run = name.to_owned();
        if found.invalid {
            say(&format!("This run is invalid: {}. Once again.", found.reason))?;
            run = format!("{name}-again");
            found = self.measure(lesson, without, &run)?;
        }
        let answered = self.answers.answers.last_mut().context("one was pushed")?;
        (answered.predicted, answered.measured) = (found.predicted, found.measured);
        answered.run.clone_from(&run);
        let result = show::result(answered, &lesson.answer, paint());
        self.save()?;
        print(&result)?;
        if found.measured.is_none() {
            say(&format!("Nothing was measured: {}.", found.reason))?;
        }
        let page = address(&self.dir.join(&run).join(lab_report::PAGE));
        print(&format!("page {page}\n\n"))
    }

    /// Asks until the answer is understood. Returns it as typed, its value, and the number of hints
    /// given.
    fn predict(&self, lesson: &LessonSpec, ask: &str) -> anyhow::Result<(String, f64, usize)> {
        let (answer, interrupt) = (&lesson.answer, self.experiment.interrupt);
        print(&show::question(ask, answer))?;
        let mut hints = lesson.hints.iter();
        loop {
            let typed = self.learner.ask(&show::prompt(answer), interrupt)?;
            if typed.trim() == "?" {
                say(hints.next().map_or("There are no more hints.", String::as_str))?;
                continue;
            }
            match answer::read(&typed, answer) {
                Ok(value) => {
                    let used = lesson.hints.len() - hints.len();
                    return Ok((typed.trim().to_owned(), value, used));
                }
                Err(instead) => say(&instead)?,
            }
        }
    }

    /// The figures of a run of the lesson's trials.
    fn measure(
        &mut self,
        lesson: &LessonSpec,
        set: &Knobs,
        name: &str,
    ) -> anyhow::Result<LessonFigures> {
        let mode = lesson.how.mode();
        self.experiment.request.duration = Some(Duration::from_millis(lesson.span_ms));
        let reads: BTreeSet<_> = lesson.reads.iter().map(|reads| (mode, reads.clone())).collect();
        let plan = self.experiment.plan(&reads, set)?;
        let claims = self.experiment.run(&plan, &self.dir.join(name))?;
        let found = claims.lessons.into_iter().find(|found| found.claim == lesson.claim);
        found.with_context(|| format!("the lab says nothing of its lesson on {}", lesson.claim))
    }

    fn save(&self) -> anyhow::Result<()> {
        write_json(&self.dir.join("answers.json"), &self.answers)
    }
}

fn say(words: &str) -> anyhow::Result<()> {
    let mut text = String::new();
    paragraph(&mut text, "", words, 0);
    print(&text)
}
