//! `runqlat` and `biolatency` beside bpftrace: independent programs count the same on the same
//! tracepoints at the same time.
//!
//! Where there is no bpftrace, or the kernel or the user's rights refuse BPF, each test says so in
//! one line and passes.

#![cfg(feature = "ebpf")]
#![expect(
    clippy::unwrap_used,
    reason = "in a test's helper as in the test: a panic is the failure"
)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use lab_record::probe::{ProbeHistogram, ProbeRecord};
use lab_skip::{Need, skip};
use rustix::process::{Pid, Signal, kill_process_group};

const PROBE: &str = env!("CARGO_BIN_EXE_lab-probe");

/// The probe cannot run here.
const EXIT_REFUSED: i32 = 3;

/// How far the two may be apart.
const AGREEMENT: f64 = 0.05;

#[test]
fn runqlat_counts_the_same_waits_as_bpftrace() {
    let ours = |comm: &str| format!("{comm} == \"pinger\" || {comm} == \"ponger\"");
    let script = format!(
        "tracepoint:sched:sched_wakeup, tracepoint:sched:sched_wakeup_new /{woken}/ {{ @w[args->pid] = nsecs; }}
         tracepoint:sched:sched_switch {{
           if (args->prev_state == 0 && ({left})) {{ @w[args->prev_pid] = nsecs; }}
           if (@w[args->next_pid]) {{ @count = count(); }}
           delete(@w[args->next_pid]);
         }}
         interval:s:120 {{ exit(); }}
         END {{ clear(@w); }}",
        woken = ours("args->comm"),
        left = ours("args->prev_comm"),
    );
    let observed = [example("observed").display().to_string(), "handoff".into(), "3000".into()];
    let Some((record, peer)) = side_by_side(&["runqlat", "--set", "by=thread"], &script, &observed)
    else {
        return;
    };
    let is_ours = |h: &&ProbeHistogram| matches!(h.thread.as_deref(), Some("pinger" | "ponger"));
    let count = record.histograms.iter().filter(is_ours).map(|h| h.count).sum();
    // A sleep, a question and an answer in each turn.
    assert!(count >= 6_000, "{count}");
    assert_agree(count, peer);
}

#[test]
fn biosnoop_counts_the_same_requests_as_bpftrace() {
    let script = "tracepoint:block:block_rq_issue /comm == \"counted\"/ { @r[args->dev, args->sector] = nsecs; }
         tracepoint:block:block_rq_complete /@r[args->dev, args->sector]/ {
           @count = count();
           delete(@r[args->dev, args->sector]);
         }
         interval:s:120 { exit(); }
         END { clear(@r); }";
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data = dir.path().join("data");
    fs::write(&data, vec![1; 1_000 * 4096]).unwrap();
    File::open(&data).unwrap().sync_all().unwrap();
    let counted = [example("counted"), "direct".into(), data, "1000".into()]
        .map(|word| word.display().to_string());
    let Some((record, peer)) = side_by_side(&["biolatency"], script, &counted) else { return };
    let count = record.histograms.iter().find(|h| h.name == "service").unwrap().count;
    if count == 0 {
        let dir = dir.path().display();
        return skip(Need::Disk, format!("{dir} is on no block device"));
    }
    // On a busy machine the kernel reports the end of one request in tens of thousands to no
    // tracer, and so not to bpftrace. Such a request is counted when its memory serves the next
    // one; none follows the last.
    let unfinished = record.losses.unfinished;
    assert!(count + unfinished >= 999, "{count} and {unfinished} without an end, bpftrace {peer}");
    assert_agree(count, peer);
}

fn assert_agree(ours: u64, peer: u64) {
    println!("lab-probe counts {ours}, bpftrace {peer}");
    let share = ours as f64 / peer as f64;
    assert!((share - 1.0).abs() <= AGREEMENT, "{ours} against bpftrace's {peer}");
}

/// Runs `command` under the probe while bpftrace looks on: the probe's record, and bpftrace's
/// `@count`. None, and a line, where either is refused.
fn side_by_side(probe: &[&str], script: &str, command: &[String]) -> Option<(ProbeRecord, u64)> {
    let dir = tempfile::tempdir().unwrap();
    let Some((mut bpftrace, said)) = start_bpftrace(script) else {
        skip(Need::Bpftrace, "no bpftrace that can trace here");
        return None;
    };
    let output = Command::new(PROBE)
        .args(probe)
        .arg("--out")
        .arg(dir.path())
        .arg("--")
        .args(command)
        .output()
        .unwrap();
    kill_process_group(Pid::from_child(&bpftrace), Signal::INT).unwrap();
    let count = said.lines().find_map(|line| count_in(&line.unwrap()));
    bpftrace.wait().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(EXIT_REFUSED) {
        skip(Need::Ebpf, stderr);
        return None;
    }
    assert!(output.status.success(), "{stderr}");
    let record = dir.path().join(probe[0]).with_extension("json");
    Some((lab_record::read_json(&record).unwrap(), count.unwrap_or(0)))
}

/// bpftrace, attached; in a mount namespace of its own where tracefs stands where it looks for it.
fn start_bpftrace(script: &str) -> Option<(Child, BufReader<ChildStdout>)> {
    let mut bpftrace = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg(
            "mount -t debugfs none /sys/kernel/debug; mount -t tracefs none \
             /sys/kernel/debug/tracing; exec bpftrace -f json -e \"$0\"",
        )
        .arg(script)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let mut said = BufReader::new(bpftrace.stdout.take()?);
    let mut line = String::new();
    while said.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if line.contains("attached_probes") {
            return Some((bpftrace, said));
        }
        line.clear();
    }
    bpftrace.wait().ok()?;
    None
}

/// From `{"type": "map", "data": {"@count": 123}}`.
fn count_in(line: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    value["data"]["@count"].as_u64()
}

/// A program to observe. A plain `cargo test` builds it; one with targets does not,
/// not even with `--examples`, and leaves an old one in place.
fn example(name: &str) -> PathBuf {
    let path = Path::new(PROBE).with_file_name("examples").join(name);
    assert!(path.exists(), "no {}: cargo build -p lab-probe --examples", path.display());
    path
}
