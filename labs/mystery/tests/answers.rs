//! Each box is run, and its answer must fit in all three parts. Spoilers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

use lab_kit::proc::cpus_online;
use lab_kit::{Mode, Rehearsal, rehearse};
use lab_record::{Part, Reply, parse_json};
use lab_skip::{Need, skip};
use mystery::LAB;

const BOXES: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The right resource and function; the count too, where it does not depend on the machine.
const RIGHT: [(&str, &str, Option<f64>); 9] = [
    ("network", "collect", Some(75.0)),
    ("memory", "walk", Some(16.0)),
    ("cpu", "render", Some(5.0)),
    ("memory", "scan", None),
    ("none", "resolve", Some(1.0)),
    ("cpu", "encode", None),
    ("cpu", "verify", None),
    ("cpu", "fetch", Some(3.0)),
    ("disk", "append", Some(8.0)),
];

fn reply(dir: &Path, number: &str, resource: &str, function: &str, count: Option<f64>) -> Reply {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mystery"));
    command.arg("answer").arg(dir).arg(number);
    command.args(["--resource", resource, "--function", function]);
    command.args(count.map(|count| format!("--count={count}")));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    parse_json(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

fn wrong(reply: &Reply) -> Option<Part> {
    let Reply::Wrong { part, .. } = reply else { return None };
    Some(*part)
}

#[test]
fn an_answer_must_fit_the_evidence_in_all_three_parts() {
    let dir = tempfile::tempdir().unwrap();
    let what = Rehearsal { mode: Mode::Live, variants: &BOXES, set: &[], measure: None };
    rehearse(&LAB, dir.path(), what).unwrap();
    let dir = dir.path();
    let threads = 2.0 * cpus_online().unwrap().len().min(4) as f64;
    for (number, (resource, function, count)) in BOXES.into_iter().zip(RIGHT) {
        let count = count.or_else(|| (number == "6").then_some(threads));
        let asked = reply(dir, number, resource, function, None);
        if let Reply::NoEvidence { reason } = asked {
            skip(Need::Quiet, format!("box {number}: {reason}"));
            continue;
        }
        let Reply::Asks { part: Part::Count, .. } = asked else { panic!("{number}: {asked:?}") };
        let other = if resource == "lock" { "cpu" } else { "lock" };
        assert_eq!(wrong(&reply(dir, number, other, function, count)), Some(Part::Resource));
        assert_eq!(wrong(&reply(dir, number, resource, "serve", count)), Some(Part::Function));
        let far = reply(dir, number, resource, function, Some(1e9));
        assert_eq!(wrong(&far), Some(Part::Count), "{number}");
        if let Some(count) = count {
            let right = reply(dir, number, resource, function, Some(count));
            assert!(matches!(right, Reply::Right { .. }), "{number}: {right:?}");
        }
    }
}

#[test]
fn a_run_without_the_problem_is_no_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let set = &[("problem", "solved")];
    let what = Rehearsal { mode: Mode::Live, variants: &["9"], set, measure: None };
    rehearse(&LAB, dir.path(), what).unwrap();
    let said = reply(dir.path(), "9", "disk", "append", Some(8.0));
    assert_eq!(said, Reply::NoEvidence { reason: "its knobs were turned".into() });
}
