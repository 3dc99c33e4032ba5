//! Any two commands, and any command in two revisions, compared by the real program.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its own data is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// `compare` in `home`, which is neither a workspace nor a repository unless a test makes it one.
fn compare(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    command.arg("compare").args(args).current_dir(home);
    command.env_remove("CARGO_PKG_NAME").env("XDG_CACHE_HOME", home.join("cache"));
    command
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

/// Equal sides are called different now and then: as often as the level of the looks says.
const OF_EQUAL_SIDES: [i32; 2] = [0, 3];

/// Runs `compare`, which must end with one of these codes.
fn expect_any(codes: &[i32], home: &Path, args: &[&str]) -> Said {
    let Output { status, stdout, stderr } = compare(home, args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) };
    let Said { code, out, err } = &said;
    assert!(codes.contains(code), "{code} is none of {codes:?}: {args:?}\n{out}\n{err}");
    said
}

/// Runs `compare`, which must end with this code.
fn expect(code: i32, home: &Path, args: &[&str]) -> Said {
    expect_any(&[code], home, args)
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn two_commands_are_judged_by_time_and_memory_and_every_trial_is_kept() {
    let home = home();
    // With one argument alone `true` takes a fifth longer: it looks for --help.
    let sides = ["--a", "true 1 2", "--b", "true 2 1"];
    let args = [&sides[..], &["--looks", "8", "--format", "json", "--out", "kept"]].concat();
    let said = expect_any(&OF_EQUAL_SIDES, home.path(), &args);
    let found = json(&said);
    let named = (&found["base"]["name"], &found["new"]["name"]);
    assert_eq!(named, (&"true 1 2".into(), &"true 2 1".into()));
    let scenario = &found["scenarios"][0];
    assert_eq!(said.code == 3, scenario["verdict"] == "regressed", "{scenario}");
    assert_eq!(scenario["judged_pairs"], 8);
    let names = |rows: &str| -> Vec<String> {
        let rows = scenario[rows].as_array().unwrap().iter();
        rows.map(|row| row["metric"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names("metrics"), names("shown")),
        (vec!["wall".to_owned(), "memory".to_owned()], vec!["user".to_owned(), "sys".to_owned()],)
    );
    let memory = &scenario["metrics"][1];
    assert_eq!(memory["unit"], "bytes");
    assert!(memory["base"].as_f64().unwrap() > 100_000.0, "{memory}");
    let kept = home.path().join("kept");
    let trials = fs::read_to_string(kept.join("trials.jsonl")).unwrap();
    assert_eq!(trials.lines().count(), 16);
    for name in ["comparison.json", "comparison.md", "junit.xml", "report.html", "environment.json"]
    {
        assert!(kept.join(name).is_file(), "{name}");
    }
    let record = kept.join("trials.jsonl");
    let args = ["--replay", record.to_str().unwrap(), "--looks", "8"];
    let again = expect(said.code, home.path(), &args);
    assert!(again.out.contains("memory") && again.out.contains("wall"), "{}", again.out);
    let of_memory = [&args[..], &["--gate", "memory", "--format", "json"]].concat();
    let again = json(&expect_any(&OF_EQUAL_SIDES, home.path(), &of_memory));
    let gated = again["scenarios"][0]["metrics"].as_array().unwrap();
    assert_eq!((gated.len(), &gated[0]["metric"]), (1, &"memory".into()), "{again}");
}

#[test]
fn a_slower_command_is_a_regression_and_a_faster_one_is_not() {
    let home = home();
    let sides = |a: &str, b: &str, code| {
        let args = ["--a", a, "--b", b, "--looks", "8", "--gate", "wall"];
        expect(code, home.path(), &args)
    };
    let said = sides("sleep 0.02", "sleep 0.2", 3);
    assert!(said.out.starts_with("sleep 0.2 against sleep 0.02: regressed"), "{}", said.out);
    assert!(sides("sleep 0.2", "sleep 0.02", 0).out.contains("improved"));
}

#[test]
fn the_start_of_a_shell_is_taken_from_the_side_that_needs_one() {
    let home = home();
    let args = ["--a", "sleep 0.1", "--b", "sleep 0.1 | cat", "--looks", "8", "--gate", "wall"];
    let said = expect_any(&OF_EQUAL_SIDES, home.path(), &args);
    assert!(
        said.out.contains("start of a shell") && said.out.contains("is subtracted"),
        "{}",
        said.out
    );
    let plain = ["--a", "sleep 0.01", "--b", "sleep 0.01", "--looks", "8", "--gate", "wall"];
    assert!(!expect_any(&OF_EQUAL_SIDES, home.path(), &plain).out.contains("shell"));
}

#[test]
fn outputs_that_differ_are_reported_and_with_a_check_refused() {
    let home = home();
    let differ = ["--a", "echo 1", "--b", "echo 2", "--looks", "8", "--gate", "wall"];
    let said = Command::output(&mut compare(home.path(), &differ)).unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains("the sides print different things"));
    let said = expect(5, home.path(), &[&differ[..], &["--check"]].concat());
    assert!(said.err.contains("--check: the sides print different things"), "{}", said.err);
    let unsteady = "sh -c 'test -e done && echo 2 || echo 1; touch done'";
    let args = ["--a", unsteady, "--b", "echo 1", "--check", "--looks", "8", "--warmup", "1"];
    let said = expect(5, home.path(), &args);
    assert!(said.err.contains("prints different output each time"), "{}", said.err);
}

#[test]
fn a_command_that_does_not_do_its_work_is_named_with_its_last_words() {
    let home = home();
    for (b, more, said) in [
        ("false", &[][..], "new: `false` ended with exit code 1"),
        ("ls ./nowhere", &[], "| ls: cannot access './nowhere'"),
        ("sh -c 'kill -9 $$'", &[], "was ended by signal 9"),
        ("./no-such-program", &[], "start ./no-such-program"),
        ("sleep 60", &["--deadline", "300ms"], "outlived --deadline 300ms and was killed"),
        (
            "echo",
            &["--metric", "qps=regex:(\\d+) req/s"],
            "metric qps: regex:(\\d+) req/s: matches nothing",
        ),
        ("echo NaN", &["--metric", "x=regex:\\S+"], "finds `NaN`, which is no number"),
        ("true", &["--prepare", "echo broken >&2; exit 3"], "ended with exit code 3\n  | broken"),
        (" ", &[], "the command is empty"),
    ] {
        let args = [&["--a", "echo 1", "--b", b, "--looks", "8"][..], more].concat();
        let output = compare(home.path(), &args).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        let code = if b == " " { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{b}: {err}");
        assert!(err.contains(said), "{b}: {err}");
    }
    // A number that no ratio can be made of is the comparison's answer, not a crash.
    let zero = ["--a", "echo 0", "--b", "echo 1", "--looks", "8", "--metric", "x=regex:\\d+"];
    let said = expect(6, home.path(), &zero);
    assert!(said.out.contains("x is 0, and a ratio takes values above 0"), "{}", said.out);
}

#[test]
fn processes_that_a_command_leaves_behind_are_named_and_ended_wherever_they_went() {
    let home = home();
    let b =
        "sh -c 'setsid sh -c \"echo \\$\\$ > pid; exec sleep 600\" >/dev/null 2>&1 & sleep 0.2'";
    let said = expect(1, home.path(), &["--a", "true", "--b", b, "--looks", "8"]);
    assert!(said.err.contains("left processes behind"), "{}", said.err);
    assert!(said.err.contains("is in no figure: sleep"), "{}", said.err);
    let pid = fs::read_to_string(home.path().join("pid")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "{pid}");
}

#[test]
fn a_programs_own_number_decides_and_more_of_it_can_be_better() {
    let home = home();
    let sides = |a: &str, b: &str, more: &[&str], code| {
        let args = ["--a", a, "--b", b, "--looks", "8", "--metric", "qps=regex:\\d+"];
        expect(code, home.path(), &[&args[..], more].concat())
    };
    let higher = &["--higher-is-better", "qps"];
    let said = sides("echo 1000 req/s", "echo 500 req/s", higher, 3);
    assert!(said.out.contains("qps       1,000      500  -50.0%"), "{}", said.out);
    sides("echo 500", "echo 1000", higher, 0);
    sides("echo 500", "echo 1000", &[], 3);
}

#[test]
fn preparations_run_before_each_run_and_are_in_no_figure() {
    let home = home();
    let args =
        ["--a", "true", "--b", "true", "--looks", "8", "--prepare", "sleep 0.05; echo >> ran"];
    let args = [&args[..], &["--format", "json", "--gate", "memory"]].concat();
    let said = expect_any(&OF_EQUAL_SIDES, home.path(), &args);
    let ran = fs::read_to_string(home.path().join("ran")).unwrap();
    assert_eq!(ran.lines().count(), 16 + 2, "trials and warm-up");
    let wall = &json(&said)["scenarios"][0]["shown"][0];
    assert!(wall["base"].as_f64().unwrap() < 50e6, "{wall}");
}

#[test]
fn one_command_is_compared_with_itself() {
    let home = home();
    let args =
        ["--aa", "--a", "sleep 0.01", "--comparisons", "2", "--looks", "8", "--format", "json"];
    let found = json(&expect(0, home.path(), &args));
    assert_eq!(
        (&found["comparisons"], &found["metrics"][0]["metric"]),
        (&2.into(), &"wall".into())
    );
}

/// A repository whose program sleeps, `fast` in its first commit and `slow` in its second.
fn repository(fast: &str, slow: &str) -> TempDir {
    let home = home();
    git(home.path(), &["init", "--quiet", "--initial-branch=main"]);
    fs::create_dir(home.path().join("sub")).unwrap();
    fs::write(home.path().join(".gitignore"), "cache/\nsub/prog\n").unwrap();
    for body in [fast, slow] {
        fs::write(home.path().join("sub/source"), format!("#!/bin/sh\n{body}\n")).unwrap();
        git(home.path(), &["add", "--all"]);
        git(
            home.path(),
            &["-c", "user.name=t", "-c", "user.email=t@x", "commit", "--quiet", "-m", body],
        );
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

const BUILD: &str = "cp source prog && chmod +x prog";

fn revisions(home: &TempDir, build: &str, more: &[&str]) -> Command {
    let args = ["HEAD~1", "HEAD", "--looks", "8", "--gate", "wall", "--build", build];
    let mut command = compare(home.path(), &[&args[..], more, &["--", "./prog", "a b"]].concat());
    // Where the user is in the repository is where both sides run.
    command.current_dir(home.path().join("sub"));
    command
}

#[test]
fn two_revisions_of_any_repository_are_built_apart_and_compared() {
    let home = repository("sleep 0.02", "test \"$1\" = 'a b' && sleep 0.2");
    fs::write(home.path().join("sub/source"), "the user's work").unwrap();
    let output = revisions(&home, BUILD, &[]).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{out}{err}");
    assert!(
        out.contains("HEAD against HEAD~1: regressed") && out.contains("./prog 'a b'"),
        "{out}"
    );
    assert_eq!(git(home.path(), &["status", "--porcelain"]), " M sub/source\n");
    assert!(!home.path().join("sub/prog").exists(), "nothing was built in the user's checkout");
}

#[test]
fn a_side_that_does_not_build_is_named_with_what_was_said() {
    let home = repository("sleep 0.02", "sleep 0.2");
    let build = "grep -q 0.02 source || { echo no rule to make it >&2; exit 2; }; cp source prog";
    let output = revisions(&home, build, &[]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("HEAD does not build") && err.contains("| no rule to make it"), "{err}");
}

#[test]
fn what_a_program_writes_into_its_worktree_and_what_did_not_change_is_reported() {
    let home = repository("echo >> written; sleep 0.01", "echo >> written; sleep 0.01 ");
    let output = revisions(&home, BUILD, &[]).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let joined = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains("the command writes into its worktree (sub/written)"), "{out}");
    let same = revisions(&home, "printf '#!/bin/sh\\nsleep 0.01\\n' > prog; chmod +x prog", &[]);
    let output = { same }.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("both sides have the same ./prog, byte for byte"), "{out}");
}

#[test]
fn revisions_that_cannot_be_compared_are_refused_before_anything_runs() {
    let home = repository("true", "true ");
    let own = home.path().join("sub/source");
    for (args, said) in [
        (&["HEAD", "HEAD", "--", "./prog"][..], "are the same commit"),
        (&["mian", "HEAD", "--", "./prog"], "did you mean `main`?"),
        (&["HEAD~1", "HEAD", "--", own.to_str().unwrap()], "is in your own checkout"),
    ] {
        let said_so = expect(2, home.path(), args);
        assert!(said_so.err.contains(said), "{args:?}: {}", said_so.err);
    }
    let elsewhere = self::home();
    let said = expect(2, elsewhere.path(), &["main", "HEAD", "--", "./prog"]);
    assert!(said.err.contains("not a git repository"), "{}", said.err);
}

#[test]
fn an_interrupted_comparison_of_commands_goes_on_with_its_whole_pairs() {
    let home = home();
    let args =
        ["--a", "sleep 0.05", "--b", "sleep 0.05", "--looks", "8", "--gate", "wall", "--out", "x"];
    let child = compare(home.path(), &args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child: Child = child.unwrap();
    let lines = || {
        let text = fs::read_to_string(home.path().join("x/trials.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let began = Instant::now();
    while lines().len() < 5 {
        assert!(began.elapsed() < Duration::from_secs(60), "no trial ends");
        thread::sleep(Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("to go on: perf-lab compare --resume x"), "{said}");
    let whole = lines().len() / 2 * 2;
    let before = lines();
    let gone_on = expect_any(&OF_EQUAL_SIDES, home.path(), &["--resume", "x"]);
    assert!(gone_on.out.contains(&format!("resumed after {} pairs", whole / 2)), "{}", gone_on.out);
    assert_eq!(lines()[..whole], before[..whole]);
    assert_eq!(lines().len(), 16);
}
