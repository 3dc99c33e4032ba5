//! Requests that are missing: too few for a figure, or never answered.

use lab_verdict::comparison::{Comparison, ComparisonOutcome};
use lab_verdict::method::Method;
use lab_verdict::metric::Metric;
use lab_verdict::pair::Pair;
use lab_verdict::render::lines::Paint;
use lab_verdict::render::{human, junit, markdown};
use lab_verdict::replay::replay;
use lab_verdict::scenario::{MetricResult, Scenario};
use lab_verdict::trial::TrialRecord;
use lab_verdict::verdict::Verdict;

use crate::noise::{seeded, uniform};
use crate::outcomes::{comparison, judge, pairs};

fn row(scenario: &Scenario, metric: Metric) -> &MetricResult {
    let mut rows = scenario.metrics.iter().chain(&scenario.guards);
    rows.find(|row| row.metric == metric).unwrap()
}

fn text(comparison: &Comparison) -> String {
    human(comparison, Paint::Plain).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A trial of 3,000 requests, of which 1.2 % take 200 ms and all others 8 ms, and which never
/// answers half of those that are slow, if it is `leaky`: they are in no percentile of it.
fn trial_of_slow_requests(seed: u64, leaky: bool, place: &str) -> String {
    let mut rng = seeded(seed);
    let mut slices: Vec<Vec<u64>> = vec![Vec::new(); 10];
    for i in 0..3_000 {
        let (slow, lost) = (uniform(&mut rng) < 0.012, uniform(&mut rng) < 0.5);
        let level = if slow { 200e6 } else { 8e6 };
        let took = (level * (1.0 + 0.01 * uniform(&mut rng))) as u64;
        if !(leaky && slow && lost) {
            slices[i / 300].push(took);
        }
    }
    let at = |values: &[u64], quantile: f64| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted[(quantile * sorted.len() as f64) as usize]
    };
    let all: Vec<u64> = slices.iter().flatten().copied().collect();
    let of_slices: Vec<u64> = slices.iter().map(|slice| at(slice, 0.99)).collect();
    format!(
        "{{{place},\"seed\":{seed},\"count\":{},\"p50_ns\":{},\"p99_ns\":{},\"p999_ns\":{},\
         \"max_ns\":{},\"slice_p99_ns\":{of_slices:?},\"offered\":3000,\"failed\":0,\
         \"lateness_p99_ns\":1000}}\n",
        all.len(),
        at(&all, 0.5),
        at(&all, 0.99),
        at(&all, 0.999),
        all.iter().max().unwrap(),
    )
}

/// The record of 24 pairs of which the side called `leaky` loses its slowest requests.
fn record_with_a_leak(leaky: &str) -> String {
    (0..48_u64)
        .map(|n| {
            let (quad, position) = (n / 4, n % 4);
            let side = if position == 0 || position == 3 { "base" } else { "new" };
            let place = format!(
                "\"trial\":{n},\"quad\":{quad},\"position\":{position},\"variant\":\"{side}\""
            );
            trial_of_slow_requests(n / 2, side == leaky, &place)
        })
        .collect()
}

#[test]
fn a_side_that_loses_its_slowest_requests_is_not_improved_but_regressed() {
    let found = replay(&record_with_a_leak("new"), None, &Method::default()).unwrap();
    let scenario = &found.scenarios[0];
    let p99i = row(scenario, Metric::P99I);
    assert!(p99i.change_ratio.unwrap() < -0.5, "the answers alone look faster: {p99i:?}");
    assert_eq!((p99i.verdict, p99i.high_ratio), (Some(Verdict::Inconclusive), None));
    assert_eq!(scenario.answered.as_ref().unwrap().verdict, Some(Verdict::Regressed));
    assert_eq!(found.outcome, ComparisonOutcome::Regressed);
    let said = text(&found);
    assert!(said.contains("regressed, new answers fewer of the same requests"), "{said}");
    assert!(said.contains("p99i: requests without an answer leave its interval open"), "{said}");
}

