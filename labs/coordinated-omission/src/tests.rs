//! Each claim is seen to hold, and to fail once its cause is taken away.

use std::time::Duration;

use lab_kit::{Ctx, How, Judged, Lab, Mode, Rehearsal, Variant, rehearse};
use lab_record::{FinishedTrial, Judgement, Outcome, Run};
use tempfile::TempDir;

use crate::claims::{
    as_told, even_odds, freeze_by_formula, m_m_1_p99_ms, omitted, recorded_after, resolution, size,
};
use crate::histogram::{differing, of_an_hour, worst_error};
use crate::published::{THOUGHT_EXPERIMENT, WRK2_FREEZE};
use crate::queue::World::{Closed, Open};
use crate::queue::{self, BIMODAL, EXPONENTIAL};
use crate::setup::{Setup, Stall};
use crate::tool::{self, Tool};
use crate::{LAB, VARIANTS, published, recording};

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
    Rehearsal { mode: Mode::Virtual, variants, set, measure: None }
}

/// The judgements, and the run in its directory.
fn run(lab: &Lab, what: Rehearsal<'_>) -> (Vec<Judgement>, (Run, TempDir)) {
    let dir = tempfile::tempdir().unwrap();
    let judged = rehearse(lab, dir.path(), what).unwrap();
    (judged, (Run::load(dir.path()).unwrap(), dir))
}

/// The outcomes of one claim by one way, where there is evidence.
fn outcomes(judged: &[Judgement], id: &str, how: How) -> Vec<Outcome> {
    let of_claim = judged.iter().filter(|j| j.id == id && j.how == how);
    of_claim.map(|j| j.outcome).filter(|o| *o != Outcome::Unavailable).collect()
}

/// The lab with one variant that does something else under the same name.
fn planted(name: &'static str, run: fn(&mut Ctx) -> anyhow::Result<()>) -> Lab {
    let plant = Variant::new(name, "planted", run).live([1; 3]).simulated([1; 3]);
    let others = VARIANTS.iter().filter(|v| !format!("{v:?}").contains(&format!("\"{name}\"")));
    let variants: Vec<Variant> = std::iter::once(plant).chain(others.copied()).collect();
    Lab { variants: variants.leak(), ..LAB }
}

/// Whether a claim fails in every simulated way, when `variants` run with a plant among them.
fn fails(measure: Duration, lab: &Lab, variants: &[&str], id: &str) -> bool {
    let what = Rehearsal { measure: Some(measure), ..simulated(variants, &[]) };
    let found = outcomes(&run(lab, what).0, id, How::Virtual);
    !found.is_empty() && found.iter().all(|o| *o == Outcome::NotReproduced)
}

fn holds(judged: Judged) -> bool {
    judged.unwrap().holds
}

#[test]
fn every_claim_holds_by_formula_and_in_simulated_time() {
    let all = LAB.describe().variants;
    let all: Vec<&str> =
        all.iter().filter(|v| v.simulated.is_some()).map(|v| v.name.as_str()).collect();
    let (queues, stalls): (Vec<&str>, Vec<&str>) =
        all.iter().partition(|name| name.starts_with("exponential") || name.starts_with("bimodal"));
    for (variants, rows) in [(queues, 3), (stalls, 13)] {
        let (judged, _) = run(&LAB, simulated(&variants, &[]));
        let by = |how| judged.iter().filter(move |j| j.how == how);
        assert!(by(How::ClosedForm).all(|j| j.outcome == Outcome::Reproduced), "{judged:#?}");
        let found: Vec<_> =
            by(How::Virtual).filter(|j| j.outcome != Outcome::Unavailable).collect();
        assert!(found.iter().all(|j| j.outcome == Outcome::Reproduced), "{found:#?}");
        assert_eq!(found.len(), rows, "every check has its evidence: {found:#?}");
    }
}

#[test]
fn a_stall_in_the_first_and_in_the_last_second_shows() {
    for at in ["0s", "1ms", "500ms", "2s", "2500ms", "2950ms"] {
        let (judged, _) = run(&LAB, simulated(FIVE, &[("stall-at", at)]));
        for id in ["CO-2", "CO-5", "CO-6"] {
            let found = outcomes(&judged, id, How::Virtual);
            assert!(found.iter().all(|o| *o == Outcome::Reproduced), "{at}: {id}: {judged:#?}");
        }
    }
}

