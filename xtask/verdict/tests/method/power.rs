//! True changes of a known size are found, in the noise of a real machine.

use lab_verdict::looks::Looks;
use lab_verdict::method::{Gate, Method};
use lab_verdict::metric::Metric;
use lab_verdict::scenario::{self, Scenario};
use lab_verdict::signed_rank::interval;
use lab_verdict::verdict::Verdict;

use crate::noise::{draw, noise, seeded};

const COMPARISONS: usize = 500;

/// How many per cent of comparisons find `metric` regressed when it is `ratio` slower.
fn found(metric: Metric, ratio: f64, method: &Method) -> f64 {
    let looks = method.looks(1).unwrap();
    let regressed = |judged: &Scenario| {
        judged
            .metrics
            .iter()
            .any(|row| row.metric == metric && row.verdict == Some(Verdict::Regressed))
    };
    let hits = simulate(ratio, method, &looks).iter().filter(|judged| regressed(judged)).count();
    let percent = 100.0 * hits as f64 / COMPARISONS as f64;
    println!("{metric} {:+.0} %: found in {percent} %", 100.0 * ratio);
    percent
}

fn simulate(ratio: f64, method: &Method, looks: &Looks) -> Vec<Scenario> {
    let noise = noise();
    let mut rng = seeded(4);
    (0..COMPARISONS)
        .map(|_| {
            let pairs = draw(&mut rng, &noise, looks.last() as usize, ratio);
            scenario::judge("slower", ("A", "B"), &pairs, &[], method, looks)
        })
        .collect()
}

#[test]
fn the_default_looks_find_what_they_promise() {
    let method = Method::default();
    for (metric, ratio, at_least) in [
        (Metric::P50, 0.05, 80.0),
        (Metric::P50, 0.10, 95.0),
        (Metric::P99i, 0.10, 80.0),
        (Metric::P99i, 0.20, 95.0),
    ] {
        let found = found(metric, ratio, &method);
        assert!(
            found >= at_least,
            "{metric} +{:.0} %: found in {found} %, promised {at_least} %",
            100.0 * ratio
        );
    }
}

#[test]
fn ten_pairs_find_ten_per_cent_on_the_median() {
    let method = Method {
        gates: vec![Gate::of(Metric::P50)],
        looks: vec![10],
        alpha: 0.05,
        ..Method::default()
    };
    let found = found(Metric::P50, 0.10, &method);
    assert!(found >= 95.0, "{found} %");
}

#[test]
fn the_interval_p99_is_at_least_twice_as_sharp_as_the_pooled_one() {
    let noise = noise();
    let mut rng = seeded(5);
    let mut half_widths = |metric: Metric| {
        let mut all: Vec<f64> = (0..COMPARISONS)
            .map(|_| {
                let pairs = draw(&mut rng, &noise, 10, 0.0);
                let differences: Vec<f64> =
                    pairs.iter().map(|p| metric.difference(&p.base, &p.new)).collect();
                let found = interval(&differences, 0.05).unwrap();
                (found.high - found.low) / 2.0
            })
            .collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (sliced, pooled) = (half_widths(Metric::P99i), half_widths(Metric::P99));
    println!("half-widths: p99i {sliced:.3}, pooled p99 {pooled:.3}");
    assert!(sliced <= pooled / 2.0, "half-widths: p99i {sliced:.3}, pooled p99 {pooled:.3}");
}
