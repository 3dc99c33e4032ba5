//! What the kernel times is within 2 % of what the program itself measured.

use std::fs;
use std::process::Command;

use lab_record::ProfileQuality;
use lab_record::hlog::Log;
use lab_record::probe::ProbeHistogram;
use lab_skip::{Need, skip};

use crate::support::{
    Bench, LeftOut, PROBE, assert_between, assert_close, histogram, observed, said,
};

fn known(printed: &str) -> u64 {
    printed.trim().parse().unwrap()
}

#[test]
fn offcputime_attributes_blocked_time_to_stacks() {
    let Some(bench) = Bench::new() else { return };
    let (printed, record) = bench.observe("offcputime", &[], &["sleeps", "20", "20"]);
    let asleep = bench.folded("off-cpu").into_iter().filter(|(frames, _)| {
        frames[0] == "observed" && frames.iter().any(|frame| frame.contains("nanosleep"))
    });
    let asleep: Vec<_> = asleep.collect();
    let us: u64 = asleep.iter().map(|(_, us)| us).sum();
    assert_close(us * 1000, known(&printed), "sleeps");
    assert!(
        asleep.iter().any(|(frames, _)| frames.iter().any(|f| f.contains("observed::sleeps"))),
        "the caller is seen: {asleep:?}"
    );
    let total: u64 = bench.folded("off-cpu").iter().map(|(_, us)| us).sum();
    assert_eq!(record.folded[0].total, total);
}

/// The program calls from one place, by one number, and the kernel does two things.
#[test]
fn two_call_paths_through_one_system_call_are_distinguished() {
    let Some(bench) = Bench::new() else { return };
    let (printed, record) = bench.observe("offcputime", &[], &["reads", "200", "2", "4"]);
    let blocked_in = |function: &str| -> u64 {
        let lines = bench.folded("off-cpu").into_iter();
        let lines = lines.filter(|(frames, _)| {
            let has = |name: &str| frames.iter().any(|frame| frame.contains(name));
            has("observed::reads") && has(function)
        });
        lines.map(|(_, us)| us * 1000).sum()
    };
    let (pipe, socket) = printed.trim().split_once(' ').unwrap();
    assert_close(blocked_in("pipe_read"), known(pipe), "pipe");
    assert_close(blocked_in("unix_stream_read"), known(socket), "socket");
    assert_eq!(record.losses.stacks, 0, "each that was walked again was the one");
}

