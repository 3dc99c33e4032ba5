//! Each outcome, its exit code, and what makes a comparison invalid.

use lab_verdict::comparison::{Comparison, ComparisonOutcome, Kind, SideName};
use lab_verdict::method::Method;
use lab_verdict::metric::Metric;
use lab_verdict::pair::{Pair, pair_up};
use lab_verdict::scenario::{self, Scenario};
use lab_verdict::trial::TrialRecord;
use lab_verdict::verdict::Verdict;

use crate::noise::{metrics, pair};

/// 24 pairs whose differences go up and down by `spread` around `change`, the same in every metric.
pub(crate) fn pairs(change: f64, spread: f64) -> Vec<Pair> {
    let difference = |i: usize| change + spread * [-1.0, -0.5, 0.5, 1.0][i % 4];
    (0..24).map(|i| pair(i, &metrics().map(|m| (m, difference(i))).collect())).collect()
}

pub(crate) fn judge(name: &str, pairs: &[Pair], refused: &[String]) -> Scenario {
    let method = Method::default();
    scenario::judge(name, ("base", "new"), pairs, refused, &method, &method.looks(1).unwrap())
}

pub(crate) fn comparison(scenarios: Vec<Scenario>) -> Comparison {
    let method = Method::default();
    let looks = method.looks(1).unwrap();
    Comparison::new(
        Kind::Gate,
        (SideName::new("main"), SideName::new("HEAD")),
        method,
        looks,
        scenarios,
    )
}

#[test]
fn every_outcome_has_its_exit_code() {
    for (change, spread, outcome, code, required) in [
        (0.10, 0.01, ComparisonOutcome::Regressed, 3, 3),
        (-0.10, 0.01, ComparisonOutcome::Improved, 0, 0),
        (0.0, 0.01, ComparisonOutcome::Equivalent, 0, 0),
        (0.0, 0.5, ComparisonOutcome::Inconclusive, 0, 4),
    ] {
        let found = comparison(vec![judge("one", &pairs(change, spread), &[])]).outcome;
        assert_eq!(
            (found, found.exit_code(false), found.exit_code(true)),
            (outcome, code, required)
        );
    }
    let invalid =
        comparison(vec![judge("one", &pairs(0.1, 0.01), &["cut short".to_owned()])]).outcome;
    assert_eq!(
        (invalid, invalid.exit_code(false), invalid.exit_code(true)),
        (ComparisonOutcome::Invalid, 6, 6)
    );
}

#[test]
fn a_comparison_is_as_bad_as_its_worst_scenario() {
    let of = |change, spread| judge("one", &pairs(change, spread), &[]);
    let invalid = || judge("one", &pairs(0.1, 0.01), &["cut short".to_owned()]);
    let whole = |scenarios| comparison(scenarios).outcome;
    assert_eq!(whole(vec![of(0.0, 0.01), of(-0.1, 0.01)]), ComparisonOutcome::Improved);
    assert_eq!(whole(vec![of(0.0, 0.5), of(-0.1, 0.01)]), ComparisonOutcome::Inconclusive);
    assert_eq!(whole(vec![of(0.0, 0.5), invalid()]), ComparisonOutcome::Invalid);
    assert_eq!(whole(vec![of(0.1, 0.01), invalid()]), ComparisonOutcome::Regressed);
    assert_eq!(whole(vec![]), ComparisonOutcome::Invalid);
}

#[test]
fn a_clear_change_stops_at_the_first_look_and_noise_goes_to_the_last() {
    assert_eq!(judge("one", &pairs(0.1, 0.01), &[]).judged_pairs, 8);
    let noisy = judge("one", &pairs(0.0, 0.5), &[]);
    assert_eq!((noisy.judged_pairs, noisy.next_look), (24, None));
    let row = &noisy.metrics[0];
    assert!(row.half_width_ratio.unwrap() > 0.05 && row.pairs_needed.unwrap() > 24, "{row:?}");
}

