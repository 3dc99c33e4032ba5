//! However the target ends, or never begins: its status is passed on, the profile so far is
//! written, no harm is done.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::json;

use crate::refusal::forbid;
use crate::support::{
    Bench, PROBE, command_of, ran, said, wait_for, wait_until_it_observes, wait_until_it_ran,
    workload,
};

#[test]
fn a_program_that_panics_and_churns_threads_survives_twenty_profiled_runs() {
    let Some(bench) = Bench::new() else { return };
    for _ in 0..20 {
        let output =
            bench.probe(999).arg("--").arg(workload()).args(["churn", "400"]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(output.stdout, b"caught 400\n", "{}", said(&output));
        assert_eq!(bench.profile().quality["exit"], json!({"code": 0}));
    }
}

#[test]
fn the_exit_status_of_the_command_is_passed_on() {
    let Some(bench) = Bench::new() else { return };
    for (script, code, signal, exit) in [
        ("exit 0", Some(0), None, json!({"code": 0})),
        ("exit 5", Some(5), None, json!({"code": 5})),
        ("exit 137", Some(137), None, json!({"code": 137})),
        ("kill -9 $$", None, Some(9), json!({"signal": 9})),
        ("kill -SEGV $$", None, Some(11), json!({"signal": 11})),
        ("kill -34 $$", None, Some(34), json!({"signal": 34})),
    ] {
        let output = bench.probe(99).args(["--", "sh", "-c", script]).output().unwrap();
        let status = output.status;
        assert_eq!((status.code(), status.signal()), (code, signal), "{script}: {}", said(&output));
        assert_eq!(bench.profile().quality["exit"], exit, "{script}");
    }
}

#[test]
fn a_killed_command_keeps_the_profile_until_then() {
    let Some(bench) = Bench::new() else { return };
    let script = format!("'{}' spin 300; kill -9 $$", workload().display());
    let output = bench.probe(499).args(["--", "sh", "-c", &script]).output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{}", said(&output));
    assert!(bench.profile().samples_with(|frame| frame == "workload::spin") >= 140);
}

#[test]
fn a_command_that_cannot_start_is_reported_in_one_sentence() {
    let Some(bench) = Bench::new() else { return };
    for (command, code, why) in
        [("/no/such/command", 127, "No such file"), ("/etc/passwd", 126, "Permission denied")]
    {
        let output = bench.probe(99).args(["--", command]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(command) && message.contains(why), "{message}");
        assert!(!bench.has_profile());
    }
}

#[test]
fn where_nothing_can_be_written_the_command_is_not_run() {
    let Some(bench) = Bench::new() else { return };
    let ran = bench.path().join("ran");
    let mut probe = Command::new(PROBE);
    let output =
        probe.args(["cpu", "--out", "/proc/cpu.folded", "--", "touch"]).arg(&ran).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("write to the directory /proc"), "{}", said(&output));
    assert!(!ran.exists());
}