#[test]
fn offcputime_works_on_a_program_without_symbols() {
    let Some(bench) = Bench::new() else { return };
    let bare = bench.path().join("bare");
    let strip = Command::new("strip").arg("-s").arg("-o").arg(&bare).arg(observed()).status();
    if !strip.is_ok_and(|status| status.success()) {
        return skip(Need::Tools, "no strip");
    }
    let mut probe = bench.probe("offcputime");
    let output = probe.arg("--").arg(&bare).args(["sleeps", "20", "20"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let asleep = bench.folded("off-cpu").into_iter();
    let asleep = asleep.filter(|(frames, _)| frames.iter().any(|f| f.contains("nanosleep")));
    let asleep: Vec<_> = asleep.collect();
    let us: u64 = asleep.iter().map(|(_, us)| us).sum();
    assert_close(us * 1000, known(&String::from_utf8_lossy(&output.stdout)), "sleeps");
    let named = |(frames, _): &(Vec<String>, u64)| frames.iter().any(|frame| frame == "[bare]");
    assert!(asleep.iter().all(named), "by its file, where it has no names: {asleep:?}");
}

#[test]
fn copied_stacks_weigh_the_same_and_have_their_roots() {
    let Some(bench) = Bench::new() else { return };
    let copied = bench.path().join("copied.folded");
    let asleep = |file: &str| -> f64 {
        let sleeps = |frames: &[String]| {
            frames[0] == "observed" && frames.iter().any(|frame| frame.contains("do_nanosleep"))
        };
        let lines = bench.folded(file).into_iter().filter(|(frames, _)| sleeps(frames));
        lines.map(|(_, us)| us as f64).sum()
    };
    // Both see the very same sleeps.
    let mut probe = bench.probe("offcputime");
    probe.arg("--").arg(PROBE).args(["off-cpu", "--out"]).arg(&copied).arg("--");
    let output = probe.arg(observed()).args(["sleeps", "20", "20"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let slept = known(&String::from_utf8(output.stdout).unwrap());
    assert_close(asleep("copied") as u64 * 1000, slept, "copied stacks");
    let share = asleep("off-cpu") / asleep("copied");
    assert!((0.98..=1.02).contains(&share), "{share}");
    let quality = fs::read(copied.with_extension("json")).unwrap();
    let quality: ProfileQuality = serde_json::from_slice(&quality).unwrap();
    assert!(quality.rootless.unwrap() <= 0.01, "{quality:?}");
}

#[test]
fn stacks_without_a_root_are_reported_with_the_command_that_finds_it() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.probe("offcputime").args(["--", "sleep", "0.3"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let record = bench.record("offcputime");
    let rootless = record.folded[0].rootless;
    if rootless <= 0.05 {
        return skip(Need::Absence, "this C library has frame pointers");
    }
    let end = " off-cpu --out off-cpu.folded -- sleep 0.3";
    let told = |note: &&String| note.contains("have no root") && note.ends_with(end);
    let note = record.notes.iter().find(told).unwrap_or_else(|| panic!("{:?}", record.notes));
    assert!(said(&output).contains(note), "{}", said(&output));
    let (_, command) = note.split_once("needs none: ").unwrap();
    let mut typed = Command::new("sh");
    let typed = typed.args(["-c", command]).current_dir(bench.path()).output().unwrap();
    assert!(typed.status.success(), "{command}: {}", said(&typed));
    assert!(said(&typed).contains(" 0.0 % without a root"), "{}", said(&typed));

    // Stacks that the kernel can walk to their root get no such note.
    let (_, record) = bench.observe("offcputime", &[], &["sleeps", "20", "20"]);
    assert!(record.folded[0].rootless <= 0.05, "{:?}", record.folded);
    assert!(!record.notes.iter().any(|note| note.contains("have no root")), "{:?}", record.notes);
}

#[test]
fn a_thread_that_migrates_a_thousand_times_is_counted_once() {
    let Some(bench) = Bench::new() else { return };
    let (printed, record) = bench.observe("offcputime", &[], &["migrates", "1000"]);
    let asleep = bench.folded("off-cpu").into_iter();
    let asleep = asleep.filter(|(frames, _)| frames.iter().any(|f| f.contains("nanosleep")));
    let us: u64 = asleep.map(|(_, us)| us).sum();
    // What it measures of each half millisecond includes its own way to sleep and back: up to a
    // tenth.
    let share = us as f64 * 1000.0 / known(&printed) as f64;
    assert!((0.8..=1.02).contains(&share), "{share}");
    assert!(histogram(&record, "blocked").count >= 1000);
}

#[test]
fn cpudist_agrees_with_the_cpu_time_of_the_program() {
    let Some(bench) = Bench::new() else { return };
    let left_out = LeftOut::since_now();
    let seen = bench.observe_all("cpudist", &[], &["spins", "400"]);
    let Some((printed, record)) = seen else { return };
    let spins = known(&printed);
    assert_between(histogram(&record, "cpudist").sum, [spins, spins + left_out.ns()], "spins");
}

#[test]
fn waiting_for_a_cpu_agrees_with_the_scheduler() {
    let Some(bench) = Bench::new() else { return };
    let seen = bench.observe_all("runqlat", &["--set", "by=thread"], &["crowd", "150"]);
    let Some((printed, record)) = seen else { return };
    if known(&printed) == 0 {
        return skip(Need::Scheduler, "this kernel keeps no account of waiting");
    }
    let of_spinners = |h: &&ProbeHistogram| h.thread.as_deref() == Some("spinner");
    let spinners = record.histograms.iter().find(of_spinners).unwrap();
    assert_close(spinners.sum, known(&printed), "waits");
    let all = histogram(&record, "runqlat");
    assert_eq!(all.buckets.iter().map(|bucket| bucket.2).sum::<u64>(), all.count);
}

#[test]
fn a_log_has_the_percentiles_of_its_histogram() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) = bench.observe("runqlat", &[], &["handoff", "300"]);
    let latency = histogram(&record, "runqlat");
    // A wake-up and a switch for each of three waits a turn: a sleep, a question and an answer.
    assert!(latency.count >= 600, "{}", latency.count);
    let log = Log::read(&bench.path().join("runqlat.hlog")).unwrap();
    assert_eq!(log.total().len(), latency.count);
    let (logged, own) = (log.total().value_at_quantile(0.5), latency.quantile(0.5).unwrap());
    assert!(logged.abs_diff(own) <= own / 16, "{logged} and {own}");
}

#[test]
fn wakeuptime_names_the_thread_that_wakes() {
    let Some(bench) = Bench::new() else { return };
    bench.observe("wakeuptime", &[], &["handoff", "200"]);
    let woken_by = |lines: &[(Vec<String>, u64)], waker: &str, woken: &str| {
        let hit = |(frames, _): &&(Vec<String>, u64)| {
            frames[0] == waker && frames.last().unwrap() == woken
        };
        lines.iter().filter(hit).map(|(_, us)| us).sum::<u64>()
    };
    let wakeups = bench.folded("wakeup");
    // The ponger sleeps while the pinger does; the pinger waits for an answer only.
    assert!(woken_by(&wakeups, "pinger", "ponger") > 200 * 100, "{wakeups:?}");
    assert!(woken_by(&wakeups, "ponger", "pinger") > 0, "{wakeups:?}");

    bench.observe("offwaketime", &[], &["handoff", "200"]);
    let chains = bench.folded("offwake");
    assert!(woken_by(&chains, "ponger", "pinger") > 200 * 100, "{chains:?}");
    assert!(chains.iter().all(|(frames, _)| frames.iter().any(|frame| frame == "--")));
}

#[test]
fn intervals_add_up_to_the_whole() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) = bench.observe("runqlat", &["--interval", "0.1"], &["sleeps", "100", "5"]);
    assert!(record.intervals.len() >= 5, "{}", record.intervals.len());
    let parts: u64 = record.intervals.iter().map(|part| part.histograms[0].count).sum();
    assert_eq!(parts, histogram(&record, "runqlat").count);
    assert!(record.intervals.iter().all(|part| part.length_s >= 0.01), "{:?}", record.intervals);
}