#[test]
fn a_side_is_not_slower_because_the_base_lost_its_slowest_requests() {
    let found = replay(&record_with_a_leak("base"), None, &Method::default()).unwrap();
    let p99i = row(&found.scenarios[0], Metric::P99I);
    assert!(p99i.change_ratio.unwrap() > 0.5, "{p99i:?}");
    assert_eq!((p99i.verdict, p99i.low_ratio), (Some(Verdict::Inconclusive), None));
    assert_eq!(found.outcome, ComparisonOutcome::Inconclusive);
}

#[test]
fn every_output_shows_how_many_requests_each_side_answered() {
    let found = replay(&record_with_a_leak("new"), None, &Method::default()).unwrap();
    let answered = found.scenarios[0].answered.as_ref().unwrap();
    assert_eq!((answered.base, answered.base_offered), (72_000, Some(72_000)));
    assert!((71_000..71_800).contains(&answered.new), "{answered:?}");
    let new = answered.new.to_string();
    let new = format!("{},{} of 72,000 in new", &new[..2], &new[2..]);
    for shown in [text(&found), markdown(&found), junit(&found, false)] {
        assert!(shown.contains("72,000 of 72,000 requests in base"), "{shown}");
        assert!(shown.contains(&new), "{shown}");
    }
    assert!(found.to_json().contains("\"new_offered\": 72000"));
}

/// Pairs that are the same but for what `change` does to the new side.
fn with_new(change: impl Fn(&mut TrialRecord)) -> Vec<Pair> {
    let mut pairs = pairs(-0.2, 0.01);
    pairs.iter_mut().for_each(|pair| change(&mut pair.new));
    pairs
}

#[test]
fn ends_that_the_experiment_expects_are_no_fault_of_a_side() {
    let ended = |refused: u64, expected: Option<u64>| {
        let mut pairs = pairs(0.1, 0.01);
        for trial in pairs.iter_mut().flat_map(|pair| [&mut pair.base, &mut pair.new]) {
            trial.offered = Some(trial.count + refused);
            trial.expected = expected;
        }
        judge("overloaded", &pairs, &[])
    };
    assert_eq!(ended(9_000, Some(9_000)).verdict, Some(Verdict::Regressed));
    for expected in [None, Some(0), Some(1_000)] {
        let judged = ended(9_000, expected);
        assert_eq!(judged.verdict, None);
        assert!(judged.invalid_reasons[0].contains("of the offered rate"), "{judged:?}");
    }
}

#[test]
fn a_percentile_among_requests_without_an_answer_is_a_bound_and_never_improved() {
    assert_eq!(judge("one", &with_new(|_| ()), &[]).verdict, Some(Verdict::Improved));
    let censored = with_new(|trial| {
        trial.count -= 150;
        trial.recorded = trial.offered;
        trial.censored_from_ns = Some(trial.p99_ns - 1);
        trial.p50_ns /= 2;
    });
    let judged = judge("one", &censored, &[]);
    let p99i = row(&judged, Metric::P99I);
    assert_eq!((p99i.verdict, p99i.new_is_bound), (Some(Verdict::Inconclusive), true));
    let p50 = row(&judged, Metric::P50);
    assert_eq!((p50.verdict, p50.new_is_bound), (Some(Verdict::Improved), false));
    let said = text(&comparison(vec![judged]));
    assert!(said.contains("≥8") && said.contains("≥ (p99i, p99, p99.9): a lower bound"), "{said}");
}

#[test]
fn a_bound_of_the_new_side_can_still_be_regressed() {
    let mut slower = pairs(0.2, 0.01);
    for pair in &mut slower {
        pair.new.recorded = pair.new.offered;
        pair.new.censored_from_ns = Some(1);
    }
    let judged = judge("one", &slower, &[]);
    assert_eq!((judged.verdict, judged.judged_pairs), (Some(Verdict::Regressed), 8));
    let p50 = row(&judged, Metric::P50);
    assert!(p50.low_ratio.unwrap() > 0.1 && p50.high_ratio.is_none(), "{p50:?}");
}

