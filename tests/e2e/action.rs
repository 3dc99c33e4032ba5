//! The action that gates pull requests: its shell, run as GitHub runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::compare::{commit, git, repository};
use crate::workshop::xtask;

const ACTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.github/actions/compare");
/// On two lines, as a workflow may write them.
const ARGS: &str = "--lab fake-lab --variant live-only\n--duration 20ms --profiled 0 --looks 10";

/// A checkout of a pull request, as `actions/checkout` leaves it: one commit, without history, the
/// merge of the change into a target that has moved on.
struct Checkout {
    home: TempDir,
}

impl Checkout {
    fn of_a_pull_request(branch: &str) -> Self {
        let workshop = repository();
        git(&workshop, &["checkout", "--quiet", "-b", "words"]);
        workshop.write("README.md", "other words");
        commit(&workshop, "other words");
        git(&workshop, &["checkout", "--quiet", "main"]);
        workshop.write("more", "main moves on");
        commit(&workshop, "on main");
        git(&workshop, &["checkout", "--quiet", "--detach", "main"]);
        git(&workshop, &["merge", "--quiet", "--no-ff", "--message", "merge", branch]);
        let home = tempfile::tempdir().unwrap();
        let origin = home.path().join("origin.git");
        let url = format!("file://{}", origin.display());
        git(&workshop, &["init", "--quiet", "--bare", origin.to_str().unwrap()]);
        let refs = ["main", branch, "HEAD:refs/pull/1/merge"];
        git(&workshop, &[&["push", "--quiet", &url][..], &refs].concat());
        let checkout = Self { home };
        fs::create_dir(checkout.path("work")).unwrap();
        let fetch =
            "git fetch --quiet --depth=1 origin +refs/pull/1/merge:refs/remotes/pull/1/merge";
        checkout.shell(&format!("git init --quiet && git remote add origin '{url}' && {fetch}"));
        checkout.shell("git checkout --quiet --detach refs/remotes/pull/1/merge");
        checkout.provide_cargo_xtask();
        checkout
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    /// `cargo xtask`, where the workspace has no alias of that name.
    fn provide_cargo_xtask(&self) {
        let file = self.path("bin/cargo-xtask");
        fs::create_dir(self.path("bin")).unwrap();
        let script = format!("#!/bin/sh\nshift\nexec '{}' \"$@\"\n", xtask().display());
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn shell(&self, line: &str) -> String {
        let output = bash(line).current_dir(self.path("work")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {said}");
        said
    }

    /// Runs the action's comparison; returns what it said and its outputs.
    fn compare(&self) -> (String, String) {
        for file in ["output", "summary"] {
            fs::write(self.path(file), "").unwrap();
        }
        let path = std::env::var_os("PATH").unwrap();
        let paths = [self.path("bin")].into_iter().chain(std::env::split_paths(&path));
        let output = bash("bash \"$GITHUB_ACTION_PATH/compare.sh\"")
            .current_dir(self.path("work"))
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("GITHUB_ACTION_PATH", ACTION)
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .env("BASE", "origin/main")
            .env("NEW", "HEAD")
            .env("ARGS", ARGS)
            .env("DIRECTORY", self.path("comparison"))
            .output()
            .unwrap();
        let Output { status, stderr, .. } = output;
        let said = String::from_utf8(stderr).unwrap();
        assert!(status.success(), "the step itself ends well: {said}");
        (said, fs::read_to_string(self.path("output")).unwrap())
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.path("summary")).unwrap()
    }
}

/// `shell: bash` of GitHub.
fn bash(line: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", line]);
    bash.env_remove("CARGO_TARGET_DIR");
    bash
}

/// The command in a message that says how to deepen a clone.
fn fetch_line(said: &str) -> &str {
    let from = said.find("git fetch").unwrap_or_else(|| panic!("{said}"));
    said[from..].split(" (in GitHub").next().unwrap()
}

#[test]
fn a_pull_request_is_gated_once_its_history_is_there() {
    let checkout = Checkout::of_a_pull_request("slower");
    let (said, outputs) = checkout.compare();
    assert!(outputs.starts_with("exit-code=2\n"), "{outputs}{said}");
    assert!(said.contains("no revision `origin/main` in this shallow clone"), "{said}");
    assert!(checkout.summary().contains("did not end (exit code 2)"), "{}", checkout.summary());

    checkout.shell("git fetch --quiet --depth=1 origin main:refs/remotes/origin/main");
    let (said, outputs) = checkout.compare();
    assert!(outputs.starts_with("exit-code=1\n"), "{outputs}{said}");
    assert!(said.contains("lacks the merge base of origin/main and HEAD"), "{said}");

    checkout.shell(fetch_line(&said));
    let (said, outputs) = checkout.compare();
    let directory = checkout.path("comparison");
    assert_eq!(outputs, format!("exit-code=3\ndirectory={}\n", directory.display()), "{said}");
    assert!(
        checkout.summary().starts_with("### 🔴 HEAD against merge base"),
        "{}",
        checkout.summary()
    );
    assert!(checkout.summary().contains("(fixed at 10 pairs)"), "the second line of the arguments");
    assert!(directory.join("junit.xml").is_file());
}

#[test]
fn a_pull_request_that_changes_nothing_that_is_built_is_not_measured() {
    let checkout = Checkout::of_a_pull_request("words");
    checkout.shell("git fetch --quiet --unshallow origin main:refs/remotes/origin/main");
    let (said, outputs) = checkout.compare();
    assert!(outputs.starts_with("exit-code=0\n"), "{outputs}{said}");
    let summary = checkout.summary();
    assert!(summary.contains(": unchanged"), "{summary}");
    assert!(summary.contains("Nothing that is built differs between the sides"), "{summary}");
}

/// What the last step of the action ends with, and what it says.
fn gate(code: u8, fail_on: &str) -> (Option<i32>, String) {
    let output = bash("bash \"$GITHUB_ACTION_PATH/gate.sh\"")
        .env("GITHUB_ACTION_PATH", ACTION)
        .env("CODE", code.to_string())
        .env("FAIL_ON", fail_on)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_job_is_red_on_a_regression_alone_unless_more_is_asked_for() {
    let action = fs::read_to_string(Path::new(ACTION).join("action.yml")).unwrap();
    assert!(action.contains("    default: regression\n"), "{action}");
    for code in 0..8 {
        let (ended, said) = gate(code, "regression");
        assert_eq!(ended, Some(if code == 3 { 3 } else { 0 }), "{said}");
        let marked = if code == 3 { "::error::" } else { "::warning::" };
        assert_eq!(said.starts_with(marked), code != 0, "{said}");
    }
    let stricter = "regression, invalid\nfailure";
    let red = (0..8).filter(|code| gate(*code, stricter).0 != Some(0)).collect::<Vec<_>>();
    assert_eq!(red, [1, 3, 6, 7]);
    let (ended, said) = gate(0, "regressions");
    assert_eq!(ended, Some(2));
    assert!(said.contains("no outcome `regressions`; there are regression,"), "{said}");
}

#[test]
fn the_action_and_the_workflows_run_what_is_there() {
    let action = fs::read_to_string(Path::new(ACTION).join("action.yml")).unwrap();
    assert!(action.contains("run: bash \"$GITHUB_ACTION_PATH/compare.sh\""), "{action}");
    assert!(action.contains("run: bash \"$GITHUB_ACTION_PATH/gate.sh\""), "{action}");
    for variable in ["BASE", "NEW", "ARGS", "DIRECTORY", "CODE", "FAIL_ON"] {
        assert!(action.contains(&format!("        {variable}: ${{{{ ")), "{variable} is not given");
    }
    let script = fs::read_to_string(Path::new(ACTION).join("compare.sh")).unwrap();
    for output in ["exit-code", "directory"] {
        assert!(action.contains(&format!("steps.compare.outputs.{output} }}}}")));
        assert!(script.contains(&format!("echo \"{output}=")));
    }
}
