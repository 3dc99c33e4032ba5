//! Every check of every claim says "not reproduced" when its cause is taken away, and a simulation
//! repeats to the byte.
#![allow(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use std::fs;
use std::time::Duration;

use lab_kit::{How, Mode, Rehearsal, rehearse};
use lab_record::{Judgement, Outcome};
use tail_latency::LAB;

/// What one check of a claim says after a small run.
fn judged(
    (id, how): (&str, How),
    variants: &[&str],
    set: &[(&str, &str)],
    measure: Duration,
) -> Judgement {
    let dir = tempfile::tempdir().unwrap();
    let mode = if how == How::Live { Mode::Live } else { Mode::Virtual };
    let what = Rehearsal { mode, variants, set, measure: Some(measure) };
    let claims = rehearse(&LAB, dir.path(), what).unwrap();
    claims.into_iter().find(|claim| claim.id == id && claim.how == how).unwrap()
}

fn assert_outcome(judgement: &Judgement, outcome: Outcome) {
    assert_eq!(judgement.outcome, outcome, "{judgement:?}");
}

#[test]
fn formulas_agree_with_their_sources() {
    let dir = tempfile::tempdir().unwrap();
    let none = Rehearsal { mode: Mode::Virtual, variants: &[], set: &[], measure: None };
    let claims = rehearse(&LAB, dir.path(), none).unwrap();
    let formulas: Vec<_> = claims.iter().filter(|claim| claim.how == How::ClosedForm).collect();
    assert_eq!(formulas.len(), 12);
    formulas.iter().for_each(|claim| assert_outcome(claim, Outcome::Reproduced));
    let trials = claims.iter().filter(|claim| claim.how != How::ClosedForm);
    trials.for_each(|claim| assert_outcome(claim, Outcome::Unavailable));
}

/// Simulated checks: claim, variants, seconds of simulated time, and what takes the cause away.
type Case<'a> = (&'a str, &'a [&'a str], u64, &'a [(&'a str, &'a str)]);

const SIMULATED: &[Case] = &[
    ("TAS-2", &["fan-out"], 15, &[("slow-fraction", "0")]),
    ("TAS-3", &["two-thousand"], 5, &[("slow-fraction", "0")]),
    ("TAS-5", &["table-1-shared"], 17, &[("pauses", "none")]),
    ("TAS-6", &["table-1-shared"], 17, &[("pauses", "none")]),
    ("TAS-7", &["table-1-independent", "table-1-shared"], 11, &[("pauses", "none")]),
    ("TAS-8", &["hedged"], 15, &[("hedge-budget", "0")]),
    ("TAS-9", &["bigtable", "bigtable-hedged"], 105, &[("hedge-budget", "0")]),
    ("TAS-10", &["hedge-sweep"], 5, &[("hedge-budget", "0")]),
    ("TAS-14", &["tied"], 5, &[("tie-after", "0s"), ("message-delay", "10ms")]),
    ("TAS-15", &["tie-sweep"], 300, &[("message-delay", "0s")]),
    ("TAS-16", &["replica", "replica-tied"], 2_000, &[("chores", "0")]),
    ("TAS-21", &["correlation-sweep"], 5, &[("hedge-budget", "0")]),
    ("TAS-28", &["background-spread", "background-synchronized"], 15, &[("duty-cycle", "0")]),
    ("BRK-1", &["mixture"], 45, &[("leaves", "1")]),
];

/// One test for each half of the list, so that they run side by side.
fn check_simulated(cases: &[Case]) {
    for (id, variants, seconds, without_cause) in cases {
        let measure = Duration::from_secs(*seconds);
        let claim = (*id, How::Virtual);
        assert_outcome(&judged(claim, variants, &[], measure), Outcome::Reproduced);
        assert_outcome(&judged(claim, variants, without_cause, measure), Outcome::NotReproduced);
    }
}

#[test]
fn simulated_checks_fail_without_their_cause() {
    check_simulated(&SIMULATED[..7]);
}

#[test]
fn simulated_checks_fail_without_their_cause_continued() {
    check_simulated(&SIMULATED[7..]);
}

#[test]
fn live_checks_fail_without_their_cause() {
    // Slow services, so that a generator late by milliseconds on a busy machine is still valid.
    let slowly = [("service-time", "300ms"), ("leaves", "20"), ("rate", "40")];
    for (id, variants, without_cause) in [
        ("TAS-2", &["fan-out"][..], ("slow-fraction", "0")),
        ("TAS-8", &["hedged"], ("hedge-budget", "0")),
        ("TAS-14", &["tied"], ("tie-after", "1m")),
        ("TAS-28", &["background-spread", "background-synchronized"], ("duty-cycle", "0")),
    ] {
        let slow_time =
            if id == "TAS-2" { [("slow-time", "1s")] } else { [("slow-time", "300ms")] };
        let set = [&slowly[..], &slow_time, &[without_cause]].concat();
        let judgement = judged((id, How::Live), variants, &set, Duration::from_millis(900));
        assert_outcome(&judgement, Outcome::NotReproduced);
    }
}

#[test]
fn a_simulation_repeats_to_the_byte_and_another_seed_does_not() {
    let metrics = |seed: u64| {
        let dir = tempfile::tempdir().unwrap();
        let set = [("leaves", "10")];
        let what = Rehearsal {
            mode: Mode::Virtual,
            variants: &["hedged"],
            set: &set,
            measure: Some(Duration::from_secs(5)),
        };
        rehearse(&LAB, dir.path(), what).unwrap();
        let trial = dir.path().join("trials/001-hedged");
        // The same trial again, replayed by hand from its own directory.
        let file = trial.join("trial.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"seed\": 1,", &format!("\"seed\": {seed},"))).unwrap();
        let program = env!("CARGO_BIN_EXE_tail-latency");
        let status = std::process::Command::new(program).arg("run").arg(&trial).status().unwrap();
        assert!(status.success());
        let read = |name: &str| fs::read(trial.join(name)).unwrap();
        (read("metrics.json"), read("response.hlog"))
    };
    assert_eq!(metrics(1), metrics(1));
    assert_ne!(metrics(1), metrics(2));
}
