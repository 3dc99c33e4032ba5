//! `new`: the lab that it makes builds, runs and passes its tests as it stands.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use lab_record::{Outcome, Summary, read_json};
use lab_skip::{Need, skip};

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

/// A busy program for each CPU, which ends with this.
struct Busy(Vec<Child>);

impl Busy {
    fn begin() -> Self {
        let spin = |_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let cpus = std::thread::available_parallelism().unwrap().get();
        Self((0..cpus).map(spin).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn new_labs_build_run_and_pass_their_tests() {
    let workshop = workspace_with_the_kit();
    let made: [&[&str]; 2] = [&["new", "fresh-lab"], &["new", "fresh-queue", "--simulated"]];
    for new in made {
        let said = workshop.xtask(new);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(&format!("labs/{}", new[1])), "{said:?}");
    }
    let both = ["--package", "fresh-lab", "--package", "fresh-queue"];
    let tests = cargo(&workshop, &[&["test"], &both[..]].concat());
    let passed = String::from_utf8_lossy(&tests.stdout).matches("... ok").count();
    assert!(passed >= 2, "{passed} tests passed");
    cargo(&workshop, &[&["fmt"], &both[..], &["--check"]].concat());
    cargo(&workshop, &[&["build"], &both[..]].concat());

    let binary = |lab: &str| target().join("debug").join(lab).display().to_string();
    let run = |lab: &str, options: &[&str]| {
        let run = ["lab", lab, "--binary", &binary(lab), "--quick", "--profile", "none"];
        let said = workshop.xtask(&[&run[..], options].concat());
        let summary = format!("target/perf-lab/{lab}/latest/summary.json");
        let summary: Summary = read_json(&workshop.path().join(summary)).unwrap();
        let outcomes = summary.claims.iter().map(|claim| claim.outcome).collect::<Vec<Outcome>>();
        assert_eq!(summary.story.finding.is_some(), said.code == 0, "{said:?}");
        (said, outcomes)
    };
    let (said, outcomes) = run("fresh-lab", &["--strict"]);
    match said.code {
        6 => skip(Need::Quiet, &said.stdout),
        code => assert_eq!((code, outcomes), (0, vec![Outcome::Reproduced]), "{said:?}"),
    }
    let (said, outcomes) = run("fresh-queue", &["--simulated", "--strict"]);
    let expected = [Outcome::Reproduced, Outcome::Reproduced, Outcome::Unavailable];
    assert_eq!((said.code, &outcomes[..]), (0, &expected[..]), "closed form, simulated, live");

    let busy = Busy::begin();
    let beside = ["fresh-lab", "fresh-queue"].map(|lab| run(lab, &[]));
    drop(busy);
    for ((said, outcomes), live) in beside.iter().zip([0, 2]) {
        assert_eq!((said.code, outcomes[live]), (6, Outcome::Invalid), "{said:?}");
        assert!(said.stdout.contains("others had "), "{said:?}");
    }

    workshop.write("answers", "?\n40\n0\n");
    let binary = binary("fresh-queue");
    let learn = ["learn", "fresh-queue", "--binary", &binary, "--answers", "answers"];
    let said = workshop.xtask(&learn);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("predicted 47.4 %"), "{said:?}");
    assert!(said.stdout.contains("2 predictions made, 2 results seen, 1 cause taken away."));
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
