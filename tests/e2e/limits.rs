//! `lab --assert`: limits that are kept, broken and undecided, and names that there are not.

use lab_record::{Standing, Summary, read_json};

use crate::workshop::{Said, Workshop};

const BOTH: [&str; 2] = ["--variant", "both"];

fn asserted(workshop: &Workshop, limits: &[&str], more: &[&str]) -> Said {
    let limits = limits.iter().flat_map(|limit| ["--assert", limit]);
    let args: Vec<&str> = BOTH.into_iter().chain(limits).chain(more.iter().copied()).collect();
    workshop.lab(&args)
}

#[test]
fn a_limit_takes_six_live_trials_and_a_broken_one_exits_with_3() {
    let workshop = Workshop::new();
    // A response of a trial takes from 1.0 to 1.1 ms, as its seed says.
    let kept = asserted(&workshop, &["both.p99 < 2ms"], &[]);
    assert_eq!(kept.code, 0, "{kept:?}");
    assert!(kept.stderr.contains("note: 6 live trials of each variant"), "{kept:?}");
    assert!(kept.stdout.contains("limit both.p99 < 2ms: kept: 1.0"), "{kept:?}");
    assert!(kept.stdout.contains("(96.9 %, 6 trials)"), "{kept:?}");
    let broken = asserted(&workshop, &["both.p99 < 2ms", "both.p50 < 1ms"], &["--trials", "7"]);
    assert_eq!(broken.code, 3, "{broken:?}");
    assert!(broken.stdout.contains("limit both.p50 < 1ms: broken"), "{broken:?}");
    let run = workshop.latest();
    let summary: Summary = read_json(&run.join("summary.json")).unwrap();
    let standings: Vec<Standing> = summary.limits.iter().map(|limit| limit.standing).collect();
    assert_eq!(standings, [Standing::Kept, Standing::Broken]);
    assert_eq!(workshop.xtask(&["show"]).stdout, broken.stdout, "the run keeps them");
    for page in ["report.html", "report.md"] {
        let text = std::fs::read_to_string(run.join(page)).unwrap();
        assert!(text.contains("both.p50 &lt; 1ms") || text.contains("both.p50 < 1ms"), "{page}");
        assert!(text.contains("broken"), "{page}");
    }
}

#[test]
fn what_the_trials_do_not_decide_is_undecided_and_exits_with_4_where_a_decision_is_required() {
    let workshop = Workshop::new();
    let within = |more: &[&str]| asserted(&workshop, &["both.p99 < 1.06ms"], more);
    let said = within(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("limit both.p99 < 1.06ms: undecided: 1.0"), "{said:?}");
    assert_eq!(within(&["--require-decision"]).code, 4);
    let few = asserted(&workshop, &["both.p99 < 2ms"], &["--trials", "5", "--require-decision"]);
    assert_eq!(few.code, 4, "{few:?}");
    let why = "(5 trials); too few trials for an interval: --trials 6";
    assert!(few.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(why), "{few:?}");
    let invalid = ["--set", "behaviour=invalid", "--require-decision"];
    let said = asserted(&workshop, &["both.p99 < 0.1ms"], &invalid);
    assert_eq!(said.code, 6, "an invalid run breaks nothing: {said:?}");
}

#[test]
fn a_percentile_among_requests_without_an_answer_can_break_a_limit_and_not_keep_one() {
    let workshop = Workshop::new();
    let said = |limit: &str| {
        let args = ["lab", "fake-lab", "--binary", crate::workshop::FAKE_LAB, "--quick"];
        let mut command = workshop.command(&[&args[..], &BOTH, &["--profile", "none"]].concat());
        command.args(["--assert", limit, "--require-decision"]);
        let output = command.env("FAKE_LAB_UNANSWERED", "20").output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = said("both.p99 < 1s");
    assert_eq!(code, Some(4), "{out}");
    assert!(out.contains("limit both.p99 < 1s: undecided: ≥ 2."), "{out}");
    assert_eq!(said("both.p99 < 1.5ms").0, Some(3), "they waited for 2 ms");
    assert_eq!(said("both.p50 < 1.5ms").0, Some(0), "half of them are answered");
}

#[test]
fn a_simulated_trial_is_exact_and_one_is_enough() {
    let workshop = Workshop::new();
    let simulated = |limit: &str| asserted(&workshop, &[limit], &["--simulated"]);
    let kept = simulated("both.max < 2ms");
    assert_eq!(kept.code, 0, "{kept:?}");
    assert!(!kept.stderr.contains("live trials"), "{kept:?}");
    assert!(kept.stdout.contains("exact (1 trial)"), "{kept:?}");
    let first = std::fs::read(workshop.latest().join("summary.json")).unwrap();
    assert_eq!(simulated("both.max < 1ms").code, 3);
    assert_eq!(simulated("both.max < 2ms").code, 0);
    let again = std::fs::read(workshop.latest().join("summary.json")).unwrap();
    assert_eq!(first, again, "a simulated run with its limits is the same bytes");
    // Beside live trials, the simulated ones have a label of their own.
    let beside = asserted(&workshop, &["both@simulated.p99 < 1us"], &[]);
    assert_eq!(beside.code, 3, "{beside:?}");
    assert!(!beside.stderr.contains("live trials of each"), "{beside:?}");
}

#[test]
fn a_limit_on_nothing_is_refused_with_the_nearest_name() {
    let workshop = Workshop::new();
    for (limit, more, said) in [
        ("bth.p99 < 1s", &[][..], "no variant `bth`: did you mean `both`?"),
        ("p99 < 1s", &[], "--assert takes VARIANT.FIGURE"),
        ("both.p99", &[], "write WHAT < NUMBER UNIT"),
        ("both.p99 < 80", &["--simulated"], "80 of what?"),
        ("both.p99 < 80MB", &["--simulated"], "`MB` is no unit of it"),
        ("both.slow_ration < 2%", &["--simulated"], "did you mean `slow_ratio`?"),
        ("both.respons.p99 < 1s", &["--simulated"], "no series `respons`"),
        ("both@simulated.p99 < 1s", &["--simulated"], "no variant `both@simulated`"),
    ] {
        let refused = asserted(&workshop, &[limit], more);
        assert_eq!(refused.code, 2, "{limit}: {refused:?}");
        assert!(refused.stderr.contains(said), "{limit}: {refused:?}");
    }
    let decision = workshop.lab(&["--require-decision"]);
    assert_eq!(decision.code, 2, "{decision:?}");
    // A mistyped metric is reported after the first trial, not after the last.
    let live = asserted(&workshop, &["both.slow_ration < 2%"], &[]);
    assert_eq!(live.code, 2, "{live:?}");
    assert!(!live.stderr.contains("002-both"), "{live:?}");
    let met =
        asserted(&workshop, &["both.slow_ratio < 2%", "both.slow_ratio > 2%"], &["--simulated"]);
    assert_eq!(met.code, 3, "{met:?}");
}
