//! Comparisons of revisions: a slower one is found, and what is wrong with one is reported.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::workshop::{Said, Workshop, wait_until};

/// What the lab's own source says, and what it says of a slower revision.
const CALL: &str = "lab.args(";
const SLOWER_CALL: &str = "lab.env(\"FAKE_LAB_SLOWER\", \"1.2\").args(";

/// A repository whose `main` has the fake lab, and whose `slower` takes a fifth longer.
pub(crate) fn repository() -> Workshop {
    let workshop = Workshop::with_a_lab();
    workshop.write(".gitignore", "/target\n");
    git(&workshop, &["init", "--quiet", "--initial-branch=main"]);
    commit(&workshop, "a lab");
    git(&workshop, &["checkout", "--quiet", "-b", "slower"]);
    edit(&workshop, "labs/fake-lab/src/main.rs", CALL, SLOWER_CALL);
    commit(&workshop, "a slower lab");
    git(&workshop, &["checkout", "--quiet", "main"]);
    workshop
}

pub(crate) fn git(workshop: &Workshop, args: &[&str]) -> String {
    let author =
        ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"];
    let mut git_itself = Command::new("git");
    // Where the tests run under a hook, it must not work on the repository that is committed to.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        git_itself.env_remove(name);
    }
    let output = git_itself.args(author).args(args).current_dir(workshop.path()).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn commit(workshop: &Workshop, message: &str) {
    git(workshop, &["add", "--all"]);
    git(workshop, &["commit", "--quiet", "--message", message]);
}

fn edit(workshop: &Workshop, path: &str, from: &str, to: &str) {
    let text = fs::read_to_string(workshop.path().join(path)).unwrap();
    assert!(text.contains(from), "{text}");
    workshop.write(path, &text.replace(from, to));
}

/// What the lab's own source says where its answers or its variants are others.
fn with_env(name: &str, value: &str) -> String {
    format!("lab.env({name:?}, {value:?}).args(")
}

/// Compares in short trials of one variant, without profiles.
fn compare(workshop: &Workshop, args: &[&str]) -> Said {
    let usual =
        ["compare", "--lab", "fake-lab", "--duration", "20ms", "--profiled", "0", "--out", "out"];
    let one = if args.contains(&"--variants") { &[][..] } else { &["--variant", "live-only"][..] };
    workshop.xtask(&[&usual[..], one, args].concat())
}

