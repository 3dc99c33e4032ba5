//! Runs that go well: what they leave, in which order, and that they repeat.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use lab_record::{Backend, Environment, Mode, Plan, State, Summary, read_json};
use lab_skip::{Need, skip};
use serde_json::Value;

use crate::workshop::{FAKE_LAB, Workshop, exit_of, states};

#[test]
fn a_run_writes_every_file_of_the_documented_layout() {
    let workshop = Workshop::new();
    let said = workshop.lab(&["--trials", "2"]);
    assert_eq!(said.code, 0, "{said:?}");
    let run = workshop.latest();
    for file in ["plan.json", "environment.json", "claims.json", "summary.json"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    let expected = [
        "001-both",
        "002-live-only",
        "003-profiled",
        "004-both",
        "005-live-only",
        "006-profiled",
        "007-both@simulated",
        "008-simulated-only",
    ];
    let finished = expected.map(|id| (id.to_owned(), State::Finished));
    assert_eq!(states(&run), finished, "rounds are interleaved, and simulated trials come last");
    for id in expected {
        for file in ["trial.json", "stdout", "stderr", "response.hlog", "metrics.json"] {
            assert!(run.join("trials").join(id).join(file).is_file(), "{id}/{file}");
        }
        assert_eq!(exit_of(&run, id).code, Some(0));
    }
    let environment: Environment = read_json(&run.join("environment.json")).unwrap();
    assert!(environment.after.is_some() && environment.steal_ratio().is_some());
    assert_eq!(environment.profile, "unknown", "the runner did not build this lab");
}

#[test]
fn tables_name_claims_variants_and_the_run() {
    let workshop = Workshop::new();
    let said = workshop.lab(&["--all"]);
    for expected in [
        "FAKE-1: A response",
        "reproduced",
        "both",
        "  @simulated",
        "simulated-only",
        "run: target/perf-lab/fake-lab/",
    ] {
        assert!(said.stdout.contains(expected), "{expected} in {said:?}");
    }
    assert!(!said.stdout.contains('\x1b'), "no colours into a pipe");
    assert!(said.stderr.contains("[1/5] 001-both (live, 250 ms)"), "{said:?}");
    let again = workshop.xtask(&["show", "--all"]);
    assert_eq!(again.stdout, said.stdout, "show reads the same tables from disk");
}

#[test]
fn a_run_ends_with_a_line_for_each_claim_its_finding_and_its_page() {
    let workshop = Workshop::new();
    let said = workshop.lab(&[]);
    let page = workshop.latest().canonicalize().unwrap().join("report.html");
    let lines: Vec<&str> = said.stdout.lines().collect();
    let claims = lines.iter().filter(|line| line.contains("FAKE-1")).count();
    assert_eq!(claims, 1, "{said:?}");
    let ending = ["The fake lab ran.".to_owned(), format!("open  file://{}", page.display())];
    assert_eq!(lines[lines.len() - 2..], ending, "{said:?}");
    assert_eq!(workshop.xtask(&["show"]).stdout, said.stdout);
}

#[test]
fn json_stands_alone_on_standard_output() {
    let workshop = Workshop::new();
    let said = workshop.lab(&["--format", "json", "--variant", "both"]);
    assert_eq!(said.code, 0, "{said:?}");
    let printed: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(printed["schema"], "perf-lab.summary/1");
    assert_eq!(said.stdout, fs::read_to_string(workshop.latest().join("summary.json")).unwrap());
    assert_eq!(printed["trials"].as_array().unwrap().len(), 2);
    assert_eq!(printed["metrics"]["both"]["slow_ratio"], 0.01);
    let dir = workshop.path().join(printed["run"].as_str().unwrap());
    assert_eq!(dir.canonicalize().unwrap(), workshop.latest());
}

#[test]
fn a_simulated_run_is_the_same_bytes_for_the_same_seed() {
    let workshop = Workshop::new();
    let run = |seed: &str| workshop.lab(&["--simulated", "--format", "json", "--seed", seed]);
    let first = run("1");
    assert_eq!(first.code, 0, "{first:?}");
    let summary = fs::read(workshop.latest().join("summary.json")).unwrap();
    let again = run("1");
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(fs::read(workshop.latest().join("summary.json")).unwrap(), summary);
    let other = run("2");
    assert_ne!(other.stdout, first.stdout, "the seed matters");
    let runs = fs::read_dir(workshop.path().join("target/perf-lab/fake-lab")).unwrap().count();
    assert_eq!(runs, 3, "two runs and `latest`: the second replaced the first");
    assert!(first.stderr.contains("`live-only` does not run in simulated time"), "{first:?}");
}

#[test]
fn every_trial_of_a_simulated_run_is_simulated() {
    let workshop = Workshop::new();
    workshop.lab(&["--simulated"]);
    let plan: Plan = read_json(&workshop.latest().join("plan.json")).unwrap();
    assert_eq!(plan.mode, Mode::Simulated);
    let labels: Vec<(&str, Mode)> =
        plan.trials.iter().map(|t| (t.label.as_str(), t.mode)).collect();
    assert_eq!(labels, [("both", Mode::Simulated), ("simulated-only", Mode::Simulated)]);
}

#[test]
fn a_profiled_variant_gets_a_trial_of_its_own() {
    let workshop = Workshop::new();
    let args = ["--quick", "--profiler", "pprof", "--variant", "profiled", "--duration", "100ms"];
    let args = [&["lab", "fake-lab", "--binary", FAKE_LAB][..], &args].concat();
    let said = workshop.xtask(&args);
    assert_eq!(said.code, 0, "{said:?}");
    let plan: Plan = read_json(&workshop.latest().join("plan.json")).unwrap();
    let profiles: Vec<_> = plan.trials.iter().map(|trial| trial.profile.clone()).collect();
    assert_eq!(profiles.len(), 2);
    assert!(profiles[0].is_none());
    let profile = profiles[1].as_ref().unwrap();
    assert_eq!((profile.backend, profile.hz), (Backend::Pprof, Some(99)));
    let summary: Summary = read_json(&workshop.latest().join("summary.json")).unwrap();
    assert_eq!(summary.series["profiled"]["response"].count, 1_000, "from the timed trial alone");
}

#[test]
fn without_a_probe_profiles_fall_back_and_say_so() {
    let workshop = Workshop::new();
    let args =
        ["lab", "fake-lab", "--binary", FAKE_LAB, "--variant", "profiled", "--duration", "100ms"];
    let said = workshop.xtask(&args);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("taken by pprof"), "{said:?}");
    let insisted = workshop.xtask(&[&args[..], &["--profiler", "perf-event"]].concat());
    assert_eq!(insisted.code, 1, "{insisted:?}");
    assert!(insisted.stderr.contains("no lab-probe"), "{insisted:?}");
}

