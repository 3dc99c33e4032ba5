//! Files written before names were changed: they stay readable.

use serde_json::json;

use crate::description::{ChartSpec, ShownBy};
use crate::probe::ProbeLosses;
use crate::{CurveSummary, Description, How, Mode, Summary, Unavailable};

#[test]
fn a_description_with_pictures_is_read_as_one_with_charts() {
    let chart = json!({ "type": "ecdf", "title": "Tail", "series": "response" });
    let shown = json!({ "type": "picture", "title": "Tail", "variants": ["one"] });
    let old = json!({
        "name": "lab", "question": "Why?", "sources": [], "knobs": [], "variants": [],
        "claims": [{ "id": "A-1", "says": "So.", "source": "B", "shown_by": [shown] }],
        "pictures": [chart],
    });
    let read: Description = serde_json::from_value(old).unwrap();
    assert_eq!(read.charts, [ChartSpec::Ecdf { title: "Tail".into(), series: "response".into() }]);
    let shown = ShownBy::Chart { title: "Tail".into(), variants: vec!["one".into()] };
    assert_eq!(read.claims[0].shown_by, [shown]);
}

#[test]
fn virtual_is_read_as_simulated() {
    assert_eq!(serde_json::from_str::<Mode>("\"virtual\"").unwrap(), Mode::Simulated);
    assert_eq!(serde_json::from_str::<How>("\"virtual\"").unwrap(), How::Simulated);
    let old = json!({
        "name": "c", "variant": "a@virtual", "kind": "measured", "x_unit": "", "y_unit": "",
        "points": [],
    });
    assert_eq!(serde_json::from_value::<CurveSummary>(old).unwrap().variant, "a@simulated");
    let old = json!({
        "lab": "lab", "run": "", "mode": "live", "valid": true, "invalid_reasons": [],
        "trials": [], "series": { "a": {}, "a@virtual": {} }, "metrics": { "a@virtual": {} },
        "curves": [], "claims": [], "profiles": [], "artifacts": [],
    });
    let read: Summary = serde_json::from_value(old).unwrap();
    assert_eq!(read.series.keys().collect::<Vec<_>>(), ["a", "a@simulated"]);
    assert_eq!(read.metrics.keys().collect::<Vec<_>>(), ["a@simulated"]);
}

#[test]
fn losses_and_reasons_are_read_by_their_old_keys() {
    let old = json!({ "map_full": 0, "ring_full": 0, "stacks": 0, "skipped_runs": 0, "untold": 3 });
    assert_eq!(serde_json::from_value::<ProbeLosses>(old).unwrap().unfinished, 3);
    let old = json!({ "reason": "no ext4", "mend": "--out DIR" });
    assert_eq!(serde_json::from_value::<Unavailable>(old).unwrap().fix, "--out DIR");
}
