//! No command changes what belongs to others: repositories that the environment names, and all
//! files outside a run that another user made.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::compare::{git, repository};
use crate::workshop::{Said, Workshop};

/// Every file below a directory with a hash of what is in it, and every link with that of where it
/// leads.
fn contents(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mut hasher = DefaultHasher::new();
        if path.is_symlink() {
            fs::read_link(&path).unwrap().hash(&mut hasher);
        } else if path.is_dir() {
            found.extend(contents(&path));
            continue;
        } else {
            fs::read(&path).unwrap().hash(&mut hasher);
        }
        found.insert(path, hasher.finish());
    }
    found
}

/// What git sets for its hooks, each at another repository: with work that is staged, as it is
/// before a commit.
fn variables(decoy: &Workshop) -> Vec<(String, String)> {
    let own = git(decoy, &["rev-parse", "--local-env-vars"]);
    let at = |path: &str| decoy.path().join(path).display().to_string();
    let value = |name: &str| match name {
        "GIT_DIR" | "GIT_COMMON_DIR" => at(".git"),
        "GIT_WORK_TREE" => at("."),
        "GIT_INDEX_FILE" => at(".git/index"),
        "GIT_OBJECT_DIRECTORY" | "GIT_ALTERNATE_OBJECT_DIRECTORIES" => at(".git/objects"),
        "GIT_CONFIG" => at(".git/config"),
        "GIT_CONFIG_PARAMETERS" => format!("'core.worktree={}'", at(".")),
        "GIT_CONFIG_COUNT" => "1".to_owned(),
        "GIT_GRAFT_FILE" | "GIT_SHALLOW_FILE" => at("file"),
        "GIT_PREFIX" => "labs/".to_owned(),
        "GIT_REPLACE_REF_BASE" => "refs/heads/".to_owned(),
        _ => "1".to_owned(),
    };
    let mut all: Vec<_> = own.lines().map(|name| (name.to_owned(), value(name))).collect();
    assert!(all.len() > 10, "{all:?}");
    all.push(("GIT_CONFIG_KEY_0".to_owned(), "core.worktree".to_owned()));
    all.push(("GIT_CONFIG_VALUE_0".to_owned(), at(".")));
    all.push(("GIT_NAMESPACE".to_owned(), "x".to_owned()));
    all
}

#[test]
fn a_repository_that_the_environment_names_stays_as_it_is() {
    let (workshop, decoy) = (repository(), repository());
    decoy.write("file", "staged");
    git(&decoy, &["add", "file"]);
    git(&decoy, &["symbolic-ref", "HEAD", "refs/heads/main"]);
    let before = contents(decoy.path());
    let variables = variables(&decoy);
    let mut sets: Vec<&[(String, String)]> = variables.chunks(1).collect();
    sets.push(&variables);
    // Checks both sides out, and builds nothing.
    let compare = ["compare", "main", "slower", "--lab", "no-such-lab"];
    for set in sets {
        let mut command = workshop.command(&compare);
        let output = command.envs(set.iter().cloned()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("no lab `no-such-lab`"), "{set:?}: {said}");
        assert_eq!(contents(decoy.path()), before, "{set:?}");
    }
    // A run does not use that repository as its own, either.
    let args = ["lab", "fake-lab", "--profile", "none", "--simulated", "--out", "run"];
    let args = [&args[..], &["--binary", crate::workshop::FAKE_LAB]].concat();
    assert!(workshop.command(&args).envs(variables).output().unwrap().status.success());
    let environment = fs::read(workshop.path().join("run/environment.json")).unwrap();
    let environment: Value = serde_json::from_slice(&environment).unwrap();
    assert_eq!(environment["git_revision"], git(&workshop, &["rev-parse", "HEAD"]).trim());
    assert_eq!(contents(decoy.path()), before);
}

/// A run with a profile, and beside it what must stay as it is.
fn foreign_run() -> (Workshop, PathBuf) {
    let workshop = Workshop::new();
    let said = workshop.lab(&["--out", "around/run"]);
    assert_eq!(said.code, 0, "{said:?}");
    let run = workshop.path().join("around/run");
    fs::write(run.join("trials/001-both/cpu.folded"), "main;parse 60\n").unwrap();
    (workshop, run)
}

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} in {}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Every verb that reads a run.
const VERBS: [&[&str]; 5] = [
    &["show", "around/run"],
    &["report", "around/run"],
    &["flame", "around/run"],
    &["compare", "around/run", "around/run", "--out", "compared"],
    &["flame", "--diff", "around/run", "around/run", "--variant", "both", "--out", "differ"],
];

fn every_verb(workshop: &Workshop) -> Vec<Said> {
    let said = VERBS.map(|verb| workshop.xtask(verb));
    let outside = fs::read_dir(workshop.path().join("around")).unwrap();
    let outside: Vec<_> = outside.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["run"], "written outside of the run: {said:?}");
    said.into()
}

