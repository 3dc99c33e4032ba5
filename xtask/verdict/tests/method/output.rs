//! What is written: the same bytes for the same trials, valid XML, nothing from outside unescaped.

use lab_verdict::comparison::{Comparison, Kind};
use lab_verdict::method::Method;
use lab_verdict::metric::{ALL_OF_THEM, Metric};
use lab_verdict::render::lines::Paint;
use lab_verdict::render::{human, junit, markdown};
use lab_verdict::replay::replay;
use lab_verdict::scenario::{DisturbedPair, MetricResult};
use lab_verdict::verdict::Verdict;
use roxmltree::{Document, Node};

use crate::noise::RECORD;
use crate::outcomes::{comparison, judge, pairs};

const HOSTILE: &str = "a<b>&\"c'|d]]>\u{1}\n`@x` [y](z) <script>";

/// One scenario of every outcome, with names that would break any of the formats.
fn everything() -> Comparison {
    let mut all = comparison(vec![
        judge("regressed", &pairs(0.1, 0.01), &[]),
        judge("improved", &pairs(-0.1, 0.01), &[]),
        judge(HOSTILE, &pairs(0.0, 0.01), &[]),
        judge("noisy", &pairs(0.0, 1.5), &[]),
        judge("broken", &pairs(0.1, 0.01), &[HOSTILE.to_owned()]),
    ]);
    all.new.name = HOSTILE.to_owned();
    all.warnings.push(HOSTILE.to_owned());
    all
}

fn replayed(record: &str) -> String {
    replay(record, None, &Method::default()).unwrap().to_json()
}

#[test]
fn the_same_trials_give_the_same_bytes_and_read_back() {
    let text = replayed(RECORD);
    assert!(text == replayed(RECORD));
    assert!(text.starts_with("{\n  \"schema\": \"perf-lab.comparison/2\""));
    assert!(Comparison::from_json(&text).unwrap().to_json() == text, "figures survive reading");
}

#[test]
fn the_order_of_the_lines_does_not_matter() {
    let mut lines: Vec<&str> = RECORD.lines().collect();
    lines.reverse();
    assert!(replayed(RECORD) == replayed(&lines.join("\n")));
}

#[test]
fn an_unknown_schema_major_is_refused_by_name() {
    let newer = everything().to_json().replace("perf-lab.comparison/2", "perf-lab.comparison/3");
    let said = Comparison::from_json(&newer).unwrap_err().to_string();
    assert!(
        said.contains("`perf-lab.comparison/3`") && said.contains("`perf-lab.comparison/2`"),
        "{said}"
    );
    assert!(Comparison::from_json("{}").unwrap_err().to_string().contains("schema"));
}

#[test]
fn terminal_output_fits_eighty_columns() {
    let mut all = everything();
    let long = "words that go on and on until no terminal could hold them in one line ".repeat(3);
    all.warnings.push(long.clone());
    all.scenarios[4].invalid_reasons.push(long);
    let late = |i| DisturbedPair {
        quad: i,
        base_trial: 0,
        new_trial: 1,
        base_lateness_ratio: Some(0.5),
        new_lateness_ratio: Some(0.5),
        base_others_cpu_ratio: Some(0.4),
        new_others_cpu_ratio: Some(0.9),
    };
    all.scenarios[3].disturbed_pairs = (0..6).map(late).collect();
    for kind in [Kind::Gate, Kind::Aa, Kind::Replay, Kind::Advisory] {
        all.kind = kind;
        let text = human(&all, Paint::Plain);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let head = "metric     base      new       Δ interval           floor verdict        n";
        assert!(text.contains(head), "{text}");
        assert!(text.contains("regressed      8"), "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "6 pairs do not count, for a late generator in 6 of the base's trials and 6 of the new",
            "others that had over half of the CPU time in 0 of the base's trials and 6 of the new",
        ] {
            assert!(words.contains(said), "{text}");
        }
    }
}

