//! What `runqlat` sees from outside is what the threads note of themselves, however busy the machine.
//!
//! Takes a `lab-probe` that has its BPF programs, where one is built: `cargo xtask lab run-queue` and
//! `cargo build -p lab-probe --features ebpf` do. Where there is none, or the kernel or this user's
//! rights refuse it, the test says so in a line and passes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lab_kit::{Mode, Rehearsal, rehearse};
use lab_record::probe::ProbeRecord;
use lab_record::{Metrics, read_json};
use run_queue::LAB;

const PROGRAM: &str = env!("CARGO_BIN_EXE_run-queue");

#[test]
fn a_probe_sees_the_waits_that_threads_note() {
    let dir = tempfile::tempdir().unwrap();
    let Some(observer) = observer(dir.path()) else { return };
    for spinners in ["0", "8"] {
        let (seen, metrics) = observed(&observer, spinners);
        let noted = |name: &str| metrics.metrics[name].value;
        let runqlat = seen.histograms.iter().find(|h| h.name == "runqlat").unwrap();
        assert_eq!(seen.losses.total(), 0);
        let (waits, waited_s) =
            (noted("waits"), noted("waited_by_ended") + noted("waited_by_living"));
        println!("{spinners}: {} of {waits}, {} ns of {waited_s} s", runqlat.count, runqlat.sum);
        // At both ends the program runs a little longer than its book is kept.
        let off = (runqlat.count as f64 - waits).abs();
        assert!(off <= 0.02 * waits + 20.0, "{spinners}: {} of {waits}", runqlat.count);
        // Waits of microseconds are mostly the switch itself, of which the book has not all.
        if spinners == "8" {
            let sum = runqlat.sum as f64 / 1e9 / waited_s;
            assert!((0.98..=1.02).contains(&sum), "{} ns of {waited_s} s", runqlat.sum);
        }
    }
}

/// A trial of so many spinners under the probe, as the runner does it.
fn observed(observer: &Path, spinners: &str) -> (ProbeRecord, Metrics) {
    let dir = tempfile::tempdir().unwrap();
    let (set, measure) = ([("spinners", spinners)], Some(Duration::from_millis(1_000)));
    let what = Rehearsal { mode: Mode::Live, variants: &["eight-spinners"], set: &set, measure };
    rehearse(&LAB, dir.path(), what).unwrap();
    // The same once more, by the observer.
    let trial = dir.path().join("trials/001-eight-spinners");
    std::fs::remove_file(trial.join("metrics.json")).unwrap();
    let mut command = Command::new(observer);
    command.arg("runqlat").arg("--out").arg(trial.join("probe"));
    let output = command.args(["--", PROGRAM, "run"]).arg(&trial).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = read_json(&trial.join("probe/runqlat.json")).unwrap();
    (seen, read_json(&trial.join("metrics.json")).unwrap())
}

/// The observer, where one is built that may observe here.
fn observer(dir: &Path) -> Option<PathBuf> {
    let target = Path::new(PROGRAM).ancestors().nth(2).unwrap();
    let built = ["ebpf/release/lab-probe", "debug/lab-probe"].map(|path| target.join(path));
    let mut why = "no lab-probe with BPF programs is built".to_owned();
    let able = built.into_iter().filter(|path| path.exists()).find(|path| {
        let mut command = Command::new(path);
        let output = command.arg("runqlat").arg("--out").arg(dir).args(["--", "true"]).output();
        let output = output.unwrap();
        why = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success()
    });
    if able.is_none() {
        println!("skipped: {}", why.trim_end());
    }
    able
}
