//! `cargo xtask probe`: refused at once where it cannot run; else the command runs as its user
//! would have run it.

use std::path::Path;

use lab_record::probe::ProbeRecord;
use lab_record::read_json;
use lab_record::table::Cell;
use lab_skip::{Need, skip};

use crate::refusal::forbid;
use crate::workshop::{FAKE_LAB, Workshop};

/// A workspace whose `lab-probe` does not build.
fn with_a_broken_probe() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"probe\"]\n");
    let manifest = "[package]\nname = \"lab-probe\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                    [features]\nebpf = []\n";
    workshop.write("probe/Cargo.toml", manifest);
    workshop.write("probe/src/main.rs", "fn main() { it was built }\n");
    workshop
}

#[test]
fn what_cannot_run_is_refused_before_anything_is_built() {
    let workshop = with_a_broken_probe();
    workshop.write("taken/x", "");
    let taken = workshop.xtask(&["probe", "runqlat", "--out", "taken", "--", "touch", "ran"]);
    assert_eq!(taken.code, 2, "{taken:?}");
    assert!(taken.stderr.contains("the directory is not empty"), "{taken:?}");

    let without_rights = |args: &[&str]| {
        let mut command = workshop.command(args);
        forbid(&mut command, libc::SYS_bpf);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = without_rights(&["probe", "runqlat", "--", "touch", "ran"]);
    assert_eq!(code, Some(1), "{said}");
    for words in ["runqlat (", "may not load BPF programs", "sudo setcap cap_bpf,cap_perfmon+ep"] {
        assert!(said.contains(words), "`{words}` in {said}");
    }
    let lab = ["lab", "fake-lab", "--binary", FAKE_LAB, "--quick", "--profile", "none"];
    let (code, said) = without_rights(&[&lab[..], &["--probe", "runqlat"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no trials by runqlat: this user may not load BPF programs"), "{said}");
    assert!(!workshop.path().join("ran").exists());
}

#[test]
fn a_command_is_observed_as_its_user_would_run_it() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    if !target.join("release/lab-probe").exists() {
        return skip(Need::Ebpf, "no lab-probe with BPF programs is built");
    }
    let workshop = Workshop::new();
    let out = workshop.path().join("out");
    let place = out.display().to_string();
    // What cargo sets for the runner, which these tests are started with, too.
    let script = "env; cat; /bin/true 'a b' c; exit 7";
    let mut probe =
        workshop.command(&["probe", "execsnoop", "--out", &place, "--", "sh", "-c", script]);
    probe.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(std::process::Stdio::null());
    let output = probe.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    if stderr.contains("cannot run") {
        return skip(Need::Ebpf, stderr);
    }
    assert_eq!(output.status.code(), Some(7), "{stdout}{stderr}");
    let is_cargos = |line: &&str| {
        let libraries = line.starts_with("LD_LIBRARY_PATH=") && line.contains("/toolchains/");
        libraries || line.starts_with("CARGO_MANIFEST_DIR=") || line.starts_with("CARGO_PKG_NAME=")
    };
    assert_eq!(stdout.lines().find(is_cargos), None, "{stdout}");
    assert!(stdout.contains("PATH=") && stdout.contains("true 'a b' c"), "{stdout}");
    let record: ProbeRecord = read_json(&out.join("execsnoop.json")).unwrap();
    let words = ["/bin/true", "a b", "c"].map(str::to_owned).to_vec();
    let is_it = |cell: &Cell| *cell == Cell::Words(words.clone());
    let rows = &record.tables[0].rows;
    assert_eq!(rows.iter().filter(|row| row.iter().any(is_it)).count(), 1, "{rows:?}");
}
