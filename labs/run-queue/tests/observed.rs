//! What `runqlat` sees from outside is what the threads note of themselves, however busy the
//! machine.
//!
//! Takes a `lab-probe` that has its BPF programs, where one is built: `cargo xtask lab run-queue`
//! and `cargo build -p lab-probe` do. Where there is none, or the kernel or this user's rights
//! refuse it, the test says so in a line and passes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use lab_kit::{Mode, Observer, Rehearsal, rehearse_probed};
use lab_record::probe::ProbeRecord;
use lab_record::{Metrics, read_json};
use lab_skip::{Need, skip};
use run_queue::LAB;

const PROGRAM: &str = env!("CARGO_BIN_EXE_run-queue");

#[test]
fn a_probe_sees_the_waits_that_threads_note() {
    let dir = tempfile::tempdir().unwrap();
    let observer = match Observer::find(Path::new(PROGRAM), "runqlat", dir.path()) {
        Ok(observer) => observer,
        Err(why) => return skip(Need::Ebpf, why),
    };
    for spinners in ["0", "8"] {
        let (seen, metrics) = observed(&observer, spinners);
        let noted = |name: &str| metrics.metrics[name].value;
        let runqlat = seen.histograms.iter().find(|h| h.name == "runqlat").unwrap();
        assert_eq!(seen.losses.total() - seen.losses.unfinished, 0);
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

/// A trial of `spinners` spinners under the probe.
fn observed(observer: &Observer, spinners: &str) -> (ProbeRecord, Metrics) {
    let dir = tempfile::tempdir().unwrap();
    let (set, measure) = ([("spinners", spinners)], Some(Duration::from_millis(1_000)));
    let what = Rehearsal { mode: Mode::Live, variants: &["eight-spinners"], set: &set, measure };
    rehearse_probed(&LAB, dir.path(), what, &["runqlat"], observer).unwrap();
    let trial = dir.path().join("trials/001-eight-spinners");
    let seen = read_json(&trial.join("probe/runqlat.json")).unwrap();
    (seen, read_json(&trial.join("metrics.json")).unwrap())
}
