//! The program as a process that serves: signals stop it, and it does not outlive its parent.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use coordinated_omission::LAB;
use lab_kit::Mode;
use lab_kit::proc::Stat;
use lab_record::{KnobValue, Metrics, Trial, read_json, write_json};

/// A bound, not a measure: even a busy machine is sooner.
const SOON: Duration = Duration::from_secs(30);

const PROGRAM: &str = env!("CARGO_BIN_EXE_coordinated-omission");

#[test]
fn a_server_ends_when_its_standard_input_closes() {
    let mut server = Command::new(PROGRAM)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.starts_with("127.0.0.1:"), "loopback only: {address}");
    TcpStream::connect(address.trim()).unwrap();
    drop(server.stdin.take());
    assert!(ends_within(SOON, || server.try_wait().unwrap().is_some()));
}

#[test]
fn stopping_the_server_process_stalls_like_any_other_stall() {
    let dir = tempfile::tempdir().unwrap();
    let mut trial = start(dir.path(), 1_500);
    let server = server_of(&trial);
    assert!(trial.wait().unwrap().success());
    let metrics: Metrics = read_json(&dir.path().join("metrics.json")).unwrap();
    let sum = metrics.accounting;
    assert!(sum.adds_up() && (1_499..=1_500).contains(&sum.completed), "{sum:?}");
    assert!(metrics.series["response"].max_ns > 290_000_000, "{:?}", metrics.series);
    assert!(metrics.metrics["asked_in_stall"].value > 0.9, "the load went on");
    assert!(!lives(server), "the server is gone");
}

#[test]
fn a_stopped_server_does_not_outlive_a_killed_trial() {
    let dir = tempfile::tempdir().unwrap();
    let mut trial = start(dir.path(), 30_000);
    let server = server_of(&trial);
    // A stopped process sees no closed pipe.
    let stopped = || Stat::of(server).is_ok_and(|stat| stat.state == 'T');
    assert!(ends_within(SOON, stopped), "it stands still");
    trial.kill().unwrap();
    trial.wait().unwrap();
    assert!(ends_within(SOON, || !lives(server)));
}

/// A trial of the open loop whose server is stopped 300 ms into the span, for 300 ms or, in a long
/// trial, for longer than the trial will live.
fn start(dir: &Path, measure_ms: u64) -> Child {
    let lab = LAB.describe();
    let mut knobs: lab_record::Knobs =
        lab.knobs.iter().map(|knob| (knob.name.clone(), knob.default.clone())).collect();
    let stall = if measure_ms > 10_000 { "20s" } else { "300ms" };
    for (knob, text) in [("stall-by", "sigstop"), ("stall", stall), ("stall-at", "300ms")] {
        knobs.insert(knob.into(), KnobValue::Text(text.into()));
    }
    let trial = Trial {
        id: "001-open-loop".into(),
        lab: lab.name,
        variant: "open-loop".into(),
        label: "open-loop".into(),
        mode: Mode::Live,
        seed: 1,
        warmup_ms: 100,
        measure_ms,
        interval_ms: measure_ms / 10,
        deadline_ms: 60_000,
        knobs,
        profile: None,
        probe: None,
        inject: None,
    };
    write_json(&dir.join("trial.json"), &trial).unwrap();
    Command::new(PROGRAM).arg("run").arg(dir).spawn().unwrap()
}

/// The server that a trial has started.
fn server_of(trial: &Child) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", trial.id());
    let mut server = None;
    let started = ends_within(SOON, || {
        server = fs::read_to_string(&children).unwrap_or_default().trim().parse().ok();
        server.is_some_and(lives)
    });
    assert!(started, "it has one child");
    server.unwrap()
}

/// Whether this process is a server that lives: another may have its number by now.
fn lives(process: u32) -> bool {
    let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&arguments).ends_with("\0serve\0")
}

fn ends_within(limit: Duration, mut ended: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if ended() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    ended()
}
