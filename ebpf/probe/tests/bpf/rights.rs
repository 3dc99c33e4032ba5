//! Without rights a probe says in one line what is missing, what it would show and what grants it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::support::{EXIT_REFUSED, PROBE, said};

#[test]
fn a_user_without_rights_is_told_how_to_get_them() {
    let dir = tempfile::tempdir().unwrap();
    // Where everybody can reach it.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = dir.path().join("lab-probe");
    fs::copy(PROBE, &program).unwrap();
    let out = dir.path().join("out");
    let mut probe = Command::new(&program);
    probe.args(["offcputime", "--out"]).arg(&out).args(["--", "touch"]).arg(dir.path().join("ran"));
    if rustix::process::geteuid().is_root() {
        probe.uid(65534).gid(65534);
    }
    let output = probe.output().unwrap();
    if output.status.success() {
        println!("skipped: this user may load BPF programs, and is not root");
        return;
    }
    assert_eq!(output.status.code(), Some(EXIT_REFUSED), "{}", said(&output));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(words.trim_end().lines().count(), 1, "{words}");
    let grant = format!("sudo setcap cap_bpf,cap_perfmon+ep {}", program.display());
    for part in ["offcputime (how long threads are blocked", "cannot run", &grant] {
        assert!(words.contains(part), "`{part}` in {words}");
    }
    assert!(!dir.path().join("ran").exists(), "the command was not run");
    assert!(!out.join("offcputime.json").exists());
}