#[test]
fn text_of_a_foreign_record_cannot_control_a_terminal() {
    let (owned, shown) = (r"\u001b]0;owned\u0007", r"\u{1b}]0;owned\u{7}");
    let record = RECORD.replace(r#""variant":"m10""#, &format!(r#""variant":"{owned}""#));
    let record = record.replace(r#"{"trial""#, &format!(r#"{{"scenario":"{owned}","trial""#));
    let comparison = replay(&record, Some(("A", shown)), &Method::default()).unwrap();
    let text = human(&comparison, Paint::Plain);
    assert!(text.contains(shown) && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn names_of_a_foreign_record_begin_no_line() {
    let forged = r"x\nForged: regressed\t9";
    let trial = |n: u32| {
        let (quad, position) = (n / 4, n % 4);
        let side = if position % 3 == 0 { "base" } else { forged };
        format!(
            r#"{{"trial":{n},"quad":{quad},"position":{position},"scenario":"{forged}","variant":"{side}","seed":1,"values":{{"{forged}":{n}.5}}}}"#
        )
    };
    let record: Vec<String> = (0..32).map(trial).collect();
    let comparison = replay(&record.join("\n"), None, &Method::default()).unwrap();
    for text in [human(&comparison, Paint::Plain), markdown(&comparison), junit(&comparison, true)]
    {
        assert!(text.contains("Forged"), "{text}");
        assert!(text.lines().all(|line| !line.starts_with("Forged")), "{text}");
    }
}

#[test]
fn colours_touch_nothing_but_the_verdicts() {
    let colored = human(&everything(), Paint::Colors);
    assert!(colored.contains("\x1b[31mregressed   \x1b[0m"), "{colored}");
    let mut plain = colored;
    for code in ["\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, human(&everything(), Paint::Plain));
}

#[test]
fn only_a_single_look_has_the_level_of_that_look() {
    let level = |looks: Vec<u32>, alpha| {
        let method = Method { looks, alpha, ..Method::default() };
        let text = human(&replay(RECORD, None, &method).unwrap(), Paint::Plain);
        text.lines().find(|line| line.starts_with("Intervals")).unwrap().to_owned()
    };
    assert!(level(vec![12], 0.05).contains("fixed at 12 pairs"));
    let many = level(vec![8, 12, 16, 24], 0.02);
    assert!(many.contains("96.4% over all 4 looks") && !many.contains("95%"), "{many}");
}

#[test]
fn markdown_escapes_markup_in_names() {
    let text = markdown(&everything());
    for markup in ["<", "[y](z)", "\u{1}", " `@"] {
        assert!(!text.contains(markup), "{text}");
    }
    for row in text.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(row.matches('|').count() - row.matches("\\|").count(), 9, "{row}");
    }
}

#[test]
fn junit_output_is_valid() {
    for require_decision in [false, true] {
        let text = junit(&everything(), require_decision);
        let document = Document::parse(&text).unwrap();
        let root = document.root_element();
        validate(root);
        assert_eq!(count(root, "failure"), if require_decision { 2 + 2 } else { 2 });
        assert_eq!(count(root, "error"), 5);
        assert_eq!(count(root, "skipped"), if require_decision { 0 } else { 2 });
    }
}

#[test]
fn junit_keeps_names_except_characters_that_xml_cannot_hold() {
    let text = junit(&everything(), false);
    let document = Document::parse(&text).unwrap();
    let suites = document.descendants().filter(|n| n.has_tag_name("testsuite"));
    let names: Vec<&str> = suites.filter_map(|n| n.attribute("name")).collect();
    assert!(names.contains(&HOSTILE.replace('\u{1}', "\u{fffd}").as_str()), "{names:?}");
}

/// What `junit-10.xsd` of Jenkins' xUnit plug-in asks, in so far as we use it: which elements stand
/// in which, which attributes they must and may have. The counts must also add up.
fn validate(node: Node) {
    let (children, must, may): (&[&str], &[&str], &[&str]) = match node.tag_name().name() {
        "testsuites" => (&["testsuite"], &[], &["name", "time", "tests", "failures", "errors"]),
        "testsuite" => {
            (&["testcase", "system-out"], &["name", "tests", "failures", "errors"], &["skipped"])
        }
        "testcase" => (&["failure", "error", "skipped"], &["name"], &["classname", "time"]),
        "failure" | "error" | "skipped" | "system-out" => (&[], &[], &["message", "type"]),
        other => panic!("no element `{other}`"),
    };
    let parents = node.ancestors().skip(1).filter(Node::is_element).count();
    assert_eq!(node.has_tag_name("testsuites"), parents == 0, "the root is `testsuites`");
    for name in must {
        assert!(node.has_attribute(*name), "{node:?} lacks {name}");
    }
    for attribute in node.attributes() {
        let name = attribute.name();
        assert!(must.contains(&name) || may.contains(&name), "{attribute:?}");
    }
    for (attribute, element) in [
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ] {
        if let Some(said) = node.attribute(attribute) {
            assert_eq!(said, count(node, element).to_string(), "{attribute} of {node:?}");
        }
    }
    for child in node.children().filter(Node::is_element) {
        assert!(children.contains(&child.tag_name().name()), "{child:?} in {node:?}");
        validate(child);
    }
}

fn count(node: Node, element: &str) -> usize {
    node.descendants().filter(|n| n.has_tag_name(element)).count()
}

/// A table of benchmarks that moved by these ratios, where all of them together moved by `all`.
fn benches(all: f64, each: &[f64]) -> String {
    let mut scenario = judge("benches", &pairs(0.0, 0.01), &[]);
    let still = scenario.metrics[0].clone();
    let moved = |metric: Metric, ratio: f64| MetricResult {
        metric,
        change_ratio: Some(ratio),
        verdict: Some(if ratio > 0.03 { Verdict::Regressed } else { Verdict::Equivalent }),
        ..still.clone()
    };
    let named = |(at, ratio): (usize, &f64)| {
        moved(Metric::named(&format!("sum/{at}"), "ns", false), *ratio)
    };
    let rows = each.iter().enumerate().map(named);
    scenario.metrics = [moved(ALL_OF_THEM, all)].into_iter().chain(rows).collect();
    human(&comparison(vec![scenario]), Paint::Plain)
}

#[test]
fn benchmarks_that_did_not_move_are_counted_beyond_a_dozen() {
    let table = benches(0.0, &[0.0; 20]);
    assert!(table.contains("and 9 more that are equivalent"), "{table}");
    assert_eq!(table.matches("equivalent ").count(), 12, "{table}");
    assert!(!benches(0.0, &[0.0; 11]).contains(" more that are"));
    let moved = benches(0.1, &[0.1; 20]);
    assert_eq!(moved.matches("regressed ").count(), 21, "what moved is all there: {moved}");
}

#[test]
fn only_a_suite_whose_benchmarks_moved_alike_is_called_shifted() {
    let shift = "a shift of the whole suite by +10.0%: 3 of 4 benchmarks";
    assert!(benches(0.1, &[0.09, 0.1, 0.11, 0.3]).contains(shift));
    for (all, each) in [
        (0.1, &[0.09, 0.1, 0.2, 0.3][..]),
        (0.25, &[0.0, 0.0, 0.0, 1.4]),
        (0.1, &[0.1, 0.1, 0.1]),
        (0.0, &[0.0, 0.0, 0.0, 0.0]),
    ] {
        assert!(!benches(all, each).contains("shift"), "{each:?}");
    }
}
