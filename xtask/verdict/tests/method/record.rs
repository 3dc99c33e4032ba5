//! Recorded trials judged again: real ones, and ones that cannot be read.

use std::time::Duration;

use lab_verdict::comparison::ComparisonOutcome;
use lab_verdict::method::Method;
use lab_verdict::replay::replay;
use lab_verdict::verdict::Verdict;
use rustix::time::{ClockId, clock_gettime};

use crate::noise::RECORD;

fn refusal(record: &str, sides: Option<(&str, &str)>) -> String {
    replay(record, sides, &Method::default()).unwrap_err().to_string()
}

#[test]
fn recorded_changes_are_found_and_recorded_equals_are_not() {
    let verdict = |new, metric: usize| {
        let found = replay(RECORD, Some(("A", new)), &Method::default()).unwrap();
        found.scenarios[0].metrics[metric].verdict.unwrap()
    };
    assert_ne!(verdict("A2", 0), Verdict::Regressed);
    assert_ne!(verdict("A2", 1), Verdict::Regressed);
    assert_eq!(verdict("m10", 0), Verdict::Regressed);
    assert_eq!(verdict("t20", 1), Verdict::Regressed);
}

#[test]
fn without_names_every_variant_is_judged_against_the_base() {
    let found = replay(RECORD, None, &Method::default()).unwrap();
    let names: Vec<&str> = found.scenarios.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["A2", "m10", "m5", "t10", "t20"]);
    assert_eq!(found.outcome, ComparisonOutcome::Regressed);
    assert!(
        found
            .warnings
            .iter()
            .any(|w| w.contains("generator lateness, request errors, the offered rate"))
    );
}

#[test]
fn a_variant_that_the_record_lacks_is_named_with_those_it_has() {
    let said = refusal(RECORD, Some(("A", "m50")));
    assert!(said.contains("`m50`") && said.contains("A, A2, m10, m5, t10, t20"), "{said}");
    assert!(refusal(RECORD, Some(("A", "A"))).contains("two different variants"));
    let renamed = RECORD.replace("\"A\"", "\"x\"");
    assert!(refusal(&renamed, None).contains("--variants"));
}

#[test]
fn invalid_lines_are_named_by_number() {
    let mut lines: Vec<&str> = RECORD.lines().collect();
    let half = &lines[4][..60];
    lines[4] = half;
    assert!(refusal(&lines.join("\n"), None).starts_with("line 5: "));
    assert!(refusal("\n\nnot json\n", None).starts_with("line 3: "));
    assert_eq!(refusal(" \n", None), "the record holds no trial");
    assert!(
        refusal(&RECORD.replace("\"position\":3", "\"position\":4"), None).contains("position 4")
    );
}

#[test]
fn an_unknown_schema_major_is_refused_by_name() {
    let tagged = |schema: &str| RECORD.replacen('{', &format!("{{\"schema\":\"{schema}\","), 1);
    assert!(replay(&tagged("perf-lab.trials/1"), None, &Method::default()).is_ok());
    assert!(replay(&tagged("perf-lab.trials/1.4"), None, &Method::default()).is_ok());
    assert!(replay(&tagged("perf-lab.trials/10"), None, &Method::default()).is_err());
    let said = refusal(&tagged("perf-lab.trials/2"), None);
    assert!(said.contains("line 1") && said.contains("`perf-lab.trials/2`"), "{said}");
}

#[test]
fn a_record_cut_inside_a_pair_is_invalid() {
    let lines: Vec<&str> = RECORD.lines().filter(|line| line.contains("\"quad\":0,")).collect();
    assert_eq!(lines.len(), 4);
    let found = replay(&lines[..3].join("\n"), None, &Method::default()).unwrap();
    assert_eq!(found.outcome, ComparisonOutcome::Invalid);
    assert!(found.scenarios[0].invalid_reasons[0].contains("unequal trial counts"));
}

#[test]
fn scenarios_in_one_record_share_alpha() {
    let named = |name: &str| RECORD.replace('{', &format!("{{\"scenario\":\"{name}\","));
    let two = format!("{}{}", named("lab/one"), named("lab/two"));
    assert!(refusal(&two, Some(("A", "m10"))).contains("can never reject"));
    let method = Method { looks: vec![10, 12, 16, 24], ..Method::default() };
    let found = replay(&two, Some(("A", "m10")), &method).unwrap();
    assert_eq!((found.scenarios.len(), found.looks.tests), (2, 4));
}

#[test]
fn judging_takes_under_fifty_milliseconds() {
    // In a debug build a fifth of the speed; five scenarios here. What others take does not count.
    let spent = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = spent();
    replay(RECORD, None, &Method::default()).unwrap();
    let judging = spent() - before;
    assert!(judging.as_millis() < 500, "{judging:?}");
}
