//! Without rights a probe says in one line what is missing, what it would show and what grants it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab_skip::{Need, skip};
use tempfile::TempDir;

use crate::support::{Bench, EXIT_REFUSED, PROBE, observed, said};

#[test]
fn a_user_without_rights_is_told_how_to_get_them() {
    let dir = for_everybody();
    let out = dir.path().join("out");
    let mut probe = Command::new(copy(PROBE.as_ref(), &dir));
    probe.args(["offcputime", "--out"]).arg(&out).args(["--", "touch"]).arg(dir.path().join("ran"));
    if rustix::process::geteuid().is_root() {
        probe.uid(NOBODY).gid(NOBODY);
    }
    let output = probe.output().unwrap();
    if output.status.success() {
        return skip(Need::Absence, "this user may load BPF programs, and is not root");
    }
    let words = refusal(&output);
    let grant = format!("sudo setcap cap_bpf,cap_perfmon+ep {}/lab-probe", dir.path().display());
    for part in ["offcputime (how long threads are blocked", "cannot run", &grant] {
        assert!(words.contains(part), "`{part}` in {words}");
    }
    assert!(!dir.path().join("ran").exists(), "the command was not run");
    assert!(!out.join("offcputime.json").exists());
}

#[test]
fn two_capabilities_suffice_and_uprobes_name_a_third() {
    if Bench::new().is_none() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return skip(Need::Root, "only root has capabilities to keep two of");
    }
    let dir = for_everybody();
    let (probe, observed) = (copy(PROBE.as_ref(), &dir), copy(&observed(), &dir));
    let run = |name: &str| {
        let mut command = Command::new("setpriv");
        let kept = "-all,+bpf,+perfmon";
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.args(["--inh-caps", kept, "--ambient-caps", kept]).arg(&probe);
        command.args([name, "--out"]).arg(dir.path().join("out")).arg("--").arg(&observed);
        command.args(["serves", "2", "2", "2"]).output()
    };
    let Ok(output) = run("offcputime") else {
        return skip(Need::Tools, "no setpriv");
    };
    assert!(output.status.success(), "{}", said(&output));
    let output = run("requests").unwrap();
    if output.status.success() {
        let why = "this kernel lets a program be hooked into with CAP_PERFMON alone";
        return skip(Need::Absence, why);
    }
    let words = refusal(&output);
    let grant = format!("sudo setcap cap_bpf,cap_perfmon,cap_sys_admin+ep {}", probe.display());
    for part in ["requests (a lab's requests", "cannot run", &grant] {
        assert!(words.contains(part), "`{part}` in {words}");
    }
    assert!(output.stdout.is_empty(), "the command was not run: {}", said(&output));
}

const NOBODY: u32 = 65534;

/// A directory that every user can reach and write to.
fn for_everybody() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

fn copy(program: &Path, to: &TempDir) -> PathBuf {
    let copy = to.path().join(program.file_name().unwrap());
    fs::copy(program, &copy).unwrap();
    copy
}

/// The one line in which a probe says that it cannot run.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(EXIT_REFUSED), "{}", said(output));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(words.trim_end().lines().count(), 1, "{words}");
    words
}
