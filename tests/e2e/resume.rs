//! Comparisons that were interrupted go on where they were, and nothing half-done is taken for
//! whole.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::compare::{git, judged, repository};
use crate::workshop::{Said, Workshop, wait_until};

/// Long enough to be interrupted: 32 trials of a tenth of a second.
const ASKED: [&str; 14] = [
    "compare",
    "main",
    "slower",
    "--lab",
    "fake-lab",
    "--variant",
    "live-only",
    "--duration",
    "100ms",
    "--profiled",
    "0",
    "--looks",
    "16",
    "--out",
];

fn start(workshop: &Workshop) -> Child {
    let mut command = workshop.command(&[&ASKED[..], &["out"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn resume(workshop: &Workshop) -> Said {
    workshop.xtask(&["compare", "--resume", "out"])
}

/// Starts the comparison, and ends it by a signal when a few trials have ended.
fn interrupted(signal: Signal) -> Workshop {
    let workshop = repository();
    let mut runner = start(&workshop);
    wait_until("a few trials have ended", || recorded(&workshop) >= 5);
    let meanwhile = resume(&workshop);
    assert_eq!(meanwhile.code, 1, "{}", meanwhile.stderr);
    assert!(meanwhile.stderr.contains("another runner writes here"), "{}", meanwhile.stderr);
    kill_process(Pid::from_child(&runner), signal).unwrap();
    assert!(!runner.wait().unwrap().success());
    assert!(!workshop.path().join("out/comparison.json").exists());
    workshop
}

fn recorded(workshop: &Workshop) -> usize {
    fs::read_to_string(workshop.path().join("out/trials.jsonl"))
        .map_or(0, |text| text.lines().count())
}

/// The directory of a trial, of either side.
fn trial(workshop: &Workshop, id: &str) -> PathBuf {
    let of = |side: &str| workshop.path().join("out").join(side).join("fake-lab/trials").join(id);
    ["a", "b"].map(of).into_iter().find(|dir| dir.exists()).unwrap()
}

/// Changes if a file is written again.
fn identity(path: &Path) -> (u64, i64, i64) {
    let facts = path.metadata().unwrap();
    (facts.ino(), facts.mtime(), facts.mtime_nsec())
}

fn replayed(workshop: &Workshop) -> Value {
    let file = "out/trials.jsonl";
    let said = workshop.xtask(&["compare", "--replay", file, "--looks", "16", "--format", "json"]);
    serde_json::from_str(&said.stdout).unwrap()
}

#[test]
fn a_killed_comparison_resumes_and_gives_the_same_verdict() {
    let workshop = interrupted(Signal::KILL);
    // As if it had been killed in the second half of the second pair.
    let (first, half) = (trial(&workshop, "000-0"), trial(&workshop, "000-2"));
    fs::remove_file(trial(&workshop, "000-3").join("exit.json")).unwrap();
    let [of_first, of_half] = [&first, &half].map(|dir| identity(&dir.join("metrics.json")));
    // The names move on; the comparison does not.
    git(&workshop, &["branch", "--force", "slower", "main"]);
    let said = resume(&workshop);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert_eq!(identity(&first.join("metrics.json")), of_first, "a whole pair stays");
    assert_ne!(identity(&half.join("metrics.json")), of_half, "half a pair is taken again");
    let resumed = judged(&workshop);
    assert_eq!(resumed["scenarios"][0]["judged_pairs"], 16);
    assert!(resumed["warnings"][0].as_str().unwrap().contains("resumed after"), "{resumed}");
    let replayed = replayed(&workshop);
    for what in ["metrics", "guards", "pairs"] {
        assert_eq!(resumed["scenarios"][0][what], replayed["scenarios"][0][what]);
    }
    assert_eq!(resumed["outcome"], replayed["outcome"]);
    // The fake lab's figures follow from the seeds: an uninterrupted comparison finds the same.
    git(&workshop, &["branch", "--force", "slower", resumed["new"]["revision"].as_str().unwrap()]);
    fs::rename(workshop.path().join("out"), workshop.path().join("resumed")).unwrap();
    assert_eq!(start(&workshop).wait_with_output().unwrap().status.code(), Some(3));
    assert_eq!(resumed["scenarios"], judged(&workshop)["scenarios"]);
}

#[test]
fn a_comparison_resumes_after_ctrl_c_and_ends_once() {
    let workshop = interrupted(Signal::INT);
    assert_eq!(resume(&workshop).code, 3);
    let ended = resume(&workshop);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("this comparison is finished"), "{}", ended.stderr);
}

#[test]
fn a_comparison_that_cannot_resume_is_refused_and_left_unchanged() {
    let workshop = interrupted(Signal::KILL);
    let out = workshop.path().join("out");
    let record = || fs::read_to_string(out.join("trials.jsonl")).unwrap();
    let before = record();
    let refused = |code: i32, why: &str| {
        let said = resume(&workshop);
        assert_eq!(said.code, code, "{why}: {}", said.stderr);
        assert!(said.stderr.contains(why), "{why}: {}", said.stderr);
        assert_eq!(said.stderr.matches("error: ").count(), 1, "{}", said.stderr);
        assert!(!out.join("comparison.json").exists());
    };
    let damaged = |file: &str, from: &str, to: &str, code: i32, why: &str| {
        let file = out.join(file);
        let whole = fs::read_to_string(&file).unwrap();
        assert!(whole.contains(from), "{whole}");
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        refused(code, why);
        fs::write(&file, whole).unwrap();
    };
    let plan = "comparison-plan.json";
    damaged(plan, "perf-lab.comparison-plan/2", "perf-lab.comparison-plan/3", 5, "schema differs");
    damaged(plan, "}", "", 1, "parse ");
    damaged(plan, "\"seed\": 1,", "\"seed\": 2,", 1, "plans different trials");
    let head = git(&workshop, &["rev-parse", "main"]);
    let commit = |id: &str| format!("\"commit\": \"{id}\"");
    let gone = commit(&"1".repeat(40));
    damaged(plan, &commit(head.trim()), &gone, 2, "is not in this repository");
    damaged("a/fake-lab/environment.json", "\"cpus\": ", "\"cpus\": 1", 5, "cores differs");
    damaged("b/fake-lab/plan.json", "perf-lab.run/1", "perf-lab.run/7", 5, "perf-lab.run/7");
    let exit = trial(&workshop, "000-1").join("exit.json");
    let exit = exit.strip_prefix(&out).unwrap().to_str().unwrap().to_owned();
    damaged(&exit, "finished", "crashed", 2, "trial 000-1 failed: only an interrupted comparison");
    let log = trial(&workshop, "000-1").join("response.hlog");
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() / 2]).unwrap();
    refused(1, "response.hlog");
    fs::write(&log, whole).unwrap();
    fs::rename(out.join(plan), out.join("hidden")).unwrap();
    refused(2, "there is no comparison here");
    fs::rename(out.join("hidden"), out.join(plan)).unwrap();
    assert_eq!(record(), before);
    assert_eq!(resume(&workshop).code, 3, "nothing of that spoilt it");
}

#[test]
fn a_directory_without_a_comparison_is_refused_by_name() {
    let workshop = repository();
    fs::create_dir(workshop.path().join("empty")).unwrap();
    for (dir, why) in [
        ("nowhere", "--resume nowhere: there is no such directory"),
        ("empty", "--resume empty: there is no comparison here"),
    ] {
        let said = workshop.xtask(&["compare", "--resume", dir]);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(why), "{}", said.stderr);
    }
    let aa = ["compare", "--aa", "main", "--lab", "fake-lab", "--variant", "live-only"];
    let more = ["--duration", "20ms", "--comparisons", "1", "--out", "out"];
    assert_eq!(workshop.xtask(&[&aa[..], &more].concat()).code, 0);
    fs::remove_file(workshop.path().join("out/comparison.json")).unwrap();
    let said = resume(&workshop);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("one of a calibration"), "{}", said.stderr);
}
