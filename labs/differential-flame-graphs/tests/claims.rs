//! Every check holds and can fail, and so can each requirement of those of what was sampled.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use std::path::Path;
use std::time::Duration;

use differential_flame_graphs::LAB;
use lab_kit::{How, Mode, Rehearsal, fails_alone, judge_figures, rehearse};
use lab_record::{Judgement, Outcome};

fn judged(dir: &Path, variants: &[&str], ms: u64, set: &[(&str, &str)]) -> Vec<Judgement> {
    let measure = Some(Duration::from_millis(ms));
    rehearse(&LAB, dir, Rehearsal { mode: Mode::Live, variants, set, measure }).unwrap()
}

fn live<'a>(claims: &'a [Judgement], id: &str) -> &'a Judgement {
    claims.iter().find(|claim| claim.id == id && claim.how == How::Live).unwrap()
}

#[test]
fn every_check_holds_and_fails_without_its_cause() {
    lab_kit::check_lab(&LAB);
}

/// What the trials of a quiet machine file: variant, metric, value.
const FIGURES: &[(&str, &str, f64, Option<u64>)] = &[
    ("half-load", "blue_as_it_stands", 0.99, None),
    ("half-load", "moved_normalised", 0.02, None),
    ("one-slower", "colour_one_slower", 0.045, None),
    ("one-slower", "colour_same_build", 0.004, None),
    ("one-slower", "samples", 40_000.0, None),
    ("one-slower", "rank_of_slower", 1.0, None),
    ("one-slower", "growth_of_slower", 20.0, None),
    ("compression", "rank_of_match", 1.0, None),
    ("compression", "path_is_new", 1.0, None),
    ("work-per-sample", "cost_of_a_wait", 40.0, None),
];

#[test]
fn each_requirement_can_fail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let claims = judge_figures(&LAB, dir.path(), Mode::Live, FIGURES).unwrap();
    let mut live = claims.iter().filter(|claim| claim.how == How::Live);
    assert!(live.all(|claim| claim.outcome == Outcome::Reproduced));
    // A variant's metrics that are off, the claim that must notice, and the figure that it must
    // show.
    for (variant, off, id, shown) in [
        ("half-load", &[("blue_as_it_stands", 0.94)][..], "DFG-5", 0.94),
        ("half-load", &[("moved_normalised", 0.06)], "DFG-5", 0.06),
        // Nor has a build without a change a colour that its own noise could hide behind.
        ("one-slower", &[("colour_one_slower", 0.009), ("colour_same_build", 0.0)], "DFG-9", 0.009),
        ("one-slower", &[("colour_same_build", 0.018)], "DFG-9", 0.4),
        ("one-slower", &[("rank_of_slower", 2.0)], "DFG-11", 2.0),
        ("one-slower", &[("growth_of_slower", 3.9)], "DFG-11", 3.9),
        ("compression", &[("rank_of_match", 2.0)], "DFG-10", 2.0),
        ("compression", &[("path_is_new", 0.0)], "DFG-10", 0.0),
        ("work-per-sample", &[("cost_of_a_wait", 4.9)], "CPI-2", 4.9),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let off: Vec<_> = off.iter().map(|(metric, value)| (variant, *metric, *value)).collect();
        fails_alone(&LAB, dir.path(), FIGURES, &off, id, shown).unwrap();
    }
}

#[test]
fn too_few_samples_make_checks_unavailable_and_keep_both_profiles() {
    let dir = tempfile::tempdir().unwrap();
    let claims = judged(dir.path(), &["one-slower"], 300, &[]);
    assert_eq!(live(&claims, "DFG-11").outcome, Outcome::Unavailable);
    assert!(live(&claims, "DFG-11").reason.contains("too few"));
    for side in ["before", "before-again", "after"] {
        let folded = dir.path().join("trials/001-one-slower").join(side).with_extension("folded");
        assert!(std::fs::read_to_string(folded).unwrap().contains("score "));
    }
}
