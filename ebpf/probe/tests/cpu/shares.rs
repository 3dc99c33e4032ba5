//! Shares of CPU time come out as they are.

use std::fs;
use std::process::Command;

use crate::support::{Bench, Profile, said, wait_for, workload};

const TRUTH: [(&str, f64); 3] =
    [("workload::seven", 0.7), ("workload::two", 0.2), ("workload::one", 0.1)];

/// A correct sampler exceeds 4 standard errors in 1 of 16,000 comparisons; the tests here make
/// nine.
const STANDARD_ERRORS: f64 = 4.0;

#[test]
fn shares_of_one_thread_match_its_work() {
    let Some(bench) = Bench::new() else { return };
    assert_shares(&bench.sample(999, ["shares", "1", "3000"]), 2_850);
}

#[test]
fn shares_of_sixteen_threads_match_their_work() {
    let Some(bench) = Bench::new() else { return };
    assert_shares(&bench.sample(999, ["shares", "16", "200"]), 3_000);
}

#[test]
fn shares_of_a_running_process_match_its_work() {
    let Some(bench) = Bench::new() else { return };
    let mut running = Command::new(workload()).args(["shares", "4", "700"]).spawn().unwrap();
    wait_for(|| (cpu_ticks(running.id()) > 60).then_some(()));
    let output = bench.probe(999).args(["--pid", &running.id().to_string()]).output().unwrap();
    assert!(running.wait().unwrap().success());
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    assert!(profile.quality["exit"].is_null(), "{}", profile.quality);
    assert_shares(&profile, 1_500);
    // By what it has consumed since, not since its start, which was a fifth and more of the whole.
    let share = profile.figure("achieved_hz") / 999.0;
    assert!((0.95..1.05).contains(&share), "{}", profile.quality);
}

/// User time so far, in the kernel's ticks of mostly 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.split(' ').nth(13).unwrap().parse().unwrap()
}

/// Each share is right, and nearly all samples are of the functions that do the work.
fn assert_shares(profile: &Profile, at_least: u64) {
    let counts = TRUTH.map(|(function, _)| profile.samples_with(|frame| frame == function));
    let total: u64 = counts.iter().sum();
    assert!(total >= at_least, "{counts:?} of {}", profile.quality);
    assert!(total as f64 >= 0.95 * profile.figure("samples"), "{counts:?} of {}", profile.quality);
    for ((function, truth), count) in TRUTH.into_iter().zip(counts) {
        let share = count as f64 / total as f64;
        let standard_error = (truth * (1.0 - truth) / total as f64).sqrt();
        let distance = (share - truth) / standard_error;
        println!(
            "{function} {share:.3} of {truth}, {distance:+.2} standard errors, {total} samples"
        );
        assert!(
            distance.abs() <= STANDARD_ERRORS,
            "{function}: {share} of {truth}, {distance} standard errors"
        );
    }
}
