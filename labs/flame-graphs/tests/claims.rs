//! Every check holds and can fail, and so can each requirement of those of what was sampled.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use std::fs;
use std::time::Duration;

use flame_graphs::LAB;
use lab_kit::{How, Mode, Rehearsal, fails_alone, judge_figures, rehearse};
use lab_record::{Judgement, Outcome};

fn judged(dir: &std::path::Path, variants: &[&str], set: &[(&str, &str)]) -> Vec<Judgement> {
    let measure = Some(Duration::from_millis(1_500));
    rehearse(&LAB, dir, Rehearsal { mode: Mode::Live, variants, set, measure }).unwrap()
}

#[test]
fn every_check_holds_and_fails_without_its_cause() {
    lab_kit::check_lab(&LAB);
}

/// What the trials of a quiet machine file: variant, metric, value, and of how many samples.
const FIGURES: &[(&str, &str, f64, Option<u64>)] = &[
    ("one-to-five", "func_c_ratio", 1.0 / 6.0, Some(3_000)),
    ("one-to-five", "func_e_ratio", 5.0 / 6.0, Some(3_000)),
    ("hot-stack", "one_tower_ratio", 0.99, Some(3_000)),
    ("at-100-hz", "first_half_ratio", 1.0, Some(400)),
    ("at-99-hz", "first_half_ratio", 0.5, Some(400)),
    ("frame-pointers", "mean_depth", 45.0, None),
    ("frame-pointers", "whole_ratio", 1.0, Some(1_000)),
    ("no-frame-pointers", "mean_depth", 3.0, None),
    ("no-frame-pointers", "whole_ratio", 0.0, Some(1_000)),
    ("thirty-profiles", "dispersion", 1.0, None),
    ("thirty-profiles", "rare_ratio", 1.0 / 6.0, Some(6_000)),
];

#[test]
fn each_requirement_can_fail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let claims = judge_figures(&LAB, dir.path(), Mode::Live, FIGURES).unwrap();
    let mut live = claims.iter().filter(|claim| claim.how == How::Live);
    assert!(live.all(|claim| claim.outcome == Outcome::Reproduced));
    // A variant's metric that is off, the claim that must notice, and the figure that it must show.
    for (variant, metric, off, id, shown) in [
        ("one-to-five", "func_c_ratio", 0.2, "FG-12", 0.2),
        ("one-to-five", "func_c_ratio", 0.13, "FG-12", 0.13),
        ("one-to-five", "func_e_ratio", 0.79, "FG-12", 0.79),
        ("hot-stack", "one_tower_ratio", 0.979, "FG-13", 0.979),
        ("at-100-hz", "first_half_ratio", 0.85, "FG-14", 0.35),
        ("at-99-hz", "first_half_ratio", 0.56, "FG-14", 0.06),
        ("frame-pointers", "mean_depth", 5.0, "FG-15", 0.6),
        ("no-frame-pointers", "mean_depth", 36.0, "FG-15", 0.8),
        ("frame-pointers", "whole_ratio", 0.94, "FG-15", 0.94),
        ("no-frame-pointers", "whole_ratio", 0.06, "FG-15", 0.06),
        ("thirty-profiles", "dispersion", 2.2, "FG-16", 2.2),
        ("thirty-profiles", "dispersion", 0.3, "FG-16", 0.3),
        ("thirty-profiles", "rare_ratio", 0.2, "FG-16", 0.2),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fails_alone(&LAB, dir.path(), FIGURES, &[(variant, metric, off)], id, shown).unwrap();
    }
}

#[test]
fn the_profiles_keep_their_folded_stacks() {
    let dir = tempfile::tempdir().unwrap();
    judged(dir.path(), &["one-to-five"], &[]);
    let folded = dir.path().join("trials/001-one-to-five/sampled.folded");
    let folded = fs::read_to_string(folded).unwrap();
    assert!(folded.lines().any(|line| line.contains("func_d;") && line.contains("func_e ")));
}
