//! A trial that is killed leaves its cgroup behind, and the next one removes it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::{Mode, Rehearsal, rehearse};
use lab_skip::{Need, skip};
use run_queue::LAB;

const SOON: Duration = Duration::from_secs(20);

fn quota(dir: &Path) {
    let measure = Some(Duration::from_millis(10));
    let what = Rehearsal { mode: Mode::Live, variants: &["quota"], set: &[], measure };
    rehearse(&LAB, dir, what).unwrap();
}

/// A process that runs a trial for a minute, unless it is stopped.
fn long_trial(dir: &Path) -> Child {
    let trial = dir.join("trials/001-quota");
    let file = trial.join("trial.json");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("\"measure_ms\": 10,", "\"measure_ms\": 60000,");
    assert!(text.contains("60000"), "{text}");
    fs::write(&file, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_run-queue")).arg("run").arg(trial).spawn().unwrap()
}

/// The directories of the cgroups that this process has made.
fn cgroups_of(pid: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = left.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir())) {
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.starts_with(&format!("perf-lab-{pid}-")) {
                true => found.push(entry.path()),
                false => left.push(entry.path()),
            }
        }
    }
    found
}

#[test]
fn the_next_trial_removes_what_a_killed_one_left() {
    let dir = tempfile::tempdir().unwrap();
    quota(dir.path());
    let metrics = dir.path().join("trials/001-quota/metrics.json");
    if fs::read_to_string(metrics).unwrap().contains("\"unavailable\"") {
        return skip(Need::Cgroup, "no cgroup with a quota can be made here");
    }
    let mut child = long_trial(dir.path());
    let began = Instant::now();
    while cgroups_of(child.id()).is_empty() && began.elapsed() < SOON {
        sleep(Duration::from_millis(20));
    }
    let made = cgroups_of(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(made.len(), 1, "a trial makes one");
    assert_eq!(cgroups_of(child.id()), made, "no process is left to remove it");
    quota(tempfile::tempdir().unwrap().path());
    assert_eq!(cgroups_of(child.id()), Vec::<PathBuf>::new());
    assert_eq!(cgroups_of(std::process::id()), Vec::<PathBuf>::new(), "nor its own");
}