#[test]
fn a_few_requests_more_or_less_leave_the_figures_alone() {
    let mut noisy = pairs(-0.2, 0.01);
    for (i, pair) in noisy.iter_mut().enumerate() {
        let half = if i % 2 == 0 { &mut pair.base } else { &mut pair.new };
        half.count -= 2;
    }
    let judged = judge("one", &noisy, &[]);
    assert_eq!(judged.verdict, Some(Verdict::Improved));
    assert_eq!(judged.answered.as_ref().unwrap().verdict, Some(Verdict::Quiet));
}

/// Equal sides of 2 s whose slices have `slice` requests each.
fn sides_with(slice: u64) -> Comparison {
    let mut pairs = pairs(0.0, 0.01);
    for trial in pairs.iter_mut().flat_map(|pair| [&mut pair.base, &mut pair.new]) {
        trial.count = 10 * slice;
        trial.offered = Some(10 * slice);
        trial.slice_counts = vec![slice; 10];
        trial.measure_ms = Some(2_000);
    }
    comparison(vec![judge("one", &pairs, &[])])
}

#[test]
fn a_metric_without_enough_requests_has_no_figure_and_no_verdict_but_a_duration() {
    let few = sides_with(19);
    let scenario = &few.scenarios[0];
    for metric in [Metric::P99I, Metric::P99, Metric::P999] {
        let row = row(scenario, metric);
        assert_eq!((row.base, row.change_ratio, row.low_ratio), (None, None, None), "{row:?}");
        assert_eq!(row.verdict, Some(Verdict::TooFew));
    }
    assert_eq!(row(scenario, Metric::P50).verdict, Some(Verdict::Equivalent));
    assert_eq!(
        few.outcome,
        ComparisonOutcome::Inconclusive,
        "a gate that is not judged is not passed"
    );
    assert_eq!((few.outcome.exit_code(false), few.outcome.exit_code(true)), (0, 4));
    let said = text(&few);
    let p99i = "too few requests: p99i takes 100 a slice, and one has 19 (--duration 16s suffices)";
    assert!(said.contains(p99i), "{said}");
    assert!(said.contains("p99.9 takes 10,000 a trial, and one has 190"), "{said}");
    assert!(!said.contains("NaN") && !few.to_json().contains("NaN"));
}

#[test]
fn a_metric_is_judged_from_its_last_request_on() {
    let p99 = |slice| row(&sides_with(slice).scenarios[0], Metric::P99).verdict;
    assert_eq!([p99(99), p99(100)], [Some(Verdict::TooFew), Some(Verdict::Quiet)]);
    let p99i = |slice| row(&sides_with(slice).scenarios[0], Metric::P99I).verdict;
    assert_eq!([p99i(99), p99i(100)], [Some(Verdict::TooFew), Some(Verdict::Equivalent)]);
    let p999 = |slice| row(&sides_with(slice).scenarios[0], Metric::P999).verdict;
    assert_eq!([p999(999), p999(1_000)], [Some(Verdict::TooFew), Some(Verdict::Quiet)]);
    let p50 = |slice| row(&sides_with(slice).scenarios[0], Metric::P50).verdict;
    assert_eq!([p50(1), p50(2)], [Some(Verdict::TooFew), Some(Verdict::Equivalent)]);
}

#[test]
fn one_empty_slice_leaves_p99i_without_a_figure() {
    let mut pairs = pairs(0.0, 0.01);
    pairs[2].new.slice_counts = vec![2_000, 2_000, 0, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 4];
    pairs[2].new.slice_p99_ns[2] = 0;
    let judged = judge("one", &pairs, &[]);
    let p99i = row(&judged, Metric::P99I);
    assert_eq!((p99i.verdict, p99i.new), (Some(Verdict::TooFew), None));
    assert_eq!(p99i.change_ratio, None);
    assert_eq!(p99i.shortage.unwrap().requests, 0);
}