#[test]
fn without_a_stall_nothing_is_claimed_of_one() {
    let variants = [FIVE, &["any-moment"]].concat();
    let (judged, _) = run(&LAB, simulated(&variants, &[("stall", "0s")]));
    for (id, checks) in [("CO-2", 1), ("CO-5", 4), ("CO-6", 3)] {
        let found = outcomes(&judged, id, How::Virtual);
        let failed = found.iter().filter(|o| **o == Outcome::NotReproduced).count();
        assert_eq!(failed, checks, "{id}: {found:?}");
    }
}

#[test]
fn a_stall_after_the_span_makes_the_trial_invalid() {
    let (judged, _) = run(&LAB, simulated(FIVE, &[("stall-at", "3s")]));
    assert!(outcomes(&judged, "CO-5", How::Virtual).iter().all(|o| *o == Outcome::Invalid));
}

#[test]
fn the_thought_experiment_needs_its_stall() {
    assert!(holds(as_told(Duration::from_secs(100))) && !holds(as_told(Duration::ZERO)));
    let lab = planted("thought-experiment", |ctx| {
        let stall = Stall { length: Duration::ZERO, ..THOUGHT_EXPERIMENT.stall };
        let setup = Setup { stall, ..THOUGHT_EXPERIMENT };
        published::run(ctx, &setup, Tool::RecordCorrect)
    });
    assert!(fails(200_000 * MS, &lab, &["thought-experiment"], "CO-1"));
}

#[test]
fn the_correction_needs_what_was_omitted() {
    assert_eq!(omitted(Duration::from_secs(100)).value, 9_999.0);
    assert_eq!(omitted(Duration::from_millis(19)).value, 0.0);
    let lab = planted("record-correct", |ctx| tool::run(ctx, Tool::ClosedLoop));
    assert!(fails(3_000 * MS, &lab, &["record-correct"], "CO-2"));
}

#[test]
fn a_load_that_waits_is_not_taken_for_an_open_one() {
    let lab = planted("open-loop", |ctx| tool::run(ctx, Tool::ClosedLoop));
    assert!(
        fails(3_000 * MS, &lab, &["open-loop"], "CO-3"),
        "it asks next to nothing during the stall"
    );
    let lab = planted("wrk2-freeze", |ctx| published::run(ctx, &WRK2_FREEZE, Tool::TokenBucket));
    assert!(fails(19_750 * MS, &lab, &["wrk2-freeze"], "CO-3"), "it counts from the send");
    assert!(fails(19_750 * MS, &lab, &["wrk2-freeze"], "CO-5"));
}

#[test]
fn the_freeze_needs_its_length() {
    assert!(holds(freeze_by_formula(1.4).near_relative(1.27, 0.1)));
    assert!(!holds(freeze_by_formula(0.7).near_relative(1.27, 0.1)));
    let lab = planted("wrk2-freeze", |ctx| {
        let stall = Stall { length: Duration::from_millis(700), ..WRK2_FREEZE.stall };
        published::run(ctx, &Setup { stall, ..WRK2_FREEZE }, Tool::CatchingUp)
    });
    assert!(fails(19_750 * MS, &lab, &["wrk2-freeze"], "CO-6"));
}

#[test]
fn a_count_that_starts_after_the_send_is_found_out() {
    let outcome = |of_response: u64, lateness: u64| {
        // Recorded straight, since no ledger would make such a mistake.
        let lab = match (of_response, lateness) {
            (1, _) => planted("open-loop", |ctx| made_up(ctx, [1, 2, 0])),
            (_, 2) => planted("open-loop", |ctx| made_up(ctx, [3, 1, 2])),
            _ => planted("open-loop", |ctx| made_up(ctx, [3, 3, 0])),
        };
        let what = Rehearsal { variants: &["open-loop"], ..SHORT };
        let (judged, _) = run(&lab, what);
        ["CO-4", "CO-7"].map(|id| outcomes(&judged, id, How::Live)[0])
    };
    use Outcome::{NotReproduced, Reproduced};
    assert_eq!(outcome(3, 0), [Reproduced, Reproduced]);
    assert_eq!(outcome(1, 0), [NotReproduced, Reproduced]);
    assert_eq!(outcome(3, 2), [Reproduced, NotReproduced]);
}

/// Two thousand times this response, service and lateness in milliseconds.
fn made_up(ctx: &mut Ctx, ms: [u64; 3]) -> anyhow::Result<()> {
    for (name, ms) in ["response", "service", "lateness"].into_iter().zip(ms) {
        let mut series = ctx.series();
        for _ in 0..2_000 {
            series.record(Duration::from_secs(1), Duration::from_millis(ms));
        }
        ctx.save(name, series)?;
    }
    Ok(())
}

