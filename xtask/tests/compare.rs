//! The exit codes and refusals of `cargo xtask compare`, from recorded trials and stored runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its own data is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use hdrhistogram::Histogram;
use lab_record::hlog::{Interval, Log, histogram};
use lab_record::{
    Accounting, Description, Environment, Exit, Metrics, Mode, Plan, SeriesFacts, State, Trial,
    read_json, write_json,
};

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/verdict/tests/data/trials.jsonl");

fn compare(args: &[&str]) -> Output {
    // A workspace of its own: what is kept must not lie among the runs of this checkout.
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    command.arg("compare").args(args).current_dir(home.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs `compare` and checks its exit code; returns standard output and error.
fn expect(code: i32, args: &[&str]) -> (String, String) {
    let output = compare(args);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out, err)
}

fn replay(more: &[&str]) -> Vec<&'static str> {
    let more: Vec<&'static str> = more.iter().map(|word| &*word.to_string().leak()).collect();
    [vec!["--replay", RECORD], more].concat()
}

#[test]
fn a_replay_ends_with_the_exit_code_of_its_outcome() {
    let (out, _) = expect(0, &replay(&["--variants", "A", "A2"]));
    assert!(out.starts_with("A2 against A: equivalent"), "{out}");
    let (out, _) = expect(3, &replay(&["--variants", "A", "m10"]));
    assert!(out.contains("regressed     12"), "{out}");
    let undecided = ["--variants", "A", "A2", "--looks", "10"];
    expect(0, &replay(&undecided));
    expect(4, &replay(&[&undecided[..], &["--require-decision"]].concat()));
}

#[test]
fn a_record_with_request_errors_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trials.jsonl");
    let failing = fs::read_to_string(RECORD).unwrap().replacen('{', "{\"failed\":1,", 1);
    fs::write(&file, failing).unwrap();
    let (out, _) = expect(6, &["--replay", file.to_str().unwrap(), "--variants", "A", "m10"]);
    assert!(out.contains("1 request failed") && !out.contains("regressed"), "{out}");
}

#[test]
fn a_missing_name_is_refused_with_the_existing_ones() {
    for (args, said) in [
        (replay(&["--variants", "A", "m50"]), "no variant `m50` in the record; there are A, A2"),
        (replay(&["--gate", "p75"]), "no metric `p75` to gate on; there are p50 and p99i"),
        (replay(&["--allow-diff", "kernal"]), "no key `kernal`"),
        (replay(&["--looks", "4"]), "can never reject"),
        (vec!["no-such-revision", "HEAD"], "not a git repository"),
        (vec![], "name what to compare"),
    ] {
        let (out, err) = expect(2, &args);
        assert!(err.contains(said) && out.is_empty(), "{args:?}: {err}");
    }
    let (_, err) = expect(1, &["--replay", "/nonexistent"]);
    assert!(err.contains("/nonexistent"), "{err}");
}

#[test]
fn every_format_is_printed_alone_and_the_same_each_time() {
    for (format, start) in [
        ("json", "{\n  \"schema\": \"perf-lab.comparison/2\""),
        ("md", "### 🔴 m10 against A: regressed"),
        ("junit", "<?xml version=\"1.0\""),
        ("human", "m10 against A: regressed"),
    ] {
        let args = replay(&["--variants", "A", "m10", "--format", format]);
        let (out, err) = expect(3, &args);
        assert!(out.starts_with(start) && err.is_empty(), "{out}{err}");
        assert_eq!(out, expect(3, &args).0);
    }
}

#[test]
fn stored_runs_are_shown_and_never_fail() {
    let home = tempfile::tempdir().unwrap();
    let base = stored_run(home.path(), "base", 1_000_000);
    let new = stored_run(home.path(), "new", 9_000_000);
    let (out, _) =
        expect(0, &[base.to_str().unwrap(), new.to_str().unwrap(), "--require-decision"]);
    assert!(out.contains("advisory") && out.contains("+8"), "{out}");
    assert!(out.contains("stored runs were not interleaved"), "{out}");
}

#[test]
fn runs_that_differ_in_a_hard_key_are_refused_by_name() {
    type Change = fn(&mut Environment);
    let changes: [(&str, Change); 11] = [
        ("arch", |e| e.architecture = "other".into()),
        ("cpu-model", |e| e.cpu_model = None),
        ("cores", |e| e.cpus = 64),
        ("virtualisation", |e| e.virtualization = Some("xen".into())),
        ("kernel", |e| e.kernel = Some("7.1.0".into())),
        ("rustc", |e| e.rustc = Some("rustc 2".into())),
        ("profile", |e| e.profile = "debug".into()),
        ("rustflags", |e| e.rustflags = "-g".into()),
        ("features", |e| e.features = "extra".into()),
        ("clock-source", |e| e.clock_source = Some("hpet".into())),
        ("harness", |e| e.harness = "9".into()),
    ];
    let home = tempfile::tempdir().unwrap();
    let base = stored_run(home.path(), "base", 1_000_000);
    for (key, change) in changes {
        let new = stored_run(home.path(), key, 1_000_000);
        let file = new.join("environment.json");
        let mut environment: Environment = read_json(&file).unwrap();
        change(&mut environment);
        write_json(&file, &environment).unwrap();
        let runs = [base.to_str().unwrap(), new.to_str().unwrap()];
        let (_, err) = expect(5, &runs);
        assert!(err.contains(&format!("{key} differs")), "{err}");
        let (out, _) = expect(0, &[runs[0], runs[1], "--allow-diff", key]);
        assert!(out.contains(&format!("warning: {key} differs")), "{out}");
    }
}

