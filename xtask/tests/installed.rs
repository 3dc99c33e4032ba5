//! The program by itself: outside of any checkout, under the name that it was called by.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its own data is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in `home`, as it is installed: nothing of cargo's is around it.
fn perf_lab(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    command.env_remove("CARGO_PKG_NAME").env("XDG_CACHE_HOME", home.join("cache"));
    // The test of cargo's own place: a probe that is installed here is no part of it.
    command.env("PATH", "/usr/bin:/bin").args(args).current_dir(home).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_and_messages_name_the_program_as_it_was_called() {
    let home = tempfile::tempdir().unwrap();
    let help = |as_package: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
        command.arg("--help").env_remove("CARGO_PKG_NAME").current_dir(home.path());
        as_package.map(|package| command.env("CARGO_PKG_NAME", package));
        text(&command.output().unwrap().stdout)
    };
    assert!(help(None).contains("Usage: perf-lab <COMMAND>"), "{}", help(None));
    assert!(help(Some("somebody-elses")).contains("Usage: perf-lab <COMMAND>"));
    assert!(
        help(Some("xtask")).contains("Usage: cargo xtask <COMMAND>"),
        "{}",
        help(Some("xtask"))
    );
}

#[test]
fn verbs_of_the_labs_say_outside_of_their_checkout_where_they_work() {
    let home = tempfile::tempdir().unwrap();
    for args in
        [&["lab", "tail-latency"][..], &["list"], &["new", "mine"], &["ci"], &["ebpf", "check"]]
    {
        let output = perf_lab(home.path(), args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        let words = format!("`perf-lab {}` works in a checkout of perf-lab", args[0]);
        assert!(said.contains(&words) && said.contains("`perf-lab compare`"), "{args:?}: {said}");
    }
}

#[test]
fn a_workspace_that_cargo_cannot_read_is_answered_with_cargos_own_words() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("labs")).unwrap();
    std::fs::write(home.path().join("Cargo.toml"), "[workspace]\nmembers = [\"labs/*\"\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-lab"));
    let command = command.env_remove("CARGO_PKG_NAME").args(["list"]);
    let output = command.current_dir(home.path().join("labs")).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Cargo.toml:") && said.contains("unclosed array"), "{said}");
    assert!(!said.contains("works in a checkout"), "{said}");
}

#[test]
fn other_verbs_work_anywhere_and_leave_nothing_in_the_directory() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("x.folded"), "main;a 3\n").unwrap();
    let drawn = perf_lab(home.path(), &["flame", "x.folded", "--out", "x.svg"]);
    assert!(drawn.status.success(), "{}", text(&drawn.stderr));
    assert!(perf_lab(home.path(), &["doctor"]).status.success());
    let shown = perf_lab(home.path(), &["show"]);
    assert!(text(&shown.stderr).contains("no run yet: start with `perf-lab list`"));
    let mut made: Vec<_> =
        home.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    made.sort();
    assert_eq!(made, ["x.folded", "x.svg"]);
}

#[test]
fn recording_without_the_probe_says_how_to_install_it() {
    let home = tempfile::tempdir().unwrap();
    let output = perf_lab(home.path(), &["record", "--", "true"]);
    let said = text(&output.stderr);
    // Beside the program that is tested lies a probe where the checkout has built one.
    if !Path::new(env!("CARGO_BIN_EXE_perf-lab")).with_file_name("lab-probe").exists() {
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("cargo install --path ebpf/probe"), "{said}");
    }
}
