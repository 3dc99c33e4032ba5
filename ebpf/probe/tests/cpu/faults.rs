//! Page faults come out as many as there are.

use crate::support::{Bench, PROBE, said, workload};
use std::process::Command;

#[test]
fn the_first_touch_of_each_page_is_counted() {
    let Some(bench) = Bench::new() else { return };
    let mut probe = Command::new(PROBE);
    probe.args(["faults", "--out"]).arg(bench.path().join("faults.folded"));
    let output = probe.arg("--").arg(workload()).args(["touch", "64"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile_of("faults");
    let pages = 64.0 * 1024.0 * 1024.0 / 4096.0;
    let touched = profile.samples_with(|frame| frame == "workload::touch") as f64 / pages;
    assert!((0.98..1.02).contains(&touched), "{touched} of {pages} in {:?}", profile.stacks);
    let all = profile.figure("all_faults");
    assert!((profile.figure("faults") / all - 1.0).abs() < 0.02, "{}", profile.quality);
    // Some of them, each for many.
    assert!((20.0..all / 4.0).contains(&profile.figure("samples")), "{}", profile.quality);
}
