//! Labs that misbehave: one clear error, finished trials kept, no process left behind.

use std::fs;

use lab_record::State;

use crate::workshop::{Said, Workshop, alive, exit_of, states, wait_until};

/// Makes `live-only`, the second of three live variants, behave so.
fn misbehave(workshop: &Workshop, behaviour: &str, more: &[&str]) -> Said {
    let behaviour = format!("behaviour={behaviour}");
    workshop.lab(&[&["--set", &behaviour, "--set", "who=live-only"], more].concat())
}

/// Asserts that the second trial ended the run in `state`, and the first was kept.
fn ended_the_run(workshop: &Workshop, said: &Said, state: State, words: &str) {
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains(words), "`{words}` in {said:?}");
    assert!(said.stderr.contains("trials/002-live-only"), "the path, in {said:?}");
    assert!(said.stderr.contains("1 of 5 trials are kept"), "{said:?}");
    assert_eq!(said.stderr.matches("error:").count(), 1, "one error, in {said:?}");
    let run = workshop.latest();
    let states: Vec<State> = states(&run).into_iter().map(|(_, state)| state).collect();
    let rest = [State::NotRun, State::NotRun, State::NotRun];
    assert_eq!(states, [&[State::Finished, state][..], &rest].concat());
    assert!(said.stdout.contains("reproduced"), "what there is was judged: {said:?}");
    assert!(run.join("summary.json").is_file());
    wait_until("every process is gone", || alive(&run).is_empty());
}

#[test]
fn a_lab_that_fails_is_quoted() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "crash", &[]);
    ended_the_run(&workshop, &said, State::Crashed, "failed with exit code 1");
    assert!(said.stderr.contains("| fake-lab: told to crash"), "{said:?}");
}

#[test]
fn a_lab_that_aborts_names_its_signal() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "abort", &[]);
    ended_the_run(&workshop, &said, State::Crashed, "ended by signal 6");
    assert_eq!(exit_of(&workshop.latest(), "002-live-only").signal, Some(6));
}

#[test]
fn a_lab_that_leaves_no_metrics_has_not_finished() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "silent", &[]);
    ended_the_run(&workshop, &said, State::Crashed, "left no metrics.json");
}

#[test]
fn a_lab_that_hangs_is_killed_at_its_deadline() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "hang", &["--deadline", "2s"]);
    ended_the_run(&workshop, &said, State::TimedOut, "hung and was killed");
}

#[test]
fn a_lab_that_ignores_sigterm_is_killed() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "deaf", &["--deadline", "2s"]);
    ended_the_run(&workshop, &said, State::TimedOut, "hung and was killed");
    assert_eq!(exit_of(&workshop.latest(), "002-live-only").signal, Some(9));
}

#[test]
fn processes_that_a_lab_leaves_running_are_killed() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "spawn", &[]);
    assert_eq!(said.code, 0, "{said:?}");
    let run = workshop.latest();
    let pids = fs::read_to_string(run.join("trials/002-live-only/pids")).unwrap();
    assert_eq!(pids.lines().count(), 2, "the lab and what it started");
    wait_until("every process is gone", || alive(&run).is_empty());
}

#[test]
fn a_truncated_log_is_an_error_with_its_path() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "truncate", &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("trials/002-live-only/response.hlog"), "{said:?}");
    let finished = states(&workshop.latest());
    assert!(finished.iter().all(|(_, state)| *state == State::Finished), "all are kept");
}

#[test]
fn a_lab_whose_judge_fails_keeps_its_figures() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "misjudge", &["--all"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("told to misjudge"), "{said:?}");
    assert!(said.stdout.contains("live-only"), "the percentiles are there: {said:?}");
    assert!(workshop.latest().join("summary.json").is_file());
}

#[test]
fn an_invalid_trial_makes_the_run_invalid() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "invalid", &["--strict"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.stdout.contains("invalid: 002-live-only: told to be invalid"), "{said:?}");
}

#[test]
fn a_refuted_claim_is_an_exit_code_only_when_asked() {
    let workshop = Workshop::new();
    let said = misbehave(&workshop, "refute", &["--all"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("not reproduced"), "{said:?}");
    assert_eq!(misbehave(&workshop, "refute", &["--strict"]).code, 7);
    assert_eq!(workshop.lab(&["--strict"]).code, 0, "and the check can pass");
}