#[test]
fn calibration_size_error_and_sums_can_all_be_wrong() {
    assert!(holds(recorded_after(10.0)) && !holds(recorded_after(0.0)));
    assert!(holds(size(3)) && !holds(size(2)));
    assert!(holds(resolution(3)) && !holds(resolution(2)));
    assert!(worst_error(3) <= 0.001 && worst_error(2) > 0.001);
    assert!(holds(even_odds(0.99)) && !holds(even_odds(0.999)));
    assert!(holds(m_m_1_p99_ms(0.8).near(2.30, 0.005)));
    assert!(!holds(m_m_1_p99_ms(0.7).near(2.30, 0.005)));
    let (mut left, mut right) = (of_an_hour(3), of_an_hour(3));
    left.record_n(1_000, 2).unwrap();
    right.record_n(1_000, 1).unwrap();
    right.record(2_000).unwrap();
    assert_eq!(differing(&left, &right), 2.0);
}

#[test]
fn a_recorder_that_slows_down_is_found_out() {
    let lab = planted("recording", |ctx| {
        let costs = recording::cost_of(Duration::from_millis(100), |i| {
            std::hint::black_box((0..i / 1_000).fold(0, |sum, i| sum ^ std::hint::black_box(i)));
        });
        recording::note(ctx, &costs);
        Ok(())
    });
    let (judged, _) = run(&lab, Rehearsal { variants: &["recording"], ..SHORT });
    assert_eq!(outcomes(&judged, "CO-9", How::Live), [Outcome::NotReproduced]);
}

#[test]
fn a_closed_world_is_not_taken_for_an_open_one() {
    let three = ["exponential-open", "exponential-ten-clients", "exponential-one-client"];
    let lab = planted("exponential-open", |ctx| {
        queue::run(ctx, "exponential-response", EXPONENTIAL, Closed(1))
    });
    assert!(fails(130_000 * MS, &lab, &three, "BRK-8"));
    let two = ["bimodal-open", "bimodal-one-client"];
    let lab = planted("bimodal-open", |ctx| queue::run(ctx, "bimodal-response", EXPONENTIAL, Open));
    assert!(fails(10_000 * MS, &lab, &two, "BRK-9"), "no slow requests");
    let lab =
        planted("bimodal-open", |ctx| queue::run(ctx, "bimodal-response", BIMODAL, Closed(1)));
    assert!(fails(10_000 * MS, &lab, &two, "BRK-9"), "no queue");
}

/// Live: what holds however busy the machine is. Latencies do not, counts do.
#[test]
fn live_tools_account_for_every_request_and_only_the_open_loop_keeps_asking() {
    let (judged, (run, _dir)) = run(&LAB, SHORT);
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
    for id in ["CO-2", "CO-3", "CO-4", "CO-5", "CO-6", "CO-7"] {
        assert!(!outcomes(&judged, id, How::Live).is_empty(), "{id} has its evidence");
    }
}

fn value(trial: &FinishedTrial, metric: &str) -> f64 {
    trial.metrics.metrics[metric].value
}

#[test]
fn without_a_stall_no_live_claim_of_one_holds() {
    let variants = &["closed-loop", "record-correct", "open-loop"];
    let (set, measure) = (&[("stall", "0s")], Some(MS * 1_200));
    let what = Rehearsal { variants, set, measure, ..SHORT };
    let (judged, _) = run(&LAB, what);
    for id in ["CO-2", "CO-5", "CO-6"] {
        let found = outcomes(&judged, id, How::Live);
        assert!(found.iter().all(|o| *o != Outcome::Reproduced), "{id}: {found:?}");
    }
}

#[test]
fn a_trial_that_ends_within_the_stall_waits_for_its_answers() {
    let set = &[("stall", "400ms"), ("stall-at", "400ms"), ("connections", "3")];
    let variants = &["tick-skipping", "open-loop"];
    let what = Rehearsal { variants, set, measure: Some(MS * 500), ..SHORT };
    let (_, (run, _dir)) = run(&LAB, what);
    for trial in &run.finished {
        let sum = trial.metrics.accounting;
        assert!(sum.adds_up() && sum.in_flight == 0, "{}: {sum:?}", trial.trial.variant);
    }
    let open = run.finished[1].metrics.accounting;
    assert!(open.completed >= 499, "{open:?}");
}
