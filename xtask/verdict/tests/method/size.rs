//! Equal sides are not called different more often than the level says.

use lab_verdict::method::{Gate, Method};
use lab_verdict::metric::Metric;
use lab_verdict::pair::Pair;
use lab_verdict::scenario;
use lab_verdict::signed_rank::interval;
use lab_verdict::verdict::Verdict;

use crate::noise::{draw, noise, seeded, uniform};

/// Student's t with two degrees of freedom: symmetric, its variance infinite.
fn heavy_tailed(u: f64) -> f64 {
    (2.0 * u - 1.0) / (2.0 * u * (1.0 - u)).sqrt()
}

#[test]
fn ten_heavy_tailed_pairs_are_called_different_as_often_as_the_exact_level_says() {
    let mut rng = seeded(1);
    let rejected = (0..10_000)
        .filter(|_| {
            let differences: Vec<f64> = (0..10).map(|_| heavy_tailed(uniform(&mut rng))).collect();
            let found = interval(&differences, 0.05).unwrap();
            found.low > 0.0 || found.high < 0.0
        })
        .count();
    println!("{rejected} of 10,000 equal sides called different");
    assert!((430..=550).contains(&rejected), "{rejected} of 10,000, where 50/1024 is 4.88 %");
}

#[test]
fn ties_and_zeros_never_reject_more_often_than_distinct_values() {
    let mut rng = seeded(2);
    let rejected = (0..10_000)
        .filter(|_| {
            // Whole buckets from -2 to 2: a fifth are zeros, all are tied.
            let differences: Vec<f64> =
                (0..10).map(|_| (5.0 * uniform(&mut rng)).floor() - 2.0).collect();
            let found = interval(&differences, 0.05).unwrap();
            found.low > 0.0 || found.high < 0.0
        })
        .count();
    assert!(rejected <= 488, "{rejected} of 10,000");
}

/// False verdicts of `n` comparisons of equal sides: regressed by gate, and guards that fired.
fn false_alarms(method: &Method, n: usize) -> (Vec<usize>, Vec<usize>) {
    let looks = method.looks(1).unwrap();
    let noise = noise();
    let mut rng = seeded(3);
    let (mut gates, mut guards) = (vec![0; method.gates.len()], vec![0; 2]);
    for _ in 0..n {
        let pairs = draw(&mut rng, &noise, looks.last() as usize, 0.0);
        let judged = scenario::judge("A/A", ("A", "A"), &pairs, &[], method, &looks);
        for (count, row) in
            gates.iter_mut().zip(&judged.metrics).chain(guards.iter_mut().zip(&judged.guards))
        {
            *count += usize::from(row.verdict == Some(Verdict::Regressed));
        }
    }
    println!("false regressions of {n}: gates {gates:?}, guards {guards:?}");
    (gates, guards)
}

#[test]
fn equal_sides_look_regressed_in_at_most_one_of_forty_comparisons_a_metric() {
    let (gates, guards) = false_alarms(&Method::default(), 2_000);
    for falsely in gates.iter().chain(&guards) {
        assert!(*falsely <= 50, "gates {gates:?}, guards {guards:?} of 2,000");
    }
}

#[test]
fn taking_late_pairs_again_makes_no_more_false_alarms() {
    let method = Method::default();
    let looks = method.looks(1).unwrap();
    let noise = noise();
    let mut rng = seeded(9);
    let (mut gates, mut late, mut judged) = ([0; 2], 0, 0);
    for _ in 0..2_000 {
        // Worst case: what makes a generator late makes its side slow too.
        let mut pairs = draw(&mut rng, &noise, 2 * looks.quads() as usize, 0.0);
        for Pair { base, new } in &mut pairs {
            let change = new.p50_ns as f64 / base.p50_ns as f64;
            let slower = if change > 1.0 { new } else { base };
            if change.max(1.0 / change) > 1.12 {
                slower.lateness_p99_ns = Some(slower.p50_ns);
            }
        }
        let scenario = scenario::judge("A/A", ("A", "A"), &pairs, &[], &method, &looks);
        late += scenario.disturbed_pairs.len();
        judged += usize::from(scenario.verdict.is_some());
        for (count, row) in gates.iter_mut().zip(&scenario.metrics) {
            *count += usize::from(row.verdict == Some(Verdict::Regressed));
        }
    }
    println!("{late} late pairs; false regressions of {judged} judged: {gates:?}");
    assert!(
        late >= 2_000 && judged >= 1_500,
        "{late} late pairs, {judged} judged: too tame a test"
    );
    assert!(gates.iter().all(|&n| n * 40 <= judged), "{gates:?} of {judged}");
}

#[test]
fn the_same_when_a_single_metric_has_all_of_alpha() {
    for metric in [Metric::P50, Metric::P99I] {
        let method = Method { gates: vec![Gate::of(metric.clone())], ..Method::default() };
        let (gates, guards) = false_alarms(&method, 2_000);
        assert!(
            gates[0] <= 50 && guards.iter().all(|&n| n <= 50),
            "{metric}: {gates:?}, guards {guards:?} of 2,000"
        );
    }
}
