//! The estimate and the interval agree with SciPy's exact test (`../data/signed_rank.py`).

use lab_verdict::signed_rank::interval;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixtures {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    alpha: f64,
    differences: Vec<f64>,
    estimate: f64,
    low: f64,
    high: f64,
    level: f64,
}

#[test]
fn twenty_fixtures_agree_with_scipy() {
    let fixtures: Fixtures =
        serde_json::from_str(include_str!("../data/signed_rank.json")).unwrap();
    assert_eq!(fixtures.cases.len(), 20);
    for case in fixtures.cases {
        let ours = interval(&case.differences, case.alpha).unwrap();
        for (what, ours, theirs) in [
            ("estimate", ours.estimate, case.estimate),
            ("low", ours.low, case.low),
            ("high", ours.high, case.high),
            ("level", ours.level, case.level),
        ] {
            assert!(
                (ours - theirs).abs() <= 1e-9,
                "{}: {what} is {ours}, SciPy says {theirs}",
                case.name
            );
        }
    }
}