#[test]
fn pairs_that_run_out_before_a_look_are_inconclusive_and_name_the_look() {
    let cut = judge("one", &pairs(0.0, 0.5)[..14], &[]);
    assert_eq!(
        (cut.verdict, cut.judged_pairs, cut.next_look),
        (Some(Verdict::Inconclusive), 14, Some(16))
    );
    let barely = judge("one", &pairs(0.5, 0.0)[..2], &[]);
    assert_eq!((barely.verdict, barely.next_look), (Some(Verdict::Inconclusive), Some(8)));
    assert!(barely.metrics[0].change_ratio.is_some() && barely.metrics[0].low_ratio.is_none());
}

#[test]
fn a_decided_metric_keeps_its_verdict_while_the_other_takes_more_pairs() {
    let mut pairs = pairs(0.0, 0.01);
    for pair in &mut pairs {
        pair.new.slice_p99_ns =
            vec![if pair.new.quad % 2 == 0 { 500_000_000 } else { 2_000_000_000 }; 10];
    }
    let judged = judge("one", &pairs, &[]);
    assert_eq!(
        (judged.metrics[0].verdict, judged.metrics[0].pairs),
        (Some(Verdict::Equivalent), 8)
    );
    assert_eq!((&judged.metrics[1].metric, judged.metrics[1].pairs), (&Metric::P99I, 24));
}

#[test]
fn invalid_trials_forbid_a_verdict() {
    type Spoil = fn(&mut TrialRecord);
    let spoils: [(Spoil, &str); 6] = [
        (|t| t.invalid_reasons.push("lost its shard".to_owned()), "trial 7 (new): lost its shard"),
        (|t| t.failed = Some(3), "trial 7 (new): 3 requests failed"),
        (|t| t.count = 19_780, "trial 7 (new): achieved 98.9% of the offered rate"),
        (|t| t.slice_p99_ns.truncate(9), "9 time slices"),
        (|t| t.p50_ns = 0, "p50 is 0 ns"),
        (|t| t.slice_p99_ns = vec![0; 10], "p99i is 0 ns"),
    ];
    for (spoil, reason) in spoils {
        let mut pairs = pairs(0.1, 0.01);
        spoil(&mut pairs[3].new);
        let judged = judge("one", &pairs, &[]);
        assert_eq!(judged.verdict, None, "{reason}");
        assert!(judged.metrics.iter().chain(&judged.guards).all(|row| row.verdict.is_none()));
        assert!(
            judged.invalid_reasons.iter().any(|r| r.contains(reason)),
            "{:?}",
            judged.invalid_reasons
        );
    }
}

/// Makes the generator of a trial late by a ninth of its p50.
fn make_late(trial: &mut TrialRecord) {
    trial.lateness_p99_ns = Some(trial.p50_ns / 9);
}

/// Judges the pairs with the first `count` of them disturbed.
fn with_first(count: usize, mut pairs: Vec<Pair>, disturb: impl Fn(&mut Pair)) -> Scenario {
    pairs.iter_mut().take(count).for_each(disturb);
    judge("one", &pairs, &[])
}

#[test]
fn a_late_pair_is_dropped_and_replaced_by_the_next() {
    let mut pairs = pairs(0.1, 0.01);
    make_late(&mut pairs[0].base);
    make_late(&mut pairs[5].new);
    // What it measured does not matter.
    pairs[5].new.p50_ns *= 100;
    make_late(&mut pairs[5].new);
    let judged = judge("one", &pairs, &[]);
    assert_eq!((judged.verdict, judged.judged_pairs), (Some(Verdict::Regressed), 8));
    let counted: Vec<u64> = judged.pairs.iter().map(|pair| pair.seed).collect();
    assert_eq!(counted, [1, 2, 3, 4, 6, 7, 8, 9]);
    let late: Vec<u64> = judged.disturbed_pairs.iter().map(|pair| pair.base_trial / 2).collect();
    assert_eq!(late, [0, 5]);
    assert!(judged.metrics[0].change_ratio.unwrap() < 0.2);
}