#[test]
fn a_run_can_be_written_anywhere_new() {
    let workshop = Workshop::new();
    let said = workshop.lab(&["--variant", "simulated-only", "--out", "mine/first"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("/mine/first/report.html"), "{said:?}");
    assert!(workshop.path().join("mine/first/summary.json").is_file());
    let again = workshop.lab(&["--variant", "simulated-only", "--out", "mine/first"]);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("mine/first: the directory is not empty"), "{again:?}");
    let shown = workshop.xtask(&["show", "mine/first"]);
    assert_eq!(shown.stdout, said.stdout);
}

#[test]
fn a_trial_replays_by_hand() {
    let workshop = Workshop::new();
    workshop.lab(&["--simulated"]);
    let trial = workshop.latest().join("trials/001-both");
    let metrics = |dir: &Path| fs::read(dir.join("metrics.json")).unwrap();
    let before = metrics(&trial);
    fs::remove_file(trial.join("metrics.json")).unwrap();
    assert!(Command::new(FAKE_LAB).arg("run").arg(&trial).status().unwrap().success());
    assert_eq!(metrics(&trial), before);
}

#[test]
fn command_line_options_reach_the_trials() {
    let workshop = Workshop::new();
    let said = workshop.lab(&[
        "--variant",
        "both",
        "--set",
        "rate=77",
        "--duration",
        "130ms",
        "--seed",
        "9",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let plan: Plan = read_json(&workshop.latest().join("plan.json")).unwrap();
    assert_eq!(plan.seed, 9);
    for trial in &plan.trials {
        assert_eq!(trial.knobs["rate"].to_string(), "77");
        assert_eq!((trial.measure_ms, trial.interval_ms), (130, 13));
    }
    assert_eq!(plan.trials[0].seed, plan.trials[1].seed, "a round shares its seed");
}

#[test]
fn under_sudo_a_lab_has_its_users_rights() {
    if !rustix::process::geteuid().is_root() {
        return skip(Need::Root, "only root has rights to give up");
    }
    let workshop = Workshop::new();
    // Where that user can reach it.
    fs::set_permissions(workshop.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let args = ["lab", "fake-lab", "--binary", FAKE_LAB, "--profile", "none", "--quick"];
    let mut command = workshop.command(&args);
    let output = command.env("SUDO_UID", "12345").env("SUDO_GID", "12346").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let trial = workshop.latest().join("trials/001-both");
    let owner = |file: &str| {
        let of = fs::metadata(trial.join(file)).unwrap();
        (of.uid(), of.gid())
    };
    assert_eq!(owner("metrics.json"), (12345, 12346), "the lab's");
    assert_eq!(owner("exit.json"), (0, 0), "ours");
}

#[test]
fn interval_logs_are_read_equally_by_an_independent_reader() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = checkout.join("target/hlog/bin/python");
    let mut imports = Command::new(&python);
    let can = imports.args(["-c", "import hdrh"]).output().is_ok_and(|o| o.status.success());
    if !can {
        return skip(Need::Python, format!("{} has no hdrhistogram", python.display()));
    }
    let workshop = Workshop::new();
    let said = workshop.lab(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    let compare = |run: &Path| {
        let script = checkout.join("tests/interop/read_hlog.py");
        Command::new(&python).arg(script).arg(run).output().unwrap()
    };
    let run = workshop.latest();
    let output = compare(&run);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("20 figures compared"), "{output:?}");

    // One figure of the summary, changed, is found.
    let summary = fs::read_to_string(run.join("summary.json")).unwrap();
    let wrong = summary.replacen("\"p90_ns\": 1", "\"p90_ns\": 2", 1);
    assert_ne!(summary, wrong);
    fs::write(run.join("summary.json"), wrong).unwrap();
    let output = compare(&run);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
