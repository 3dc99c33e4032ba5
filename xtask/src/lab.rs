//! `cargo xtask lab NAME`: from arguments to a judged run, in one straight line.

pub(crate) mod args;
pub(crate) mod experiment;
mod falsify;
mod limits;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use anyhow::{bail, ensure};
use lab_record::{
    Claims, Description, Environment, Judgement, Mode, Outcome, Plan, Run, State, Summary, Trial,
    write_json,
};

pub(crate) use args::Args;

use crate::boxes::{RANDOM, any_box};
use crate::build;
use crate::busy::Busy;
use crate::ending;
use crate::environment;
use crate::execute::{Programs, execute, failure};
use crate::exit::{Code, usage};
use crate::flame;
use crate::judge::judge;
use crate::observer;
use crate::plan::{Planned, Request, plan, typed, wanted_probes, wants_profile};
use crate::probe;
use crate::process::Interrupt;
use crate::profiler;
use crate::progress::Trials;
use crate::run_dir::{self, RunDir};
use crate::rustflags;
use crate::schedule::run_all;
use crate::summary::summarize;
use crate::workspace::{Workspace, shorten};
use args::Profile;

/// Typed instead of a probe's name: no probe.
const NO_PROBE: &str = "none";
/// The share of stolen CPU time above which the user is told.
const STEAL_WORTH_SAYING: f64 = 0.02;

/// Runs one lab.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let workspace = Workspace::with_labs("lab")?;
    run_dir::report_unfinished(&workspace, &args.name);
    args.out.as_deref().map(run_dir::check_free).transpose()?;
    let interrupt = Interrupt::listen()?;
    if args.falsify {
        return falsify::run(args, &workspace, &interrupt);
    }
    let (binary, description) =
        program(&args.name, args.binary.as_deref(), &workspace, &interrupt)?;
    let (plan, programs) = prepare(args, &workspace, binary, description, &interrupt)?;
    check_loopback(&plan)?;
    if let Some(note) = rustflags::note().filter(|_| args.binary.is_none()) {
        eprintln!("note: {note}");
    }
    let busy = Busy::begin(&workspace.runs())?;
    let dir = RunDir::create(&workspace, args.out.as_deref(), &plan, &programs.lab)?;
    write_json(&dir.path.join("plan.json"), &plan)?;
    let mut environment = environment::collect(&workspace.root, args.binary.is_none());
    if args.binary.is_none() {
        environment.features = workspace.lab(&args.name)?.default_features();
    }
    let (environment, failed) = measure_in(&plan, &programs, &dir.path, environment, &interrupt)?;
    let (summary, incomplete) = conclude(&programs.lab, &dir.path, &interrupt)?;
    report(args, &summary, &dir.path, &environment)?;
    let finished = summary.trials.iter().filter(|trial| trial.state == State::Finished).count();
    let kept = format!("{finished} of {} trials are kept in {}", summary.trials.len(), summary.run);
    ensure!(!interrupt.raised(), "interrupted: {kept}");
    if let Some(failed) = failed {
        bail!("{failed}\n{kept}");
    }
    busy.tell();
    if args.strict {
        tell_unchecked(&summary);
    }
    incomplete.map_or(Ok(verdict(&summary, args)), Err)
}

/// Checks the loopback interface, over which a lab that serves requests talks to itself.
fn check_loopback(plan: &Plan) -> anyhow::Result<()> {
    let serves = plan.description.variants.iter().any(|variant| variant.responds);
    let is_up = || UdpSocket::bind("127.0.0.1:0")?.connect("127.0.0.1:9");
    match is_up() {
        Err(error) if plan.mode == Mode::Live && serves => bail!(
            "loopback is down ({error}), and this lab talks over it: ip link set lo up; \
             --simulated needs none"
        ),
        _ => Ok(()),
    }
}

