//! The revision that introduced a regression, found by the real program in repositories made here.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its own data is a failed test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A repository whose commits each change the program `prog` to one of these shell lines.
fn repository(bodies: &[&str]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["init", "--quiet", "--initial-branch=main"]);
    fs::write(home.path().join(".gitignore"), "cache/\n").unwrap();
    for (number, body) in bodies.iter().enumerate() {
        let program = home.path().join("prog");
        fs::write(&program, format!("#!/bin/sh\n# {number}\n{body}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        git(home.path(), &["add", "--all"]);
        let message = format!("change {number}");
        let author = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        git(home.path(), &[&author[..], &["commit", "--quiet", "-m", &message]].concat());
    }
    home
}

fn git(home: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
        git.env_remove(name);
    }
    let output = git.args(args).current_dir(home).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

struct Said {
    out: String,
    err: String,
}

/// Runs `bisect` with these arguments, and `./prog` after them; it must end with this code.
fn expect(code: i32, home: &TempDir, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    let metric = ["--metric", r"steps=regex:(\d+) steps"];
    command.arg("bisect").args(args).args(metric).args(["--", "./prog"]).current_dir(home.path());
    command.env_remove("CARGO_PKG_NAME").env("XDG_CACHE_HOME", home.path().join("cache"));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { out: text(stdout), err: text(stderr) };
    assert_eq!(status.code(), Some(code), "{args:?}\n{}\n{}", said.out, said.err);
    said
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap()
}

fn subjects(found: &Value) -> Vec<&str> {
    let candidates = found["candidates"].as_array().unwrap();
    candidates.iter().map(|commit| commit["subject"].as_str().unwrap()).collect()
}

const FAST: &str = "echo 100 steps";
const SLOW: &str = "echo 112 steps";
const BROKEN: &str = "exit 1";
/// Another number each time, from 55 to 155.
const NOISY: &str =
    "n=$(cat ../runs || echo 0); echo $((n + 1)) > ../runs; echo $((n * 37 % 101 + 55)) steps";

#[test]
fn the_first_revision_with_the_regression_is_found_and_the_checkout_is_left_alone() {
    let home = repository(&[FAST, FAST, FAST, FAST, FAST, SLOW, SLOW, SLOW, SLOW]);
    fs::write(home.path().join("prog"), "edited").unwrap();
    let said = json(&expect(0, &home, &["HEAD~8", "HEAD", "--format", "json"]));
    assert_eq!(subjects(&said), ["change 5"]);
    assert_eq!(said["regression"]["metric"], "steps");
    let change = said["regression"]["change_ratio"].as_f64().unwrap();
    assert!((change - 0.12).abs() < 1e-9, "{change}");
    let steps = said["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3, "eight revisions take three decisions: {steps:?}");
    assert_eq!(fs::read_to_string(home.path().join("prog")).unwrap(), "edited");
    assert_eq!(git(home.path(), &["branch", "--show-current"]), "main\n");
}

#[test]
fn revisions_that_cannot_run_widen_the_answer_and_are_named() {
    let home = repository(&[FAST, FAST, BROKEN, BROKEN, SLOW, SLOW]);
    let said = expect(4, &home, &["HEAD~5", "HEAD"]);
    assert!(said.out.contains("One of these 3 is the first that has it"), "{}", said.out);
    for subject in ["change 2", "change 3", "change 4"] {
        assert!(said.out.ends_with("at all.\n") && said.out.contains(subject), "{}", said.out);
    }
    assert!(said.out.contains("\"change 2\" is undecided: "), "{}", said.out);
}

#[test]
fn a_noisy_revision_is_never_taken_for_fast_or_slow() {
    let home = repository(&[FAST, FAST, NOISY, SLOW, SLOW]);
    let said = json(&expect(4, &home, &["HEAD~4", "HEAD", "--format", "json"]));
    assert_eq!(subjects(&said), ["change 2", "change 3"]);
}

#[test]
fn without_a_regression_nothing_is_searched() {
    let home = repository(&[FAST, FAST, FAST]);
    let said = expect(4, &home, &["HEAD~2", "HEAD"]);
    assert!(said.out.contains("HEAD against HEAD~2: equivalent"), "{}", said.out);
    assert!(said.err.contains("nothing to search for"), "{}", said.err);
}

#[test]
fn what_a_search_cannot_use_is_refused_before_anything_runs() {
    let home = repository(&[FAST, SLOW, SLOW]);
    for (args, said) in [
        (&["HEAD"][..], "name two revisions"),
        (&["HEAD", "HEAD~1"], "HEAD~1 does not come after HEAD"),
        (&["HEAD~1", "HEAD~1"], "same commit"),
        (&["HEAD~1", "nowhere"], "no revision `nowhere`"),
        (&["HEAD~1", "HEAD", "--looks", "8"], "bisect takes no --looks"),
        (&["HEAD~1", "HEAD", "--merge-base"], "bisect takes no --merge-base"),
        (&["HEAD~1", "HEAD", "--error", "50%"], "from 0.01% to 20%"),
        (&["HEAD~1", "HEAD", "--gate", "stepz"], "no metric `stepz`"),
    ] {
        let refused = expect(2, &home, args);
        assert!(refused.err.contains(said), "{args:?}: {}", refused.err);
    }
    assert!(!home.path().join("cache").exists(), "nothing was built");
}
