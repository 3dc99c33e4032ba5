//! The page of a comparison: its figures, its points, and the frames that moved.

use std::fmt::Write as _;
use std::fs;

use lab_verdict::comparison::Comparison;
use lab_verdict::method::Method;
use lab_verdict::replay::replay;
use tempfile::TempDir;

use crate::browser::start;
use crate::fixture::HOSTILE;
use crate::in_browser::{figures, rows};

/// Ten pairs whose new side is about a tenth slower at the median.
fn record() -> String {
    let mut text = String::new();
    for trial in 0..20_u64 {
        let (quad, position) = (trial / 4, trial % 4);
        let new = (position == 1 || position == 2) != (quad % 2 == 1);
        let seed = quad * 2 + position / 2;
        // Each metric has its own level and its own change, so that none can stand for another.
        let at = |level: u64| {
            let base_ns = level * 1_000_000 + seed * 1_300;
            if new { base_ns + 100_000 + seed * 777 } else { base_ns }
        };
        let [p50, p99i, p99, p999] = [1, 2, 3, 4].map(at);
        let variant = if new { "new" } else { "base" };
        writeln!(
            text,
            "{{\"trial\":{trial},\"quad\":{quad},\"position\":{position},\"variant\":\"{variant}\",\"seed\":{seed},\
             \"count\":20000,\"p50_ns\":{p50},\"p99_ns\":{p99},\"p999_ns\":{p999},\"max_ns\":{p999},\"slice_p99_ns\":{:?}}}",
            [p99i; 10]
        )
        .unwrap();
    }
    text
}

const DIFF: &str = r#"{"schema":"perf-lab.flamediff/1","before":"base","after":"new","unit":"samples per 1,000 requests",
  "paths":[
    {"frame":"all","depth":0,"mark":"both","inclusive":{"before":100,"after":110,"significant":true,"p":0.01}},
    {"frame":"grown","depth":1,"mark":"both","inclusive":{"before":60,"after":110,"significant":true,"p":0.01}},
    {"frame":"GONE","depth":1,"mark":"vanished","inclusive":{"before":40,"after":0,"significant":true,"p":0.01}}]}"#;

/// A comparison of a slower side, with a differential, and its directory.
pub(crate) fn comparison() -> (TempDir, Comparison) {
    let home = tempfile::tempdir().unwrap();
    let mut comparison = replay(&record(), None, &Method::default()).unwrap();
    comparison.new.name = format!("new{HOSTILE}");
    comparison.warnings.push(HOSTILE.to_owned());
    fs::write(home.path().join("comparison.json"), comparison.to_json()).unwrap();
    let folder = home.path().join("flame/example");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("diff.json"), DIFF.replace("GONE", &json_text(HOSTILE))).unwrap();
    (home, comparison)
}

/// Text as it stands between the quotes of a JSON string.
fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap().trim_matches('"').to_owned()
}

#[test]
fn a_comparison_page_shows_its_verdict_and_what_is_missing() {
    let (home, comparison) = comparison();
    let html = fs::read_to_string(lab_report::write_comparison(home.path()).unwrap()).unwrap();
    assert!(html.contains("p50 got worse: +10."), "the verdict in words");
    assert!(html.contains("at or above the floor of 3 %"));
    assert!(html.contains("Missing: trials.jsonl is not there"));
    assert!(html.contains("No shift curve: "), "no run of either side is there");
    assert!(!html.contains("<img"));
    let pairs = comparison.scenarios[0].pairs.len();
    let rows = comparison.scenarios[0].metrics.len() + comparison.scenarios[0].guards.len();
    assert_eq!(html.matches("<circle class=\"pair\"").count(), pairs * rows);
}

#[test]
fn another_major_is_refused_by_name() {
    let (home, _) = comparison();
    let file = home.path().join("comparison.json");
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("perf-lab.comparison/2", "perf-lab.comparison/3");
    fs::write(&file, text).unwrap();
    let error = lab_report::write_comparison(home.path()).unwrap_err();
    assert!(error.to_string().contains("perf-lab.comparison/3"), "{error:#}");
}

#[test]
fn frames_that_moved_are_shown_before_after_and_elided() {
    let Some(mut browser) = start() else { return };
    let (home, _) = comparison();
    browser.open(&lab_report::write_comparison(home.path()).unwrap(), 1280, 900);
    let width = "Number(document.querySelector('#flame-0 [aria-label^=\"grown:\"] rect').getAttribute('width'))";
    let after = browser.run(width).as_f64().unwrap();
    browser.click("#flame-0 .controls button:nth-child(1)");
    let before = browser.run(width).as_f64().unwrap();
    assert!((before / after - 60.0 / 110.0).abs() < 0.01, "one scale for both: {before}, {after}");
    browser.click("#flame-0 .controls button:nth-child(3)");
    assert_eq!(
        browser.run("document.querySelectorAll('#flame-0 g').length"),
        2,
        "all, and what is gone"
    );
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn every_figure_of_the_page_is_the_comparisons() {
    let Some(mut browser) = start() else { return };
    let (home, comparison) = comparison();
    browser.open(&lab_report::write_comparison(home.path()).unwrap(), 1280, 900);
    let scenario = &comparison.scenarios[0];
    let judgements = scenario.metrics.iter().chain(&scenario.guards).map(|row| {
        let of_row = figures([
            ("base", row.base),
            ("new", row.new),
            ("change", row.change_ratio),
            ("low", row.low_ratio),
            ("high", row.high_ratio),
            ("floor", Some(row.floor_ratio)),
            ("pairs", Some(f64::from(row.pairs))),
        ]);
        (vec![row.metric.name().to_owned()], of_row)
    });
    assert_eq!(rows(&mut browser, "tr.verdict", "['metric']"), judgements.collect::<Vec<_>>());
    let pairs = scenario.pairs.iter().map(|pair| {
        let of_row = figures(
            ["p50", "p99i", "p99", "p99.9"]
                .map(|name| (name, pair.differences[name].map(f64::exp_m1))),
        );
        (vec![pair.seed.to_string()], of_row)
    });
    assert_eq!(rows(&mut browser, "tr.pair", "['seed']"), pairs.collect::<Vec<_>>());
}
