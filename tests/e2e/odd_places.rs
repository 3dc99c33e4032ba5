//! Hostile and unusual directories: a command works there, or says at once what prevents it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab_skip::{Need, skip};
use serde_json::Value;

use crate::compare::{git, repository};
use crate::workshop::{FAKE_LAB, Said, Workshop, alive, wait_until, xtask};

/// Runs the lab as a user does, built.
const BUILT: [&str; 6] = ["lab", "fake-lab", "--profile", "none", "--simulated", "--quick"];

fn run_with(workshop: &Workshop, args: &[&str], variables: &[(&str, &str)]) -> Said {
    let output = workshop.command(args).envs(variables.iter().copied()).output().unwrap();
    Said {
        code: output.status.code().expect("the runner exits by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn rustflags_of_the_user_get_the_flags_that_labs_need() {
    let workshop = Workshop::with_a_lab();
    let script = "fn main() {\n    let flags = std::env::var(\"CARGO_ENCODED_RUSTFLAGS\");\n    \
                  std::fs::write(\"../../flags\", flags.unwrap()).unwrap();\n}\n";
    workshop.write("labs/fake-lab/build.rs", script);
    let flags = [("RUSTFLAGS", "-D warnings")];
    let said = run_with(&workshop, &[&BUILT[..], &["--out", "run"]].concat(), &flags);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("note: RUSTFLAGS"), "{said:?}");
    let wanted = "-D warnings -C force-frame-pointers=yes";
    let built = fs::read_to_string(workshop.path().join("flags")).unwrap();
    assert_eq!(built.replace('\u{1f}', " "), wanted);
    let text = fs::read_to_string(workshop.path().join("run/environment.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["rustflags"], wanted);
    let doctor = run_with(&workshop, &["doctor"], &flags);
    assert!(doctor.stdout.contains("! rustc flags"), "{doctor:?}");
}

#[test]
fn a_strict_run_with_rows_that_a_busy_machine_made_invalid_fails() {
    let workshop = Workshop::new();
    let args = ["--set", "behaviour=disturb"];
    assert_eq!(workshop.lab(&args).code, 0);
    let said = workshop.lab(&[&args[..], &["--strict"]].concat());
    assert_eq!(said.code, 6, "{said:?}");
    let said = workshop.lab(&["--variant", "simulated-only", "--strict"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("note: not checked here: FAKE-1 (live)"), "{said:?}");
}

#[test]
fn an_unknown_or_untrusted_checkout_is_reported_in_gits_words() {
    let tarball = Workshop::with_a_lab();
    let compare = ["compare", "HEAD~1", "HEAD"];
    let said = tarball.xtask(&compare);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("not a git repository"), "{said:?}");
    assert!(said.stderr.contains("git clone"), "{said:?}");
    assert!(tarball.xtask(&["doctor"]).stdout.contains("! git"));
    let cargo = Path::new(env!("CARGO"));
    let empty = tarball.path().join("labs");
    let path = [("PATH", empty.to_str().unwrap()), ("CARGO", cargo.to_str().unwrap())];
    let said = run_with(&tarball, &compare, &path);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("git cannot be run") && said.stderr.contains("apt-get"),
        "{said:?}"
    );
    if !rustix::process::geteuid().is_root() {
        return skip(Need::Root, "another user's checkout cannot be made");
    }
    let theirs = repository();
    for path in [theirs.path().to_owned(), theirs.path().join(".git")] {
        chown(path, Some(12_345), None).unwrap();
    }
    let said = theirs.xtask(&compare);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("dubious ownership"), "{said:?}");
    assert!(
        said.stderr.contains("to fix it: git config --global --add safe.directory"),
        "{said:?}"
    );
}

#[test]
fn a_target_directory_may_be_a_link_or_elsewhere_or_for_a_named_target() {
    let workshop = repository();
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = elsewhere.path().join(name);
        fs::create_dir(&path).unwrap();
        path.display().to_string()
    };
    let compare = ["compare", "main", "slower", "--lab", "fake-lab", "--duration", "20ms"];
    let compare = [&compare[..], &["--profiled", "0", "--variant", "live-only"]].concat();
    symlink(at("linked"), workshop.path().join("target")).unwrap();
    let said = workshop.xtask(&compare);
    assert_eq!(said.code, 3, "{said:?}");
    let said = run_with(&workshop, &compare, &[("CARGO_TARGET_DIR", &at("set"))]);
    assert_eq!(said.code, 3, "{said:?}");
    let named = [("CARGO_BUILD_TARGET", host())];
    let said = run_with(&workshop, &BUILT, &named);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(workshop.path().join("target").join(host()).join("release/fake-lab").is_file());
    let list = run_with(&workshop, &["list", "fake-lab"], &named);
    assert!(list.stdout.contains("live-only"), "{list:?}");
}

fn host() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "aarch64-unknown-linux-gnu"
    } else {
        "x86_64-unknown-linux-gnu"
    }
}

#[test]
fn a_run_ends_normally_when_its_reader_goes_away() {
    let workshop = Workshop::new();
    let mut runner = workshop.start_lab(&["--duration", "500ms"]);
    let mut line = String::new();
    BufReader::new(runner.stderr.take().unwrap()).read_line(&mut line).unwrap();
    drop(runner.stdout.take());
    assert_eq!(runner.wait().unwrap().code(), Some(0), "after {line}");
    assert!(workshop.latest().join("summary.json").is_file());
}