#[test]
fn a_name_that_leads_out_of_a_run_is_refused_with_its_file_and_key() {
    let (workshop, run) = foreign_run();
    let plan = fs::read_to_string(run.join("plan.json")).unwrap();
    for (from, to, said) in [
        ("\"variant\": \"both\"", "\"variant\": \"../../x\"", "plan.json: variant `../../x`"),
        ("\"id\": \"001-both\"", "\"id\": \"../../x\"", "plan.json: id `../../x`"),
        ("\"label\": \"both\"", "\"label\": \"\\u001b[2J\"", "plan.json: label `\\u{1b}[2J`"),
        ("\"lab\": \"fake-lab\"", "\"lab\": \"/tmp/x\"", "plan.json: lab `/tmp/x`"),
    ] {
        change(&run.join("plan.json"), from, to);
        for (verb, told) in VERBS.iter().zip(every_verb(&workshop)).skip(2) {
            assert_eq!(told.code, 1, "{verb:?}: {told:?}");
            assert!(told.stderr.contains(said), "{verb:?}: {told:?}");
            assert!(!told.stderr.contains('\u{1b}'), "{told:?}");
        }
        fs::write(run.join("plan.json"), &plan).unwrap();
    }
    let metrics = run.join("trials/001-both/metrics.json");
    change(&metrics, "\"response\": {", "\"../../../x\": {");
    let told = workshop.xtask(&["flame", "around/run"]);
    assert!(told.stderr.contains("metrics.json: series `../../../x`"), "{told:?}");
}

#[test]
fn nothing_is_written_through_a_link_in_a_run() {
    let (workshop, run) = foreign_run();
    let theirs = workshop.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    for name in ["report.html", "report.md", "both-cpu.svg", "diff.json", "comparison.json"] {
        fs::write(theirs.join(name), "their work").unwrap();
    }
    let before = contents(&theirs);
    for name in ["report.html", "report.md"] {
        fs::remove_file(run.join(name)).unwrap();
        symlink(theirs.join(name), run.join(name)).unwrap();
    }
    let flame = run.join("flame");
    fs::create_dir_all(&flame).unwrap();
    symlink(theirs.join("both-cpu.svg"), flame.join("both-cpu.svg")).unwrap();
    for said in every_verb(&workshop) {
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(contents(&theirs), before);
    assert!(!run.join("report.html").is_symlink(), "the link is replaced");
    fs::remove_dir_all(&flame).unwrap();
    symlink(&theirs, &flame).unwrap();
    let said = &every_verb(&workshop)[2];
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("flame: a symbolic link"), "{said:?}");
    assert_eq!(contents(&theirs), before);
}

#[test]
fn an_interrupted_comparison_removes_nothing_through_a_link() {
    let workshop = repository();
    let args = ["compare", "main", "slower", "--duration", "20ms", "--profiled", "0"];
    let args = [&args[..], &["--variant", "live-only", "--out", "out"]].concat();
    assert_eq!(workshop.xtask(&args).code, 3);
    // As an interrupted one, whose last pair is half: and its run lies elsewhere.
    let out = workshop.path().join("out");
    fs::remove_file(out.join("comparison.json")).unwrap();
    let trial = fs::read_dir(out.join("a/fake-lab/trials")).unwrap().next().unwrap().unwrap();
    fs::remove_file(trial.path().join("exit.json")).unwrap();
    fs::rename(out.join("a"), workshop.path().join("theirs")).unwrap();
    symlink("../theirs", out.join("a")).unwrap();
    let before = contents(&workshop.path().join("theirs"));
    let said = workshop.xtask(&["compare", "--resume", "out"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("out/a: a symbolic link"), "{said:?}");
    assert_eq!(contents(&workshop.path().join("theirs")), before);
}

#[test]
fn control_characters_in_a_run_do_not_reach_the_terminal() {
    let (workshop, run) = foreign_run();
    for (file, from) in
        [("summary.json", "A response takes"), ("plan.json", "fake-lab\",\n    \"question\": \"")]
    {
        change(&run.join(file), from, &format!("{from}\\u001b]0;owned\\u0007"));
    }
    for (verb, said) in VERBS.iter().zip(every_verb(&workshop)) {
        assert!(
            !format!("{}{}", said.stdout, said.stderr).contains('\u{1b}'),
            "{verb:?}: {said:?}"
        );
    }
}

#[test]
fn a_name_in_a_run_begins_no_line_of_its_own() {
    let (workshop, run) = foreign_run();
    for from in ["\"id\": \"FAKE", "\"unit\": \"", "\"source\": \""] {
        change(&run.join("summary.json"), from, &format!("{from}\\nForged: all is well. "));
    }
    for verb in [&["show", "around/run"][..], &["show", "--all", "around/run"]] {
        let said = workshop.xtask(verb);
        assert_eq!(said.code, 0, "{said:?}");
        let mut lines = said.stdout.lines().chain(said.stderr.lines());
        assert!(lines.all(|line| !line.starts_with("Forged")), "{verb:?}: {said:?}");
    }
}
