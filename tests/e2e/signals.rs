//! Runners that are ended from outside: children end too, and what is there is kept.

use std::fs;
use std::process::Child;

use lab_record::{State, Summary, read_json};
use rustix::process::{Pid, Signal, kill_process};

use crate::workshop::{Workshop, alive, states, wait_until};

/// Starts a run whose second trial never ends, and waits until it has started.
fn hanging_run(workshop: &Workshop, behaviour: &str) -> Child {
    let behaviour = format!("behaviour={behaviour}");
    let runner = workshop.start_lab(&["--set", &behaviour, "--set", "who=live-only"]);
    let latest = workshop.path().join("target/perf-lab/fake-lab/latest/trials/002-live-only/pids");
    wait_until("the second trial runs", || latest.is_file());
    runner
}

fn signal(runner: &Child, signal: Signal) {
    kill_process(Pid::from_child(runner), signal).unwrap();
}

/// Interrupts a hanging run, and asserts that it ends well.
fn interrupted(with: Signal, behaviour: &str) {
    let workshop = Workshop::new();
    let runner = hanging_run(&workshop, behaviour);
    signal(&runner, with);
    let output = runner.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("interrupted: 1 of 5 trials are kept in target/perf-lab"), "{stderr}");
    let run = workshop.latest();
    assert!(alive(&run).is_empty(), "no lab outlives the runner");
    let states: Vec<State> = states(&run).into_iter().map(|(_, state)| state).collect();
    let rest = [State::NotRun, State::NotRun, State::NotRun];
    assert_eq!(states, [&[State::Finished, State::Killed][..], &rest].concat());
    let summary: Summary = read_json(&run.join("summary.json")).unwrap();
    assert_eq!(summary.series.keys().collect::<Vec<_>>(), ["both"]);
    assert_eq!(workshop.xtask(&["list"]).stderr.matches("was not finished").count(), 0);
}

#[test]
fn ctrl_c_ends_children_and_keeps_finished_trials() {
    interrupted(Signal::INT, "hang");
}

#[test]
fn sigterm_ends_a_run_even_with_a_lab_that_ignores_signals() {
    interrupted(Signal::TERM, "deaf");
}

#[test]
fn after_sigkill_no_lab_survives_and_the_next_run_reports_it_once() {
    let workshop = Workshop::new();
    let mut runner = hanging_run(&workshop, "deaf");
    signal(&runner, Signal::KILL);
    runner.wait().unwrap();
    let run = workshop.latest();
    wait_until("no lab lives", || alive(&run).is_empty());
    assert!(!run.join("summary.json").exists());

    assert!(!workshop.xtask(&["list"]).stderr.contains("was not finished"), "of no lab asked for");
    let apart = |out| workshop.lab(&["--variant", "both", "--simulated", "--out", out]);
    let said = apart("apart");
    let name = run.file_name().unwrap().to_str().unwrap();
    let hint = format!("was not finished: see `cargo xtask show target/perf-lab/fake-lab/{name}`");
    assert!(said.stderr.contains(&hint), "{said:?}");
    let again = apart("again");
    assert!(!again.stderr.contains("was not finished"), "once is enough: {again:?}");

    let shown = workshop.xtask(&["show"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("killed: 002-live-only"), "{shown:?}");
    assert!(shown.stdout.contains("both"), "the finished trial is shown: {shown:?}");
}

#[test]
fn a_run_in_progress_is_not_reported_as_unfinished() {
    let workshop = Workshop::new();
    let runner = hanging_run(&workshop, "hang");
    let said = workshop.lab(&["--variant", "both", "--simulated", "--out", "apart"]);
    assert!(!said.stderr.contains("was not finished"), "{said:?}");
    signal(&runner, Signal::INT);
    runner.wait_with_output().unwrap();
}

#[test]
fn a_simulated_run_cut_short_is_replaced_by_the_next() {
    let workshop = Workshop::new();
    let args = ["--simulated", "--set", "behaviour=hang", "--set", "who=simulated-only"];
    let mut runner = workshop.start_lab(&args);
    let latest = workshop.path().join("target/perf-lab/fake-lab/latest/trials");
    wait_until("a simulated trial runs", || {
        fs::read_dir(&latest).is_ok_and(|mut trials| {
            trials.any(|trial| trial.unwrap().path().join("pids").is_file())
        })
    });
    let busy = workshop.lab(&args);
    assert_eq!(busy.code, 1, "{busy:?}");
    assert!(busy.stderr.contains("another runner writes here"), "{busy:?}");
    signal(&runner, Signal::KILL);
    runner.wait().unwrap();
    wait_until("no lab lives", || alive(&workshop.latest()).is_empty());
    let again = workshop.lab(&[&args[..], &["--deadline", "300ms"]].concat());
    assert!(again.stderr.contains("hung and was killed"), "{again:?}");
}
