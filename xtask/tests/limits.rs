//! `compare --assert`: limits on the figures of two commands, by the real program.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its own data is a failed test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// `compare` of a program that prints `a` with one that prints `b`, and what more is asked.
fn compare(home: &Path, [a, b]: [&str; 2], more: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    let metric = ["--metric", "ms=regex:[\\d.]+", "--floor", "ms=900%"];
    command.args(["compare", "--a", a, "--b", b]).args(metric).args(["--margin", "ms=1000%"]);
    let looks = if more.contains(&"--looks") { &[][..] } else { &["--looks", "10"] };
    command.args(looks).args(more).current_dir(home).env("XDG_CACHE_HOME", home.join("cache"));
    let output = command.env_remove("CARGO_PKG_NAME").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

const STEADY: [&str; 2] = ["echo 100", "echo 120"];
/// From 55 to 155, another each time.
const NOISY: &str =
    "sh -c 'n=$(cat runs || echo 0); echo $((n + 1)) > runs; echo $((n * 37 % 101 + 55))'";

#[test]
fn a_broken_limit_exits_with_3_and_is_in_every_file() {
    let home = tempfile::tempdir().unwrap();
    let limits = ["--assert", "b.ms < 110", "--assert", "a.ms <= 100", "--out", "kept"];
    let said = compare(home.path(), STEADY, &limits);
    assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
    assert!(said.out.contains("equivalent, and a limit is broken"), "{}", said.out);
    assert!(said.out.contains("limit b.ms < 110: broken: 120, 120 to 120"), "{}", said.out);
    assert!(said.out.contains("limit a.ms <= 100: kept"), "{}", said.out);
    let read = |name: &str| fs::read_to_string(home.path().join("kept").join(name)).unwrap();
    let found: Value = serde_json::from_str(&read("comparison.json")).unwrap();
    let limits = &found["scenarios"][0]["limits"];
    assert_eq!(
        (&limits[0]["standing"], &limits[1]["standing"]),
        (&"broken".into(), &"kept".into())
    );
    assert!(read("comparison.md").contains("`b.ms < 110`: broken"), "{}", read("comparison.md"));
    let junit = read("junit.xml");
    assert!(junit.contains("<testcase name=\"b.ms &lt; 110\""), "{junit}");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    assert!(read("report.html").contains("limit b.ms &lt; 110: broken"));
    // Judged again, with a limit of its own.
    let mut again = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    let args = ["compare", "--replay", "kept/trials.jsonl", "--looks", "10"];
    again.args(args);
    let again = again.args(["--assert", "base.wall > 60min"]).current_dir(home.path()).output();
    let again = again.unwrap();
    let out = String::from_utf8_lossy(&again.stdout);
    assert_eq!(again.status.code(), Some(3), "{out}");
    assert!(out.contains("limit base.wall > 60min: broken"), "{out}");
}

#[test]
fn a_limit_within_the_interval_is_undecided_and_4_where_a_decision_is_required() {
    let home = tempfile::tempdir().unwrap();
    let limit = ["--assert", "b.ms < 100", "--gate", "wall", "--floor", "wall=900%"];
    let limit = [&limit[..], &["--margin", "wall=1000%"]].concat();
    let noisy = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
        command.args(["compare", "--a", "echo 100", "--b", NOISY, "--metric", "ms=regex:\\d+"]);
        command.args(&limit).args(["--looks", "12"]).args(more).current_dir(home.path());
        let output = command.env("XDG_CACHE_HOME", home.path().join("cache")).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = noisy(&[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("limit b.ms < 100: undecided"), "{out}");
    let (code, out) = noisy(&["--require-decision"]);
    assert_eq!(code, Some(4), "{out}");
}

#[test]
fn a_limit_on_nothing_is_refused_before_anything_runs() {
    let home = tempfile::tempdir().unwrap();
    for (limit, said) in [
        ("b.mss < 1", "no metric `mss`"),
        ("b.wal < 1s", "no metric `wal`: did you mean `wall`?"),
        ("c.wall < 1s", "no figure `c.wall`: did you mean `a.wall`?"),
        ("b.wall < 1", "1 of what? Write 1ms"),
        ("b.wall < 1 MB", "`MB` is no unit of it"),
        ("b.ms < 1 s", "and `s` is no unit of it"),
        ("b.wall = 1s", "write WHAT < NUMBER UNIT"),
    ] {
        let refused = compare(home.path(), ["touch ran", "touch ran"], &["--assert", limit]);
        assert_eq!(refused.code, Some(2), "{limit}: {}", refused.err);
        assert!(refused.err.contains(said), "{limit}: {}", refused.err);
    }
    assert!(!home.path().join("ran").exists());
    // Three tests share alpha, and 8 pairs cannot reject for each.
    let three = ["--assert", "b.ms < 1", "--assert", "b.ms < 2", "--looks", "8"];
    let refused = compare(home.path(), STEADY, &three);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("and 2 limit(s) leave alpha"), "{}", refused.err);
}
