//! `lab --falsify`: what each check says with its cause, and without.

use lab_record::{Falsification, Outcome, Run, Verdict, read_json};
use serde_json::Value;

use crate::workshop::{FAKE_LAB, Said, Workshop};

fn falsify(workshop: &Workshop, args: &[&str]) -> Said {
    let start = ["lab", "fake-lab", "--binary", FAKE_LAB, "--quick", "--falsify"];
    workshop.xtask(&[&start[..], args].concat())
}

#[test]
fn checks_that_fail_without_their_cause_can_fail() {
    let workshop = Workshop::new();
    let said = falsify(&workshop, &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("2 of 2 checks can fail."), "{said:?}");
    assert!(said.stdout.contains("--set behaviour=refute"), "{said:?}");
    let run = workshop.latest();
    let found: Falsification = read_json(&run.join("falsification.json")).unwrap();
    for check in found.checks {
        assert_eq!(check.verdict, Verdict::CanFail, "{check:?}");
        assert_eq!(check.with.outcome, Outcome::Reproduced);
        assert_eq!(check.without.outcome, Outcome::NotReproduced);
    }
    // Only what the checks read was run, once for both of them.
    for dir in [run.clone(), run.join("without/01")] {
        let run = Run::load(&dir).unwrap();
        let ids: Vec<_> = run.finished.iter().map(|t| t.trial.id.as_str()).collect();
        assert_eq!(ids, ["001-both", "002-both@simulated"], "{}", dir.display());
    }
}

#[test]
fn a_check_that_holds_without_its_cause_exits_with_7() {
    let workshop = Workshop::new();
    // The knob then changes only a variant that no check reads.
    let said = falsify(&workshop, &["--set", "who=live-only", "--format", "json"]);
    assert_eq!(said.code, 7, "{said:?}");
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(found["schema"], "perf-lab.falsification/1");
    assert_eq!(found["checks"][0]["verdict"], "cannot-fail", "{found}");
}

#[test]
fn falsify_with_simulated_runs_simulated_checks_only() {
    let workshop = Workshop::new();
    let said = falsify(&workshop, &["--simulated", "--claim", "FAKE-1"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("1 of 1 checks can fail."), "{said:?}");
    let unknown = falsify(&workshop, &["--claim", "FAKE-2"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(unknown.stderr.contains("FAKE-1"), "{unknown:?}");
}
