//! What is typed wrongly, or found damaged: one clear error, and the right exit code.

use std::fs::{self, File};

use crate::workshop::{FAKE_LAB, Said, Workshop};

/// Asserts this exit code, and that the message contains `expected`.
fn refused(said: &Said, code: i32, expected: &str) {
    assert_eq!(said.code, code, "{said:?}");
    assert!(said.stderr.contains(expected), "`{expected}` in {said:?}");
    assert!(said.stdout.is_empty(), "{said:?}");
    assert!(!said.stderr.contains("panicked"), "{said:?}");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    let workshop = Workshop::with_a_lab();
    refused(&workshop.xtask(&["lab", "fake-lob"]), 2, "did you mean `fake-lab`?");
    refused(&workshop.xtask(&["lsit"]), 2, "no verb `lsit`: did you mean `list`?");
    refused(&workshop.xtask(&["lba"]), 2, "did you mean `lab`?");
    refused(&workshop.lab(&["--variant", "bth"]), 2, "did you mean `both`?");
    refused(&workshop.lab(&["--set", "rte=5"]), 2, "did you mean `rate`?");
    refused(&workshop.xtask(&["show", "fake-lub"]), 2, "no run `fake-lub`");
    let runs = workshop.path().join("target/perf-lab");
    assert!(!runs.exists(), "a usage error makes no run");
}

#[test]
fn a_knob_out_of_bounds_says_the_bounds() {
    let workshop = Workshop::new();
    refused(
        &workshop.lab(&["--set", "rate=0"]),
        2,
        "takes a whole number from 1 to 100000, not `0`",
    );
    refused(&workshop.lab(&["--set", "rate=fast"]), 2, "not `fast`");
    refused(&workshop.lab(&["--set", "behaviour=dance"]), 2, "one of well, crash");
    refused(&workshop.lab(&["--set", "rate"]), 2, "KNOB=VALUE");
}

#[test]
fn options_have_bounds_too() {
    let workshop = Workshop::new();
    refused(&workshop.lab(&["--trials", "0"]), 2, "--trials");
    refused(&workshop.lab(&["--duration", "5"]), 2, "not a length of time");
    refused(&workshop.lab(&["--duration", "0s"]), 2, "from 10ms to 24h");
    refused(&workshop.lab(&["--full"]), 2, "cannot be used with");
    refused(&workshop.lab(&["--simulated", "--variant", "live-only"]), 2, "simulated time");
}

#[test]
fn a_lab_that_does_not_build_shows_cargos_error() {
    let workshop = Workshop::with_a_lab();
    workshop.write("labs/fake-lab/src/main.rs", "fn main() { let broken: u8 = \"text\"; }\n");
    let said = workshop.xtask(&["lab", "fake-lab"]);
    refused(&said, 1, "error: fake-lab does not build");
    assert!(said.stderr.contains("mismatched types"), "{said:?}");
}

#[test]
fn a_program_that_is_no_lab_is_refused() {
    let workshop = Workshop::new();
    let with = |binary: &str, name: &str| workshop.xtask(&["lab", name, "--binary", binary]);
    refused(&with("/bin/true", "x"), 1, "/bin/true describe: not the description of a lab");
    refused(&with("/bin/false", "x"), 1, "/bin/false describe ended with exit code 1");
    refused(&with("/nowhere/lab", "x"), 1, "start /nowhere/lab");
    refused(&with(FAKE_LAB, "other-lab"), 1, "describes lab `fake-lab`, not `other-lab`");
}

#[test]
fn outside_a_workspace_the_command_is_refused() {
    let nowhere = Workshop::new();
    fs::remove_file(nowhere.path().join("Cargo.toml")).unwrap();
    refused(&nowhere.xtask(&["list"]), 2, "works in a checkout of perf-lab");
}

#[test]
fn an_output_directory_that_cannot_be_written_is_named() {
    let workshop = Workshop::new();
    workshop.write("file", "not a directory");
    refused(&workshop.lab(&["--out", "file/run"]), 1, "file/run");
    refused(&workshop.lab(&["--out", "file"]), 1, "/file");
    // Nothing can be made in /proc, even by root.
    refused(&workshop.lab(&["--out", "/proc/run"]), 1, "/proc/run");
}

#[test]
fn a_full_disk_under_the_tables_is_an_error() {
    let workshop = Workshop::new();
    let mut command = workshop.command(&["lab", "fake-lab", "--binary", FAKE_LAB, "--simulated"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("standard output") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_foreign_or_damaged_run_is_refused_with_its_path() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path().join("empty")).unwrap();
    refused(&workshop.xtask(&["show", "empty"]), 1, "empty: not a run directory: no plan.json");
    workshop.lab(&["--simulated", "--out", "run"]);
    let change = |file: &str, from: &str, to: &str| {
        let path = workshop.path().join("run").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
    };
    change("summary.json", "perf-lab.summary/1", "perf-lab.summary/2");
    refused(&workshop.xtask(&["show", "run"]), 1, "run/summary.json: schema `perf-lab.summary/2`");
    fs::write(workshop.path().join("run/summary.json"), "{\"schema\": \"perf-l").unwrap();
    refused(&workshop.xtask(&["show", "run"]), 1, "run/summary.json");
    fs::remove_file(workshop.path().join("run/summary.json")).unwrap();
    change("plan.json", "perf-lab.run/1", "somebody.else/1");
    refused(&workshop.xtask(&["show", "run"]), 1, "run/plan.json: schema `somebody.else/1`");
}

#[test]
fn a_truncated_log_is_an_error_when_the_summary_is_rebuilt() {
    let workshop = Workshop::new();
    workshop.lab(&["--simulated", "--out", "run"]);
    fs::remove_file(workshop.path().join("run/summary.json")).unwrap();
    assert_eq!(workshop.xtask(&["show", "run"]).code, 0, "it can be made from what is left");
    let log = workshop.path().join("run/trials/001-both/response.hlog");
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() - 30]).unwrap();
    refused(&workshop.xtask(&["show", "run"]), 1, "trials/001-both/response.hlog");
}