#[test]
fn late_pairs_past_the_spare_ones_are_invalid() {
    let late = |count| with_first(count, pairs(0.0, 0.5), |pair| make_late(&mut pair.new));
    let borne = late(6);
    assert_eq!((borne.verdict, borne.judged_pairs), (Some(Verdict::Inconclusive), 18));
    let refused = late(7);
    assert_eq!((refused.verdict, refused.disturbed_pairs.len()), (None, 7));
    assert!(
        refused.invalid_reasons[0].contains("in 7 pairs, where 6 of 24 may be taken again"),
        "{refused:?}"
    );
}

/// Has other programs take more than half of the CPU time beside a trial.
fn crowd(trial: &mut TrialRecord) {
    trial.others_cpu_ratio = Some(0.51);
}

#[test]
fn a_pair_beside_busy_programs_is_dropped_and_too_many_are_invalid() {
    let beside = |count| with_first(count, pairs(0.1, 0.01), |pair| crowd(&mut pair.base));
    let borne = beside(6);
    assert_eq!((borne.verdict, borne.judged_pairs), (Some(Verdict::Regressed), 8));
    assert_eq!(borne.disturbed_pairs.len(), 6);
    let refused = beside(7);
    assert_eq!((refused.verdict, refused.disturbed_pairs.len()), (None, 7));
    let said = &refused.invalid_reasons[0];
    assert!(said.starts_with("other programs had over half of the CPU time, in 7 pairs"), "{said}");
}

#[test]
fn each_cause_of_disturbance_is_reported_with_its_pairs() {
    let mut pairs = pairs(0.0, 0.5);
    pairs.iter_mut().take(5).for_each(|pair| make_late(&mut pair.new));
    pairs.iter_mut().skip(4).take(4).for_each(|pair| crowd(&mut pair.base));
    let said = judge("one", &pairs, &[]).invalid_reasons.remove(0);
    for cause in ["10% of the p50, in 5 pairs; other", "CPU time, in 3 pairs, where 6 of 24"] {
        assert!(said.contains(cause), "{said}");
    }
}

#[test]
fn lateness_after_the_look_that_decides_does_not_matter() {
    let mut pairs = pairs(0.1, 0.01);
    pairs.iter_mut().skip(8).for_each(|pair| make_late(&mut pair.base));
    let judged = judge("one", &pairs, &[]);
    assert_eq!((judged.verdict, judged.disturbed_pairs.len()), (Some(Verdict::Regressed), 0));
}

#[test]
fn a_late_pair_hides_no_request_error() {
    let mut pairs = pairs(0.1, 0.01);
    make_late(&mut pairs[3].new);
    pairs[3].new.failed = Some(1);
    let judged = judge("one", &pairs, &[]);
    assert_eq!(judged.verdict, None);
    assert!(judged.invalid_reasons[0].contains("trial 7 (new): 1 request failed"), "{judged:?}");
}

#[test]
fn a_trial_exactly_on_the_limits_is_valid() {
    let mut pairs = pairs(0.1, 0.01);
    pairs[3].base.count = 19_800;
    pairs[3].base.lateness_p99_ns = Some(pairs[3].base.p50_ns / 10);
    pairs[3].base.others_cpu_ratio = Some(0.5);
    assert_eq!(judge("one", &pairs, &[]).verdict, Some(Verdict::Regressed));
}

#[test]
fn unequal_trial_counts_and_seeds_are_refused() {
    let trials: Vec<TrialRecord> =
        pairs(0.1, 0.01).into_iter().flat_map(|p| [p.base, p.new]).collect();
    let (whole, refused) = pair_up(&trials, "base");
    assert_eq!((whole.len(), refused.len()), (24, 0));
    let (left, refused) = pair_up(&trials[..47], "base");
    assert_eq!(left.len(), 23);
    assert!(
        refused[0].contains("unequal trial counts, 1 of the base and 0 of the new side"),
        "{refused:?}"
    );
    assert_eq!(judge("one", &left, &refused).verdict, None);
    let mut reseeded = trials;
    reseeded[0].seed += 1;
    let (_, refused) = pair_up(&reseeded, "base");
    assert!(
        refused[0].contains("quad 0, pair 0: its halves have different arrival seeds"),
        "{refused:?}"
    );
}
