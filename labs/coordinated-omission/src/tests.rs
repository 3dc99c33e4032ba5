//! A stall at any moment shows, and every request is accounted for.

use std::time::Duration;

use lab_kit::{How, Mode, Rehearsal, rehearse};
use lab_record::{FinishedTrial, Judgement, Outcome, Run};
use tempfile::TempDir;

use crate::LAB;

const MS: Duration = Duration::from_millis(1);
const FIVE: &[&str] =
    &["closed-loop", "tick-skipping", "token-bucket", "record-correct", "open-loop"];
/// So short that a test may wait for it, and long enough for a p99 of every tool.
const SHORT: Rehearsal<'_> = Rehearsal {
    mode: Mode::Live,
    variants: FIVE,
    set: &[("stall", "300ms"), ("stall-at", "400ms")],
    measure: Some(Duration::from_millis(1_500)),
};

fn simulated<'a>(variants: &'a [&'a str], set: &'a [(&'a str, &'a str)]) -> Rehearsal<'a> {
    Rehearsal { mode: Mode::Simulated, variants, set, measure: None }
}

/// The judgements, and the run in its directory.
fn run(what: Rehearsal<'_>) -> (Vec<Judgement>, (Run, TempDir)) {
    let dir = tempfile::tempdir().unwrap();
    let judged = rehearse(&LAB, dir.path(), what).unwrap();
    (judged, (Run::load(dir.path()).unwrap(), dir))
}

/// The outcomes of one claim by one way, where there is evidence.
fn outcomes(judged: &[Judgement], id: &str, how: How) -> Vec<Outcome> {
    let of_claim = judged.iter().filter(|j| j.id == id && j.how == how);
    of_claim.map(|j| j.outcome).filter(|o| *o != Outcome::Unavailable).collect()
}

#[test]
fn a_stall_in_the_first_or_last_second_is_visible() {
    for at in ["0s", "1ms", "500ms", "2s", "2500ms", "2950ms"] {
        let (judged, _) = run(simulated(FIVE, &[("stall-at", at)]));
        for id in ["CO-2", "CO-5", "CO-6"] {
            let found = outcomes(&judged, id, How::Simulated);
            assert!(found.iter().all(|o| *o == Outcome::Reproduced), "{at}: {id}: {judged:#?}");
        }
    }
}

#[test]
fn a_stall_after_the_span_makes_the_trial_invalid() {
    let (judged, _) = run(simulated(FIVE, &[("stall-at", "3s")]));
    assert!(outcomes(&judged, "CO-5", How::Simulated).iter().all(|o| *o == Outcome::Invalid));
}

/// Live: what holds however busy the machine is. Latencies do not, counts do.
#[test]
fn live_tools_account_for_every_request_and_only_the_open_loop_keeps_asking() {
    let (judged, (run, _dir)) = run(SHORT);
    for trial in &run.finished {
        let sum = trial.metrics.accounting;
        assert!(sum.adds_up() && sum.offered > 0, "{sum:?}");
        assert_eq!((sum.failed, sum.timed_out, sum.in_flight), (0, 0, 0), "{sum:?}");
        let asked = value(trial, "asked_in_stall");
        match trial.trial.variant.as_str() {
            "open-loop" => assert!(asked > 0.9, "{asked}"),
            waits => assert!(asked < 0.1, "{waits}: {asked}"),
        }
    }
    let open = &run.finished[4];
    let p99_ms = open.series("response").unwrap().total().value_at_quantile(0.99) / 1_000_000;
    assert!(p99_ms > 250, "300 ms less 1 % of 1.5 s, or more on a busy machine: {p99_ms} ms");
    for id in ["CO-2", "CO-3", "CO-5", "CO-6"] {
        assert!(!outcomes(&judged, id, How::Live).is_empty(), "{id} has its evidence");
    }
}

fn value(trial: &FinishedTrial, metric: &str) -> f64 {
    trial.metrics.metrics[metric].value
}

#[test]
fn a_trial_that_ends_within_the_stall_waits_for_its_answers() {
    let set = &[("stall", "400ms"), ("stall-at", "400ms"), ("connections", "3")];
    let variants = &["tick-skipping", "open-loop"];
    let what = Rehearsal { variants, set, measure: Some(MS * 500), ..SHORT };
    let (_, (run, _dir)) = run(what);
    for trial in &run.finished {
        let sum = trial.metrics.accounting;
        assert!(sum.adds_up() && sum.in_flight == 0, "{}: {sum:?}", trial.trial.variant);
    }
    let open = run.finished[1].metrics.accounting;
    assert!(open.completed >= 499, "{open:?}");
}