#[test]
fn a_foreign_file_in_the_place_of_the_quality_file_stays() {
    let Some(bench) = Bench::new() else { return };
    let (theirs, ran) = (bench.path().join("cpu.json"), bench.path().join("ran"));
    for text in [r#"{"frequency": "3 GHz"}"#, "no JSON"] {
        std::fs::write(&theirs, text).unwrap();
        let output = bench.probe(99).args(["--", "touch"]).arg(&ran).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(
            said(&output).contains("cpu.json is there and is no profile's"),
            "{}",
            said(&output)
        );
        assert_eq!(std::fs::read_to_string(&theirs).unwrap(), text);
        assert!(!ran.exists(), "the command ran in vain");
    }
    std::fs::remove_file(&theirs).unwrap();
    for _ in ["the first", "again, in place of our own"] {
        let output = bench.probe(99).args(["--", "true"]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn impossible_arguments_are_usage_errors() {
    let bench = Bench::unchecked();
    for args in [
        &["cpu", "--out", "x.folded"][..],
        &["cpu", "--out", "x.json", "--", "true"],
        &["cpu", "--out", "x.folded", "--pid", "1", "--", "true"],
        &["cpu", "--out", "x.folded", "--pid", "0"],
        &["cpu", "--out", "x.folded", "--hz", "0", "--", "true"],
        &["cpu", "--out", "x.folded", "--hz", "1000000", "--", "true"],
        &["cpu", "--out", "x.folded", "--duration", "-1", "--", "true"],
        &["cpu", "--out", "x.folded", "--duration", "nan", "--", "true"],
    ] {
        let output = Command::new(PROBE).args(args).current_dir(bench.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
    }
    assert_eq!(std::fs::read_dir(bench.path()).unwrap().count(), 0);
}

#[test]
fn a_process_that_has_ended_is_reported_in_one_sentence() {
    let Some(bench) = Bench::new() else { return };
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let output = bench.probe(99).args(["--pid", &ended.id().to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("there is no process"), "{}", said(&output));
    assert!(!bench.has_profile());
}

#[test]
fn a_thread_stands_for_its_process() {
    let Some(bench) = Bench::new() else { return };
    let mut running = Command::new(workload()).args(["shares", "1", "1000"]).spawn().unwrap();
    let thread = another_thread(running.id());
    let output = bench
        .probe(499)
        .args(["--duration", "0.3", "--pid", &thread.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(running.wait().unwrap().success());
    let profile = bench.profile();
    assert!(profile.notes().contains(&format!("{thread} is a thread")), "{}", profile.quality);
    assert!((0.25..5.0).contains(&profile.figure("duration_s")), "{}", profile.quality);
}

/// The first thread of process `pid` that is not its main one.
fn another_thread(pid: u32) -> u32 {
    wait_for(|| {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let ids =
            threads.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap());
        ids.into_iter().find(|tid| *tid != pid)
    })
}

#[test]
fn ctrl_c_ends_the_command_and_keeps_the_profile() {
    let Some(bench) = Bench::new() else { return };
    let mut probe = bench.probe(499);
    let probe = probe
        .arg("--")
        .arg(workload())
        .args(["spin", "60000"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_it_ran(command_of(probe.id()), "workload", Duration::from_millis(200));
    kill_process(pid(&probe), Signal::INT).unwrap();
    let output = probe.wait_with_output().unwrap();
    // The signal went to lab-probe alone, which passed it on; a terminal sends it to both.
    assert_eq!(output.status.signal(), Some(2), "{}", said(&output));
    let profile = bench.profile();
    assert_eq!(profile.quality["exit"], json!({"signal": 2}));
    assert!(profile.samples_with(|frame| frame == "workload::spin") > 20, "{}", profile.quality);
}

#[test]
fn after_ctrl_c_a_command_has_time_to_save_its_work() {
    let Some(bench) = Bench::new() else { return };
    let script = "trap 'sleep 1; echo saved; exit 7' INT; echo ready; while :; do sleep 0.05; done";
    let mut probe = bench.probe(99);
    let probe = probe.args(["--", "sh", "-c", script]);
    let mut probe = probe.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(probe.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    kill_process(pid(&probe), Signal::INT).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "saved");
    let output = probe.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("a second Ctrl-C ends it"), "{}", said(&output));
}

#[test]
fn a_command_that_ignores_sigterm_is_killed_by_the_second_ctrl_c() {
    let Some(bench) = Bench::new() else { return };
    let mut probe = bench.probe(99);
    probe.args([
        "--",
        "sh",
        "-c",
        "trap '' TERM INT; echo ready; for i in $(seq 100); do sleep 0.1; done",
    ]);
    let mut probe = probe.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(probe.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    kill_process(pid(&probe), Signal::INT).unwrap();
    // Two signals that are both still to come are one: this says that the first has come.
    let mut said_then = Vec::new();
    let mut messages = BufReader::new(probe.stderr.take().unwrap());
    while !String::from_utf8_lossy(&said_then).contains("a second Ctrl-C ends it") {
        assert!(messages.read_until(b'\n', &mut said_then).unwrap() > 0, "it ended at the first");
    }
    assert!(probe.try_wait().unwrap().is_none());
    kill_process(pid(&probe), Signal::INT).unwrap();
    let output = probe.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{}", said(&output));
}

#[test]
fn ctrl_c_leaves_a_process_that_is_not_ours_running() {
    let Some(bench) = Bench::new() else { return };
    let mut running = Command::new(workload()).args(["spin", "3000"]).spawn().unwrap();
    let probe = bench.probe(499).args(["--pid", &running.id().to_string()]).spawn().unwrap();
    wait_until_it_observes(probe.id());
    let enough = ran(running.id()) + Duration::from_millis(200);
    wait_for(|| (ran(running.id()) >= enough).then_some(()));
    kill_process(pid(&probe), Signal::INT).unwrap();
    assert!(probe.wait_with_output().unwrap().status.success());
    assert!(bench.profile().figure("samples") > 20.0);
    assert!(running.wait().unwrap().success());
}

#[test]
fn a_killed_observer_takes_its_command_along_and_leaves_others_alone() {
    let Some(bench) = Bench::new() else { return };
    let mut other = Command::new(workload()).args(["spin", "1500"]).spawn().unwrap();
    let mut attached = bench.probe(499).args(["--pid", &other.id().to_string()]).spawn().unwrap();
    let mut probe = bench.probe(499);
    let mut probe = probe
        .args(["--", "sh", "-c", "echo $$; exec sleep 60"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut command = String::new();
    BufReader::new(probe.stdout.take().unwrap()).read_line(&mut command).unwrap();
    let command = Pid::from_raw(command.trim().parse().unwrap()).unwrap();
    wait_until_it_observes(attached.id());
    for observer in [&mut probe, &mut attached] {
        observer.kill().unwrap();
        observer.wait().unwrap();
    }
    wait_for(|| test_kill_process(command).err());
    assert!(other.wait().unwrap().success());
}

#[test]
fn after_its_duration_the_command_runs_on_unobserved() {
    let Some(bench) = Bench::new() else { return };
    let mut probe = bench.probe(499);
    let output = probe
        .args(["--duration", "0.3", "--"])
        .arg(workload())
        .args(["spin", "1000"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    assert!(profile.figure("samples") < 400.0, "{}", profile.quality);
    assert!(profile.figure("cpu_seconds") < 0.8, "{}", profile.quality);
    // Sampled on after the end of the time, it would have more.
    let most = 1.2 * 499.0 * profile.figure("cpu_seconds");
    assert!(profile.figure("samples") < most, "{}", profile.quality);
    assert_eq!(profile.quality["exit"], json!({"code": 0}));
}

#[test]
fn refused_perf_events_exit_with_3_and_one_sentence_with_the_fix() {
    let bench = Bench::unchecked();
    let mut probe = bench.probe(99);
    forbid(&mut probe, libc::SYS_perf_event_open);
    let output = probe.args(["--", "touch"]).arg(bench.path().join("ran")).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("perf events are refused") && message.contains("to fix it: "),
        "{message}"
    );
    assert!(!bench.has_profile());
    assert!(!bench.path().join("ran").exists(), "the command must not run unobserved");
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed()).unwrap()
}