/// Prints a note about unavailable checks, for which `--strict` does not fail.
fn tell_unchecked(summary: &Summary) {
    let unavailable = summary.claims.iter().filter(|row| row.outcome == Outcome::Unavailable);
    let rows: Vec<String> =
        unavailable.map(|row| format!("{} ({})", row.id, row.how.words())).collect();
    if !rows.is_empty() {
        eprintln!("note: not checked here: {}", rows.join(", "));
    }
}

/// The lab's program and its description.
pub(crate) fn program(
    name: &str,
    binary: Option<&Path>,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<(PathBuf, Description)> {
    let binary = match binary {
        Some(binary) => std::path::absolute(binary)?,
        None => build::build(workspace, workspace.lab(name)?, interrupt)?,
    };
    let description = build::describe(&binary, interrupt)?;
    ensure!(
        description.name == name,
        "{} describes lab `{}`, not `{name}`",
        binary.display(),
        description.name,
    );
    Ok((binary, description))
}

/// Plans the run and chooses its profiler.
fn prepare(
    args: &Args,
    workspace: &Workspace,
    lab: PathBuf,
    description: Description,
    interrupt: &Interrupt,
) -> anyhow::Result<(Plan, Programs)> {
    let mut request = args.request();
    choose_any(&mut request, &description)?;
    request.own_probes = args.probe != [NO_PROBE];
    let typed = args.probe.iter().filter(|_| request.own_probes);
    request.probes =
        typed.map(|name| Ok(probe::find(name)?.name.to_owned())).collect::<anyhow::Result<_>>()?;
    // Once before a probe is built, so that a wrong argument is reported at once.
    let first = plan(&description, &request)?;
    limits::check_variants(&args.limits, &first.trials)?;
    limits::ask_for_trials(&args.limits, &mut request);
    let wanted = wanted_probes(&description, &request);
    let mut programs = programs_for(&mut request, lab, wanted, workspace, interrupt)?;
    if args.profile != Profile::None && wants_profile(&description, &request) {
        let choice = profiler::choose(request.profile, args.profiler, workspace, interrupt)?;
        if let Some(note) = &choice.note {
            eprintln!("note: {note}");
        }
        request.profiler = choice.backend;
        programs.probe = choice.probe;
    }
    let Planned { trials, notes } = plan(&description, &request)?;
    for note in notes {
        eprintln!("note: {note}");
    }
    let limits = args.limits.iter().map(|ask| ask.typed.clone()).collect();
    Ok((Plan { limits, ..new_plan(description, request, trials)? }, programs))
}

/// Replaces `--variant random` by one of the lab's black boxes.
fn choose_any(request: &mut Request, lab: &Description) -> anyhow::Result<()> {
    for name in request.variants.iter_mut().filter(|name| *name == RANDOM) {
        let no_box = || usage(format!("{} has no black boxes to choose from", lab.name));
        *name = any_box(lab).ok_or_else(no_box)?;
        eprintln!("note: box {name}");
    }
    Ok(())
}

/// The programs of a run under these probes; records in `request` which probes cannot run here.
fn programs_for(
    request: &mut Request,
    lab: PathBuf,
    mut probes: Vec<String>,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Programs> {
    let mut programs = Programs { lab, probe: None, observer: None };
    probes.sort_unstable();
    probes.dedup();
    if !probes.is_empty() {
        let observer = observer::choose(&probes, &programs.lab, workspace, interrupt)?;
        for note in observer::notes(&observer.without) {
            eprintln!("note: {note}");
        }
        (programs.observer, request.without_probes) = (observer.program, observer.without);
    }
    Ok(programs)
}

/// Prints what is about to run.
fn new_plan(
    description: Description,
    request: Request,
    trials: Vec<Trial>,
) -> anyhow::Result<Plan> {
    Ok(Plan {
        command: std::env::args().collect(),
        created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        mode: request.mode,
        seed: request.seed,
        set: typed(&description, &request)?,
        description,
        trials,
        without_probes: request.without_probes,
        limits: Vec::new(),
    })
}

/// Runs the trials between two readings of the machine. Also returns what went wrong.
fn measure_in(
    plan: &Plan,
    programs: &Programs,
    dir: &Path,
    mut environment: Environment,
    interrupt: &Interrupt,
) -> anyhow::Result<(Environment, Option<String>)> {
    let file = dir.join("environment.json");
    write_json(&file, &environment)?;
    let before = lab_look::Moment::now();
    let failed = run_trials(plan, programs, dir, interrupt)?;
    environment.after = Some(environment::read());
    environment.look = Some(lab_look::between(&before, &lab_look::Moment::now()));
    write_json(&file, &environment)?;
    Ok((environment, failed))
}

/// Runs the trials until one fails: later ones would share its cause. Returns what went wrong.
fn run_trials(
    plan: &Plan,
    programs: &Programs,
    dir: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<String>> {
    let (progress, asks) = (Trials::new(plan.trials.len()), limits::asks_of(plan));
    let failed = Mutex::new(None);
    run_all(&plan.trials, environment::cpus() as usize, |trial| {
        if interrupt.raised() {
            return Ok(false);
        }
        let dir = dir.join("trials").join(&trial.id);
        let running = progress.start(trial);
        let exit = execute(programs, &dir, trial, interrupt, |elapsed| running.tick(elapsed))?;
        if exit.state != State::Finished && !interrupt.raised() {
            let mut first = failed.lock().expect("no holder of this lock panics");
            first.get_or_insert_with(|| failure(&dir, trial, &exit));
        }
        // An unknown figure is reported after the first trial, not only after the last.
        limits::check_figures(&asks, trial, &dir)?;
        Ok(exit.state == State::Finished)
    })?;
    Ok(failed.into_inner().expect("no holder of this lock panics"))
}

/// Has the lab judge what there is, draws its profiles, and writes the page. A failure to judge or
/// draw is reported later, since the figures are still good.
fn conclude(
    lab: &Path,
    dir: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<(Summary, Option<anyhow::Error>)> {
    // After Ctrl-C the user does not want to wait for claims.
    let judged =
        if interrupt.raised() { Ok(Claims::default()) } else { judge(lab, dir, interrupt) };
    let (claims, unjudged) = match judged {
        Ok(claims) => (claims, None),
        Err(error) => (Claims::default(), Some(error)),
    };
    let run = Run::load(dir)?;
    let undrawn = flame::draw_run(&run).err();
    let mut summary = summarize(&run, claims, shorten(dir))?;
    summary.limits = limits::judge(&limits::asks_of(&run.plan), &run)?;
    summary.artifacts.extend([lab_report::PAGE.into(), lab_report::TEXT.into()]);
    write_json(&dir.join("summary.json"), &summary)?;
    let unwritten = lab_report::write_run(dir, None).err();
    Ok((summary, unjudged.or(undrawn).or(unwritten)))
}

fn report(
    args: &Args,
    summary: &Summary,
    dir: &Path,
    environment: &Environment,
) -> anyhow::Result<()> {
    ending::print_as(args.format, args.all, summary, dir)?;
    if let Some(steal) = environment.steal_ratio().filter(|steal| *steal > STEAL_WORTH_SAYING) {
        eprintln!("note: the hypervisor gave {:.1} % of the CPU time to others", steal * 100.0);
    }
    Ok(())
}

/// The exit code of a run whose trials all finished.
fn verdict(summary: &Summary, args: &Args) -> Code {
    let strict = args.strict;
    let any = |outcome| summary.claims.iter().any(|claim: &Judgement| claim.outcome == outcome);
    if !summary.valid {
        Code::InvalidRun
    } else if let Some(code) = limits::code(summary, args.require_decision) {
        code
    } else if strict && any(Outcome::NotReproduced) {
        Code::NotReproduced
    } else if strict && any(Outcome::Invalid) {
        Code::InvalidRun
    } else {
        Code::Fine
    }
}
