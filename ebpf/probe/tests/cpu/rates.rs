//! The rate asked for is the rate got, by CPU time, alone and against a competitor on the same CPU.

use std::fs;
use std::process::{Child, Command};

use rustix::thread::{CpuSet, sched_getaffinity};

use crate::support::{Bench, said, workload};

/// Share of the requested rate that must be got.
const RATE_SHARE_MIN: f64 = 0.95;

/// More than that would be samples counted twice.
const RATE_SHARE_MAX: f64 = 1.05;

#[test]
fn the_achieved_rate_matches_every_usual_requested_rate() {
    let Some(bench) = Bench::new() else { return };
    for (hz, millis) in [(99, "2000"), (499, "1000"), (999, "1000")] {
        assert_rate(&bench, hz, &["spin", millis]);
    }
}

#[test]
fn the_rate_holds_with_a_competitor_on_the_same_cpu() {
    let Some(bench) = Bench::new() else { return };
    let cpu = first_cpu().to_string();
    for (hz, millis) in [(99, "2000"), (499, "1000"), (999, "1000")] {
        let _competitor =
            Running(Command::new(workload()).args(["pinned", &cpu, "60000"]).spawn().unwrap());
        assert_rate(&bench, hz, &["pinned", &cpu, millis]);
    }
}

#[test]
fn threads_shorter_than_the_sampling_period_lower_the_reported_rate() {
    let Some(bench) = Bench::new() else { return };
    let profile = bench.sample(99, ["fleeting", "400", "4"]);
    let share = profile.figure("achieved_hz") / 99.0;
    assert!(
        share >= 0.8 || profile.notes().contains("of the requested rate"),
        "{}",
        profile.quality
    );
    let samples = profile.figure("cpu_seconds") * share * 99.0;
    assert!((samples - profile.figure("samples")).abs() < 0.01, "{}", profile.quality);
}

#[test]
fn children_that_no_parent_waits_for_are_counted_by_their_cpu_time() {
    let Some(bench) = Bench::new() else { return };
    // The shell becomes sleep, which knows of no child.
    let script = "\"$0\" spin 500 & exec sleep 3";
    let mut probe = bench.probe(499);
    let output = probe.args(["--", "sh", "-c", script]).arg(workload()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    assert!((0.48..0.6).contains(&profile.figure("cpu_seconds")), "{}", profile.quality);
    let share = profile.figure("achieved_hz") / 499.0;
    assert!((RATE_SHARE_MIN..=1.0).contains(&share), "{}", profile.quality);
}

#[test]
fn children_left_in_the_background_are_reported() {
    let Some(bench) = Bench::new() else { return };
    let script = "\"$0\" spin 1500 & exec sleep 0.3";
    let mut probe = bench.probe(99);
    let output = probe.args(["--", "sh", "-c", script]).arg(workload()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let notes = bench.profile().notes();
    assert!(
        notes.contains("left running in the background") && notes.contains("workload"),
        "{notes}"
    );
    let waited = bench.sample(99, ["spin", "100"]);
    assert!(!waited.notes().contains("background"), "{}", waited.quality);
}

#[test]
fn each_sample_has_its_time_and_line() {
    let Some(bench) = Bench::new() else { return };
    let times = bench.path().join("times");
    let mut probe = bench.probe(999);
    let probe =
        probe.arg("--times").arg(&times).arg("--").arg(workload()).args(["shares", "2", "300"]);
    assert!(probe.status().unwrap().success());
    let profile = bench.profile();
    let mut counts = vec![0; profile.stacks.len()];
    let mut last_ns = 0;
    for row in fs::read_to_string(times).unwrap().lines() {
        let (time_ns, line) = row.split_once(' ').unwrap();
        let time_ns: u64 = time_ns.parse().unwrap();
        assert!(time_ns >= last_ns, "not in order of time: {row}");
        last_ns = time_ns;
        counts[line.parse::<usize>().unwrap()] += 1;
    }
    let folded: Vec<u64> = profile.stacks.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, folded);
}

#[test]
fn cycles_are_counted_or_reported_as_missing() {
    let Some(bench) = Bench::new() else { return };
    let output = bench
        .probe(499)
        .args(["--event", "cycles", "--"])
        .arg(workload())
        .args(["spin", "500"])
        .output()
        .unwrap();
    if output.status.success() {
        assert_eq!(bench.profile().quality["event"], "cycles");
    } else {
        // Past ENOENT the kernel has found the request itself in order, and no counter for it.
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        for words in ["no cycle counter", "to fix it: --event cpu-clock"] {
            assert!(said(&output).contains(words), "{}", said(&output));
        }
        assert!(!bench.has_profile());
    }
}

fn assert_rate(bench: &Bench, hz: u32, run: &[&str]) {
    let profile = bench.sample(hz, run);
    // Computed here, since the rate that is reported is never above the requested one.
    let by_hand = profile.figure("samples") / profile.figure("cpu_seconds");
    let share = by_hand / f64::from(hz);
    println!("{run:?} at {hz} Hz: {:.1} % of the rate", share * 100.0);
    assert!(
        (RATE_SHARE_MIN..RATE_SHARE_MAX).contains(&share),
        "{run:?} at {hz} Hz: {}",
        profile.quality
    );
    let by_hand = by_hand.min(f64::from(hz));
    assert!((by_hand - profile.figure("achieved_hz")).abs() < 1e-6, "{}", profile.quality);
}

fn first_cpu() -> usize {
    let ours = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).find(|&cpu| ours.is_set(cpu)).unwrap()
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
