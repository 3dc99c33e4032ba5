//! Every check holds and fails without its cause, and a simulation repeats to the byte.

use std::fs;
use std::time::Duration;

use lab_kit::{Mode, Rehearsal, rehearse};
use tail_latency::LAB;

#[test]
fn every_check_holds_and_fails_without_its_cause() {
    lab_kit::check_lab(&LAB);
}

#[test]
fn a_simulation_repeats_to_the_byte_and_another_seed_does_not() {
    let metrics = |seed: u64| {
        let dir = tempfile::tempdir().unwrap();
        let set = [("leaves", "10")];
        let what = Rehearsal {
            mode: Mode::Simulated,
            variants: &["hedged"],
            set: &set,
            measure: Some(Duration::from_secs(5)),
        };
        rehearse(&LAB, dir.path(), what).unwrap();
        let trial = dir.path().join("trials/001-hedged");
        // The same trial again, replayed by hand from its own directory.
        let file = trial.join("trial.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"seed\": 1,", &format!("\"seed\": {seed},"))).unwrap();
        let program = env!("CARGO_BIN_EXE_tail-latency");
        let status = std::process::Command::new(program).arg("run").arg(&trial).status().unwrap();
        assert!(status.success());
        let read = |name: &str| fs::read(trial.join(name)).unwrap();
        (read("metrics.json"), read("response.hlog"))
    };
    assert_eq!(metrics(1), metrics(1));
    assert_ne!(metrics(1), metrics(2));
}
