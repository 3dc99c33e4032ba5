//! `new`: the lab that it makes builds, runs and passes its tests as it stands.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab_record::{Outcome, Summary, read_json};

use crate::workshop::Workshop;

/// A workspace like this one, with the kit and without its labs.
fn workspace_with_the_kit() -> Workshop {
    let workshop = Workshop::in_place("new-lab");
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let (_, shared) = manifest.split_once("[workspace.package]").unwrap();
    let ours = "[workspace]\nresolver = \"3\"\nmembers = [\"labs/*\"]\n\n[workspace.package]";
    workshop.write("Cargo.toml", &format!("{ours}{shared}"));
    fs::copy(repository().join("Cargo.lock"), workshop.path().join("Cargo.lock")).unwrap();
    fs::create_dir(workshop.path().join("labs")).unwrap();
    // A lab is what has a program.
    for member in fs::read_dir(repository().join("labs")).unwrap() {
        let member = member.unwrap();
        if !member.path().join("src/main.rs").exists() {
            symlink(member.path(), workshop.path().join("labs").join(member.file_name())).unwrap();
        }
    }
    workshop
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The target directory of these tests: dependencies that are built there are not built again.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let is_profile = |dir: &&Path| dir.join("deps").is_dir();
    test.ancestors().find(is_profile).unwrap().parent().unwrap().to_owned()
}

fn cargo(workshop: &Workshop, args: &[&str]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(args).current_dir(workshop.path()).env("CARGO_TARGET_DIR", target());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_new_lab_builds_runs_and_passes_its_tests() {
    let workshop = workspace_with_the_kit();
    let said = workshop.xtask(&["new", "fresh-lab"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("labs/fresh-lab"), "{said:?}");

    let tests = cargo(&workshop, &["test", "--package", "fresh-lab"]);
    let passed = String::from_utf8_lossy(&tests.stdout).matches("... ok").count();
    assert!(passed >= 1, "{passed} tests passed");
    cargo(&workshop, &["fmt", "--package", "fresh-lab", "--check"]);

    cargo(&workshop, &["build", "--package", "fresh-lab"]);
    let binary = target().join("debug/fresh-lab");
    let run = ["lab", "fresh-lab", "--binary", binary.to_str().unwrap(), "--simulated", "--strict"];
    let said = workshop.xtask(&run);
    assert_eq!(said.code, 0, "{said:?}");
    let summary = workshop.path().join("target/perf-lab/fresh-lab/latest/summary.json");
    let summary: Summary = read_json(&summary).unwrap();
    let outcomes: Vec<Outcome> = summary.claims.iter().map(|claim| claim.outcome).collect();
    let expected = [Outcome::Reproduced, Outcome::Reproduced, Outcome::Unavailable];
    assert_eq!(outcomes, expected, "closed form, simulated, live");
}

#[test]
fn a_new_lab_needs_a_good_name_and_a_free_one() {
    let workshop = Workshop::with_a_lab();
    for (name, words) in [("Bad_Name", "not a valid lab name"), ("fake-lab", "already")] {
        let said = workshop.xtask(&["new", name]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
    }
}