pub(crate) fn judged(workshop: &Workshop) -> Value {
    let text = fs::read_to_string(workshop.path().join("out/comparison.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_slower_revision_is_regressed_and_all_files_are_kept() {
    let workshop = repository();
    let said = compare(&workshop, &["main", "slower"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stdout.starts_with("slower against main: regressed"), "{}", said.stdout);
    let comparison = judged(&workshop);
    let scenario = &comparison["scenarios"][0];
    assert_eq!(scenario["name"], "fake-lab/live-only");
    assert_eq!(scenario["judged_pairs"], 8, "a clear difference needs no second look");
    let change = scenario["metrics"][0]["change_ratio"].as_f64().unwrap();
    assert!((change - 0.2).abs() < 0.003, "{change}");
    // The fake lab's answers follow from its seed: pairs agree only where they share it.
    for pair in scenario["pairs"].as_array().unwrap() {
        assert!(
            (pair["differences"]["p50"].as_f64().unwrap() - 1.2_f64.ln()).abs() < 0.003,
            "{pair}"
        );
    }
    for kept in ["comparison.md", "junit.xml", "a/fake-lab/summary.json", "b/fake-lab/plan.json"] {
        assert!(workshop.path().join("out").join(kept).is_file(), "{kept}");
    }
    let replayed = workshop.xtask(&["compare", "--replay", "out/trials.jsonl", "--format", "json"]);
    assert_eq!(replayed.code, 3);
    let replayed: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!(replayed["scenarios"][0]["metrics"], scenario["metrics"]);
    assert_eq!(replayed["scenarios"][0]["pairs"], scenario["pairs"]);
    let shown = workshop.xtask(&["compare", "out/a/fake-lab", "out/b/fake-lab"]);
    assert_eq!(shown.code, 0, "stored runs never fail: {}", shown.stderr);
}

#[test]
fn the_working_tree_can_be_the_new_side_and_stays_as_it_is() {
    let workshop = repository();
    edit(&workshop, "labs/fake-lab/src/main.rs", CALL, SLOWER_CALL);
    let before = git(&workshop, &["status", "--porcelain"]);
    let said = compare(&workshop, &["main"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let comparison = judged(&workshop);
    assert!(comparison["new"]["revision"].as_str().unwrap().ends_with("+dirty"));
    fs::remove_dir_all(workshop.path().join("out")).unwrap();
    assert_eq!(git(&workshop, &["status", "--porcelain"]), before);
}

#[test]
fn equal_variants_are_equivalent() {
    let workshop = repository();
    let said = compare(&workshop, &["--variants", "both", "live-only"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with("live-only against both: equivalent"), "{}", said.stdout);
    assert!(said.stdout.contains("fake-lab/both → live-only"), "{}", said.stdout);
    assert_eq!(judged(&workshop)["outcome"], "equivalent");
}

#[test]
fn a_missing_revision_or_variant_is_named_before_anything_runs() {
    let workshop = repository();
    for (args, said) in [
        (&["main", "slowr"][..], "no revision `slowr`: did you mean `slower`?"),
        (
            &["main", "slower", "--variant", "live-onl"],
            "no variant `live-onl`: did you mean `live-only`?",
        ),
        (&["main", "slower", "--lab", "fake-la"], "no lab `fake-la`: did you mean `fake-lab`?"),
        (&["main", "slower", "--set", "rat=5"], "no knob `rat`"),
        (&["main", "main"], "are the same commit"),
        (&["--variants", "both", "nothing"], "no variant `nothing`"),
    ] {
        let refused = compare(&workshop, args);
        assert_eq!(refused.code, 2, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(said), "{args:?}: {}", refused.stderr);
        assert!(!workshop.path().join("out").exists());
    }
}

#[test]
fn a_lab_that_one_side_lacks_is_named_with_the_side() {
    let workshop = repository();
    git(&workshop, &["checkout", "--quiet", "-b", "without"]);
    git(&workshop, &["mv", "labs/fake-lab", "labs/other-lab"]);
    edit(&workshop, "labs/other-lab/Cargo.toml", "fake-lab", "other-lab");
    commit(&workshop, "another lab");
    let said = compare(&workshop, &["main", "without"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("in without: no lab `fake-lab`"), "{}", said.stderr);
    let said = workshop.xtask(&["compare", "main", "without"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    let named = "no lab in common: main has [fake-lab], without has [other-lab]";
    assert!(said.stderr.contains(named), "{}", said.stderr);
}

#[test]
fn a_revision_that_does_not_build_is_named() {
    let workshop = repository();
    edit(&workshop, "labs/fake-lab/src/main.rs", CALL, "lab.arguments(");
    commit(&workshop, "broken");
    let said = compare(&workshop, &["slower", "main"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("revision main: fake-lab does not build"), "{}", said.stderr);
}

#[test]
fn sides_that_build_differently_are_not_comparable() {
    let workshop = repository();
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = \
                    [\"labs/*\"]\n\n[profile.release]\nopt-level = 1\n";
    workshop.write("Cargo.toml", manifest);
    let said = compare(&workshop, &["main", "."]);
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(said.stderr.contains("profile differs"), "{}", said.stderr);
    let allowed = compare(&workshop, &["main", ".", "--allow-diff", "profile"]);
    assert_eq!(allowed.code, 0, "{}", allowed.stderr);
    assert!(allowed.stdout.contains("warning: profile differs"), "{}", allowed.stdout);
}

#[test]
fn sides_with_other_features_are_not_comparable() {
    let workshop = repository();
    let manifest = "labs/fake-lab/Cargo.toml";
    let package = fs::read_to_string(workshop.path().join(manifest)).unwrap();
    workshop.write(manifest, &format!("{package}[features]\ndefault = [\"fast\"]\nfast = []\n"));
    let said = compare(&workshop, &["main", "."]);
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(said.stderr.contains("features differs: `` in the base, `fast`"), "{}", said.stderr);
}

#[test]
fn a_trial_that_fails_ends_the_comparison_without_a_judgement() {
    let workshop = repository();
    let said = compare(&workshop, &["main", "slower", "--set", "behaviour=crash"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("told to crash"), "{}", said.stderr);
    assert!(!workshop.path().join("out/comparison.json").exists());
    fs::remove_dir_all(workshop.path().join("out")).unwrap();
    let invalid = compare(&workshop, &["main", "slower", "--set", "behaviour=invalid"]);
    assert_eq!(invalid.code, 6, "{}", invalid.stderr);
    assert!(invalid.stdout.contains("told to be invalid"), "{}", invalid.stdout);
}

#[test]
fn an_interrupted_comparison_is_not_judged_and_the_next_one_runs() {
    let workshop = repository();
    let hang = ["compare", "main", "slower", "--lab", "fake-lab", "--variant", "live-only"];
    let more = ["--set", "behaviour=hang", "--profiled", "0", "--out", "out"];
    let mut command = workshop.command(&[&hang[..], &more].concat());
    let runner = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid_file = || -> Option<PathBuf> {
        let sides = ["a", "b"].map(|side| workshop.path().join("out").join(side));
        let files = sides.map(|side| side.join("fake-lab/trials/000-0/pids"));
        files.into_iter().find(|file| file.is_file())
    };
    wait_until("the first trial runs", || pid_file().is_some());
    let pid = fs::read_to_string(pid_file().unwrap()).unwrap().trim().to_owned();
    kill_process(Pid::from_child(&runner), Signal::INT).unwrap();
    let output = runner.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("interrupted: 0 trials are kept"), "{stderr}");
    assert!(stderr.contains("cargo xtask compare --resume out"), "{stderr}");
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists(), "the lab lives on");
    assert!(!workshop.path().join("out/comparison.json").exists());
    let again = compare(&workshop, &["main", "slower"]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("goes on with --resume out"), "{}", again.stderr);
    fs::remove_dir_all(workshop.path().join("out")).unwrap();
    assert_eq!(compare(&workshop, &["main", "slower"]).code, 3);
}

#[test]
fn an_injected_slowness_is_found_or_refused_where_it_cannot_show() {
    let workshop = repository();
    let found = compare(&workshop, &["main", "--inject", "p50=10%"]);
    assert_eq!(found.code, 3, "{}", found.stderr);
    let change = judged(&workshop)["scenarios"][0]["metrics"][0]["change_ratio"].as_f64().unwrap();
    assert!((change - 0.1).abs() < 0.003, "{change}");
    assert!(found.stdout.contains("warning: a slowness of 10.0% was injected into p50"));
    let mute = ["compare", "main", "--inject", "p50=10%", "--variant", "profiled"];
    let refused = workshop.xtask(&mute);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let said = "fake-lab/profiled files no response times in which a slowness could show; \
                labs with variants that do: fake-lab";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}

#[test]
fn by_default_only_variants_that_file_responses_are_compared() {
    let workshop = repository();
    let all = ["compare", "main", "slower", "--duration", "20ms", "--profiled", "0"];
    let said = workshop.xtask(&[&all[..], &["--format", "json"]].concat());
    assert_eq!(said.code, 3, "{}", said.stderr);
    let comparison: Value = serde_json::from_str(&said.stdout).unwrap();
    let names: Vec<&Value> =
        comparison["scenarios"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["fake-lab/both", "fake-lab/live-only"]);
}

#[test]
fn calibration_counts_false_alarms() {
    let workshop = repository();
    let said = workshop.xtask(&[
        "compare",
        "--aa",
        "main",
        "--lab",
        "fake-lab",
        "--variant",
        "live-only",
        "--duration",
        "20ms",
        "--comparisons",
        "2",
        "--format",
        "json",
    ]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let calibration: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(calibration["schema"], "perf-lab.calibration/1");
    assert_eq!((&calibration["comparisons"], &calibration["invalid"]), (&2.into(), &0.into()));
    let p50 = &calibration["metrics"][0];
    assert_eq!((&p50["judged"], &p50["false_regressed"]), (&2.into(), &0.into()));
    assert_eq!(p50["smallest_visible_ratio"], 0.03, "without noise, the floor");
}

#[test]
fn a_calibration_of_invalid_comparisons_alone_is_invalid() {
    let workshop = repository();
    let aa = ["compare", "--aa", "main", "--lab", "fake-lab", "--variant", "live-only"];
    let more = ["--duration", "20ms", "--comparisons", "2", "--set", "behaviour=invalid"];
    let said = workshop.xtask(&[&aa[..], &more].concat());
    assert_eq!(said.code, 6, "{}", said.stderr);
    assert!(said.stdout.contains("2 scenarios invalid, 0 disturbed pairs"), "{}", said.stdout);
}

#[test]
fn a_removed_variant_is_refused_by_name_unless_allowed() {
    let workshop = repository();
    let renamed = with_env("FAKE_LAB_BOTH", "two");
    edit(&workshop, "labs/fake-lab/src/main.rs", CALL, &renamed);
    let all = ["compare", "main", ".", "--duration", "20ms", "--profiled", "0"];
    let said = workshop.xtask(&all);
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(
        said.stderr.contains("only in base, so not compared: fake-lab/both"),
        "{}",
        said.stderr
    );
    let said = workshop.xtask(&[&all[..], &["--allow-diff", "variants"]].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    for named in [
        "only in base, so not compared: fake-lab/both",
        "only in new, so not compared: fake-lab/two",
    ] {
        assert!(said.stdout.contains(named), "{}", said.stdout);
    }
    let said = workshop.xtask(&[&all[..], &["--variant", "both"]].concat());
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("main has a variant `both`, and . does not"), "{}", said.stderr);
}

#[test]
fn a_removed_lab_is_refused_by_name_unless_allowed() {
    let workshop = repository();
    git(&workshop, &["checkout", "--quiet", "-b", "two-labs"]);
    for file in ["Cargo.toml", "src/main.rs", "README.md"] {
        let text = fs::read_to_string(workshop.path().join("labs/fake-lab").join(file)).unwrap();
        workshop.write(
            &format!("labs/other-lab/{file}"),
            &text.replace("\"fake-lab\"", "\"other-lab\""),
        );
    }
    commit(&workshop, "two labs");
    let all = ["compare", "two-labs", "slower", "--duration", "20ms", "--profiled", "0"];
    let said = workshop.xtask(&all);
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(said.stderr.contains("only in base, so not compared: other-lab"), "{}", said.stderr);
    let said = workshop.xtask(&[&all[..], &["--allow-diff", "labs"]].concat());
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stdout.contains("only in base, so not compared: other-lab"), "{}", said.stdout);
}

#[test]
fn trials_of_too_few_requests_have_no_tail_and_no_verdict_on_it() {
    let workshop = repository();
    let few = with_env("FAKE_LAB_REQUESTS", "190");
    edit(&workshop, "labs/fake-lab/src/main.rs", CALL, &few);
    commit(&workshop, "few requests");
    edit(&workshop, "labs/fake-lab/README.md", "It obeys.", "It still obeys.");
    let said = compare(&workshop, &["main", "."]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with(". against main: inconclusive"), "{}", said.stdout);
    let words = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let few = "p99i takes 100 a slice, and one has 19 (--duration 1s suffices)";
    assert!(words.contains(few), "{words}");
    assert!(words.contains("answered: 1,520 of 1,520 requests in base, 1,520 of 1,520 in new"));
    let scenario = judged(&workshop)["scenarios"][0].clone();
    assert_eq!(scenario["metrics"][0]["verdict"], "equivalent");
    assert_eq!(scenario["metrics"][1]["verdict"], "too-few");
    assert_eq!(scenario["metrics"][1]["base"], Value::Null);
    let record = fs::read_to_string(workshop.path().join("out/trials.jsonl")).unwrap();
    let first: Value = serde_json::from_str(record.lines().next().unwrap()).unwrap();
    assert!(first["p999_ns"].as_u64() <= first["max_ns"].as_u64(), "{first}");
}

#[test]
fn a_side_that_never_answers_its_slowest_requests_is_not_improved() {
    let workshop = repository();
    let lossy = format!(
        "lab.env(\"FAKE_LAB_SLOWER\", \"0.5\").{}",
        &with_env("FAKE_LAB_UNANSWERED", "9")["lab.".len()..]
    );
    edit(&workshop, "labs/fake-lab/src/main.rs", CALL, &lossy);
    let said = compare(&workshop, &["main", "."]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let words = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("8,000 of 8,000 requests in base, 7,928 of 8,000 in new"), "{words}");
    assert!(words.contains("regressed, new answers fewer of the same requests"), "{words}");
    let scenario = judged(&workshop)["scenarios"][0].clone();
    assert_eq!(scenario["metrics"][0]["verdict"], "improved", "the median is known");
    assert_eq!(scenario["answered"]["verdict"], "regressed");
}

#[test]
fn labs_with_identical_sources_are_not_measured() {
    let workshop = repository();
    workshop.write("README.md", "other words");
    let asked = ["compare", "main", ".", "--skip-unchanged", "--duration", "20ms"];
    let said = workshop.xtask(&[&asked[..], &["--out", "out"]].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with(". against main: unchanged"), "{}", said.stdout);
    assert!(said.stdout.contains("Nothing that is built differs"), "{}", said.stdout);
    assert_eq!(judged(&workshop)["outcome"], "unchanged");
    let kept = fs::read_to_string(workshop.path().join("out/trials.jsonl")).unwrap();
    assert_eq!(kept, "");
    assert!(!workshop.path().join("target/perf-lab-sides/a/target/release").exists(), "nor built");
    fs::remove_dir_all(workshop.path().join("out")).unwrap();
    for (file, text) in [
        ("labs/fake-lab/src/more.rs", "// one file more"),
        (".cargo/config.toml", "[term]\nquiet = false\n"),
        ("rust-toolchain.toml", "[toolchain]\n"),
    ] {
        workshop.write(file, text);
        let said = compare(&workshop, &["main", ".", "--skip-unchanged"]);
        assert!(said.stdout.starts_with(". against main: equivalent"), "{file}: {said:?}");
        fs::remove_file(workshop.path().join(file)).unwrap();
        fs::remove_dir_all(workshop.path().join("out")).unwrap();
    }
}

#[test]
fn a_shallow_clone_without_the_merge_base_says_the_line_that_fetches_it() {
    let workshop = repository();
    git(&workshop, &["checkout", "--quiet", "main"]);
    workshop.write("more", "main moves on");
    commit(&workshop, "on main");
    let clone = tempfile::tempdir().unwrap();
    let url = format!("file://{}", workshop.path().display());
    let into = clone.path().to_str().unwrap();
    git(&workshop, &["clone", "--quiet", "--depth=1", "--no-single-branch", &url, into]);
    let args = ["compare", "--merge-base", "origin/main", "origin/slower"];
    let mut command = workshop.command(&args);
    let output = command.current_dir(clone.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("git fetch --unshallow"), "{stderr}");
}

/// A lab may have a variant that asks nothing, such as one that measures what recording costs.
#[test]
fn stored_runs_are_compared_by_the_variants_that_have_responses() {
    let workshop = Workshop::new();
    for out in ["one", "two"] {
        assert_eq!(workshop.lab(&["--variant", "both", "--out", out]).code, 0);
        let metrics = workshop.path().join(out).join("trials/002-both@simulated/metrics.json");
        let text = fs::read_to_string(&metrics).unwrap();
        fs::write(&metrics, text.replace("\"response\"", "\"other\"")).unwrap();
    }
    let said = compare(&workshop, &["one/", "two/", "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let comparison: Value = serde_json::from_str(&said.stdout).unwrap();
    let names: Vec<&Value> =
        comparison["scenarios"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["fake-lab/both"]);
    let page = fs::read_to_string(workshop.path().join("out/report.html")).unwrap();
    assert!(page.contains("stored runs: shown, never judged"));
    assert!(workshop.path().join("out/a/fake-lab/plan.json").is_file(), "the run itself is linked");
}

/// Compares every simulated variant of the fake lab exactly.
fn compare_simulated(workshop: &Workshop, args: &[&str]) -> Said {
    let usual = ["compare", "--simulated", "--lab", "fake-lab", "--out", "out"];
    workshop.xtask(&[&usual[..], args].concat())
}

#[test]
fn simulated_variants_are_compared_exactly_with_one_trial_a_side() {
    let workshop = repository();
    let said = compare_simulated(&workshop, &["main", "slower", "--assert", "both.p99 < 2ms"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stdout.contains("Exact: one simulated trial of each side"), "{}", said.stdout);
    let comparison = judged(&workshop);
    let names: Vec<&str> = comparison["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| scenario["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["fake-lab/both", "fake-lab/simulated-only"]);
    let both = &comparison["scenarios"][0];
    assert_eq!((&both["verdict"], &both["judged_pairs"]), (&"regressed".into(), &1.into()));
    assert_eq!(both["limits"][0]["standing"], "kept");
    assert_eq!(both["exact"]["also_differing"][0], "histogram `response`");
    let page = fs::read_to_string(workshop.path().join("out/report.html")).unwrap();
    assert!(page.contains("simulated trials: exact") && !page.contains("Frames that moved"));
    // What was kept compares to the same, without building anything.
    let stored = workshop.xtask(&["compare", "out/a/fake-lab", "out/b/fake-lab"]);
    assert_eq!((stored.code, stored.stdout.contains("regressed")), (3, true), "{stored:?}");
    let itself = workshop.xtask(&["compare", "out/a/fake-lab", "out/a/fake-lab"]);
    assert_eq!(itself.code, 0, "{itself:?}");
    assert!(itself.stdout.contains("equal, in all of"), "{}", itself.stdout);
}

#[test]
fn simulated_trials_of_other_seeds_or_knobs_are_not_compared() {
    let workshop = repository();
    for (out, more) in
        [("one", &[][..]), ("seed", &["--seed", "2"]), ("knob", &["--set", "rate=7"])]
    {
        let args = [&["lab", "fake-lab", "--simulated", "--out", out][..], more].concat();
        assert_eq!(workshop.xtask(&args).code, 0);
    }
    let seeds = workshop.xtask(&["compare", "one", "seed"]);
    assert_eq!(seeds.code, 2, "{seeds:?}");
    assert!(seeds.stderr.contains("ran with different seeds"), "{}", seeds.stderr);
    let knobs = workshop.xtask(&["compare", "one", "knob"]);
    assert_eq!(knobs.code, 5, "{knobs:?}");
    assert!(knobs.stderr.contains("scenario differs"), "{}", knobs.stderr);
}

#[test]
fn a_variant_that_does_not_simulate_is_refused_by_name() {
    let workshop = repository();
    let said = compare_simulated(&workshop, &["main", "slower", "--variant", "live-only"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("no variant `live-only`"), "{}", said.stderr);
}