#[test]
fn trials_without_a_request_are_invalid() {
    let judged = judge("one", &with_new(|t| (t.count, t.offered) = (0, Some(0))), &[]);
    assert_eq!(judged.verdict, None);
    assert!(judged.invalid_reasons[0].contains("no request was offered"), "{judged:?}");
    let judged = judge("one", &with_new(|t| (t.count, t.offered) = (0, None)), &[]);
    assert!(judged.invalid_reasons[0].contains("no request was answered"), "{judged:?}");
}

#[test]
fn a_contradiction_of_medians_and_pairs_is_explained() {
    let mut drifting = pairs(-0.012, 0.005);
    for (i, pair) in drifting.iter_mut().enumerate() {
        let level = if i % 8 < 4 { 1 } else { 3 };
        for trial in [&mut pair.base, &mut pair.new] {
            trial.p50_ns *= level;
        }
    }
    // The middle of the new side's trials is one of the slow level's, of the base's one of the
    // fast.
    drifting[0].base.p50_ns *= 2;
    drifting[0].new.p50_ns *= 4;
    let said = text(&comparison(vec![judge("one", &drifting, &[])]));
    assert!(said.contains("differ otherwise than the pairs do (p50 by"), "{said}");
    let said = text(&comparison(vec![judge("one", &pairs(-0.012, 0.005), &[])]));
    assert!(!said.contains("differ otherwise"), "{said}");
}

#[test]
fn a_record_says_how_many_of_its_pairs_were_judged() {
    let many: String = (0..250).map(|n| record_part(n, "new")).collect();
    let found = replay(&many, None, &Method::default()).unwrap();
    assert_eq!((found.scenarios[0].judged_pairs, found.scenarios[0].unused_pairs), (8, 492));
    let said = text(&found);
    assert!(said.contains("judged 8 of 500 pairs: the looks end there"), "{said}");
}

/// A quad of equal sides in a record.
fn record_part(quad: u32, new: &str) -> String {
    let line = |position: u32| {
        let side = if position == 0 || position == 3 { "base" } else { new };
        format!(
            "{{\"trial\":{},\"quad\":{quad},\"position\":{position},\"variant\":\"{side}\",\
             \"seed\":{},\"count\":2000,\"p50_ns\":100,\"p99_ns\":200,\"p999_ns\":300,\
             \"max_ns\":400,\"slice_p99_ns\":{:?},\"offered\":2000}}\n",
            4 * quad + position,
            2 * quad + position / 2,
            [200; 10],
        )
    };
    (0..4).map(line).collect()
}

#[test]
fn trials_of_one_side_alone_are_counted_and_named() {
    let record =
        record_part(0, "new") + &record_part(1, "base").replace("\"seed\":3", "\"seed\":2");
    let found = replay(&record, None, &Method::default()).unwrap();
    let said = "left out, since the other side is not in their quad: 4 trials";
    assert!(found.warnings.iter().any(|warning| warning == said), "{:?}", found.warnings);
}

#[test]
fn impossible_values_in_a_record_are_refused_with_their_line() {
    let whole = record_part(0, "new");
    let refused = |from: &str, to: &str| {
        let record = whole.replacen(from, to, 1);
        assert_ne!(record, whole);
        replay(&record, None, &Method::default()).unwrap_err().to_string()
    };
    assert_eq!(
        refused("\"p50_ns\":100", "\"p50_ns\":250"),
        "line 1: p50_ns is 250, above p99_ns, 200"
    );
    assert_eq!(
        refused("\"p999_ns\":300", "\"p999_ns\":402"),
        "line 1: p999_ns is 402, above max_ns, 401"
    );
    assert!(refused("\"p99_ns\":200", "\"p99_ns\":301").contains("p99_ns is 301, above p999_ns"));
    assert!(refused("[200, 200", "[200, 900").contains("slice_p99_ns is 900, above max_ns"));
    assert_eq!(
        refused("\"offered\":2000", "\"offered\":1999"),
        "line 1: 2000 requests were answered of 1999 offered"
    );
    assert_eq!(
        refused("\"position\":1", "\"position\":0"),
        "line 2: quad 0, position 0 is also line 1"
    );
}