#[test]
fn runs_of_another_lab_knob_or_schema_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let base = stored_run(home.path(), "base", 1_000_000);
    let refused = |name: &str, from: &str, to: &str, code: i32| {
        let new = stored_run(home.path(), name, 1_000_000);
        let file = new.join("plan.json");
        let plan = fs::read_to_string(&file).unwrap();
        assert!(plan.contains(from), "{plan}");
        fs::write(&file, plan.replace(from, to)).unwrap();
        expect(code, &[base.to_str().unwrap(), new.to_str().unwrap()]).1
    };
    assert!(
        refused("lab", "\"name\": \"some-lab\"", "\"name\": \"other\"", 5).contains("lab differs")
    );
    let knob = refused("knob", "\"rate\": 100", "\"rate\": 200", 5);
    assert!(knob.contains("scenario differs: `rate=100` in the base, `rate=200`"), "{knob}");
    let schema = refused("schema", "perf-lab.run/1", "perf-lab.run/2", 5);
    assert!(schema.contains("schema differs") && schema.contains("perf-lab.run/2"), "{schema}");
}

#[test]
fn a_log_with_other_bounds_is_not_comparable() {
    let home = tempfile::tempdir().unwrap();
    let base = stored_run(home.path(), "base", 1_000_000);
    let new = stored_run(home.path(), "new", 1_000_000);
    let coarse = |mut interval: Interval| {
        interval.histogram = Histogram::new_with_bounds(1, 1_000_000_000, 2).unwrap();
        interval.histogram.record(1_000_000).unwrap();
        interval
    };
    let log = response_log(1_000_000);
    let log = Log { steady: log.steady.into_iter().map(coarse).collect(), ..log };
    log.write(&new.join("trials/001-only/response.hlog"), "response").unwrap();
    let (_, err) = expect(5, &[base.to_str().unwrap(), new.to_str().unwrap()]);
    assert!(err.contains("histogram differs") && err.contains("at 2 digits"), "{err}");
}

#[test]
fn a_truncated_log_is_an_error_with_its_path() {
    let home = tempfile::tempdir().unwrap();
    let base = stored_run(home.path(), "base", 1_000_000);
    let new = stored_run(home.path(), "new", 1_000_000);
    let log = new.join("trials/001-only/response.hlog");
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() / 2]).unwrap();
    let (_, err) = expect(1, &[base.to_str().unwrap(), new.to_str().unwrap()]);
    assert!(err.contains("response.hlog"), "{err}");
}

/// A run of one trial, all of whose 2,000 answers took `response_ns`.
fn stored_run(home: &Path, name: &str, response_ns: u64) -> PathBuf {
    let dir = home.join(name);
    let trial_dir = dir.join("trials/001-only");
    fs::create_dir_all(&trial_dir).unwrap();
    let trial: Trial = serde_json::from_value(serde_json::json!({
        "id": "001-only", "lab": "some-lab", "variant": "only", "label": "only", "mode": "live",
        "seed": 1, "warmup_ms": 0, "measure_ms": 500, "interval_ms": 50, "deadline_ms": 9_000,
        "knobs": { "rate": 100 }, "profile": null,
    }))
    .unwrap();
    let description = Description {
        story: None,
        lessons: Vec::new(),
        name: "some-lab".into(),
        question: String::new(),
        sources: vec![],
        knobs: vec![],
        variants: vec![],
        claims: vec![],
        charts: vec![],
    };
    let plan = Plan {
        command: vec![],
        created: String::new(),
        mode: Mode::Live,
        seed: 1,
        description,
        set: Default::default(),
        trials: vec![trial.clone()],
        without_probes: BTreeMap::new(),
        limits: Vec::new(),
    };
    write_json(&dir.join("plan.json"), &plan).unwrap();
    write_json(&dir.join("environment.json"), &environment()).unwrap();
    write_json(&trial_dir.join("trial.json"), &trial).unwrap();
    let exit = Exit {
        state: State::Finished,
        code: Some(0),
        signal: None,
        lived_ms: 500,
        others_cpu_ratio: None,
    };
    write_json(&trial_dir.join("exit.json"), &exit).unwrap();
    response_log(response_ns).write(&trial_dir.join("response.hlog"), "response").unwrap();
    let facts = SeriesFacts { count: 2_000, max_ns: response_ns, ..SeriesFacts::default() };
    let metrics = Metrics {
        accounting: Accounting { offered: 2_000, completed: 2_000, ..Accounting::default() },
        series: BTreeMap::from([("response".to_owned(), facts)]),
        ..Metrics::default()
    };
    write_json(&trial_dir.join("metrics.json"), &metrics).unwrap();
    dir
}

fn response_log(response_ns: u64) -> Log {
    let interval = |n: u64| {
        let mut filled = histogram();
        filled.record_n(response_ns, 200).unwrap();
        let length = Duration::from_millis(50);
        Interval { start: Duration::from_millis(50 * n), length, histogram: filled }
    };
    Log { warmup: vec![], steady: (0..10).map(interval).collect() }
}

fn environment() -> Environment {
    let some = |text: &str| Some(text.to_owned());
    Environment {
        architecture: "x86_64".into(),
        cpu_model: some("a model"),
        cpus: 2,
        virtualization: some("kvm"),
        kernel: some("6.8.0-45"),
        clock_source: some("tsc"),
        rustc: some("rustc 1"),
        profile: "release".into(),
        harness: "0.1.0".into(),
        ..Environment::default()
    }
}