#[test]
fn printed_paths_work_from_the_current_directory_and_for_copied_runs() {
    let workshop = Workshop::new();
    workshop.lab(&["--simulated", "--out", "made"]);
    workshop.write("deep/down/x", "");
    fs::rename(workshop.path().join("made"), workshop.path().join("moved")).unwrap();
    for here in ["", "deep/down"] {
        let here = workshop.path().join(here);
        let run = workshop.path().join("moved");
        let mut command = workshop.command(&["show", "--all", run.to_str().unwrap()]);
        let output = command.current_dir(&here).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let shown: Vec<&str> = text.lines().filter(|line| line.ends_with("report.html")).collect();
        assert!(shown.len() == 1 && here.join(shown[0]).is_file(), "in {}: {text}", here.display());
    }
}

#[test]
fn a_directory_that_is_taken_is_refused_before_anything_is_built() {
    let workshop = repository();
    workshop.write("taken/x", "");
    for args in [
        &["lab", "fake-lab", "--out", "taken"][..],
        &["compare", "main", "slower", "--out", "taken"],
    ] {
        let said = workshop.xtask(args);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains("the directory is not empty"), "{said:?}");
        assert!(!said.stderr.contains("building"), "{said:?}");
    }
    git(&workshop, &["status"]);
}

#[test]
fn two_runs_at_the_same_time_warn_each_other() {
    let workshop = Workshop::new();
    let first = workshop.start_lab(&["--set", "behaviour=well", "--duration", "3s"]);
    let runs = workshop.path().join("target/perf-lab/fake-lab");
    wait_until("a trial has started", || {
        runs.join("latest/trials/001-both/pids").is_file()
            && !alive(&runs.join("latest")).is_empty()
    });
    let second = workshop.lab(&["--variant", "live-only"]);
    let first = first.wait_with_output().unwrap();
    let first = String::from_utf8(first.stderr).unwrap();
    for said in [&first, &second.stderr] {
        assert!(said.contains("ran at the same time"), "{said}");
    }
    assert!(!workshop.lab(&["--simulated"]).stderr.contains("ran at the same time"), "alone again");
}

#[test]
fn a_lab_typed_as_a_verb_gets_the_right_command_suggested() {
    let workshop = Workshop::with_a_lab();
    let said = workshop.xtask(&["fake-lab", "--quick"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("did you mean `lab fake-lab`?"), "{said:?}");
}

#[test]
fn mistakes_in_a_labs_description_are_named() {
    let workshop = Workshop::new();
    let lab = ["lab", "fake-lab", "--binary", FAKE_LAB, "--profile", "none", "--quick"];
    let said = run_with(&workshop, &lab, &[("FAKE_LAB_TWINS", "1")]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("two variants are called `both`"), "{said:?}");
    let panics = [&lab[..], &["--set", "behaviour=panic", "--variant", "live-only"]].concat();
    let said = run_with(&workshop, &panics, &[("RUST_BACKTRACE", "1")]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("told to panic"), "{said:?}");
}

#[test]
fn without_loopback_a_lab_that_needs_it_says_so_at_once() {
    if Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|status| !status.success()) {
        return skip(Need::Root, "no network namespace can be made");
    }
    let workshop = Workshop::new();
    let mut alone = Command::new("unshare");
    alone.arg("-n").arg(xtask()).current_dir(workshop.path()).stdin(Stdio::null());
    let began = Instant::now();
    let output =
        alone.args(["lab", "fake-lab", "--binary", FAKE_LAB, "--profile", "none"]).output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("loopback is down") && said.contains("ip link set lo up"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "at once");
}

#[test]
fn under_sudo_built_files_belong_to_the_user() {
    if !rustix::process::geteuid().is_root() {
        return skip(Need::Root, "sudo cannot be played");
    }
    let workshop = Workshop::with_a_lab();
    let outside = tempfile::tempdir().unwrap();
    for path in [workshop.path(), &workshop.path().join("labs")] {
        chown(path, Some(12_345), Some(12_345)).unwrap();
    }
    fs::create_dir(workshop.path().join("target")).unwrap();
    symlink(outside.path(), workshop.path().join("target/link")).unwrap();
    let sudo = [("SUDO_UID", "12345"), ("SUDO_GID", "12345")];
    let said = run_with(&workshop, &[&BUILT[..], &["--out", "run"]].concat(), &sudo);
    assert_eq!(said.code, 0, "{said:?}");
    let said = run_with(&workshop, &["new", "mine"], &sudo);
    assert_eq!(said.code, 0, "{said:?}");
    for made in ["target", "run", "labs/mine"] {
        let made = workshop.path().join(made);
        let found = Command::new("find").arg(&made).args(["-uid", "0"]).output().unwrap();
        assert_eq!(String::from_utf8(found.stdout).unwrap(), "", "root's in {}", made.display());
    }
    assert_eq!(fs::metadata(outside.path()).unwrap().uid(), 0, "a link is not followed");
}
