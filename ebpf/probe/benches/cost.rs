//! What a probe adds to a switch, beside what `perf record -e sched:sched_switch` adds: two threads on one CPU pass a
//! byte to and fro by pipes, two switches and two wake-ups a round trip, which is the dearest that anybody can meet.
//!
//! `cargo bench -p lab-probe --features ebpf --bench cost`, as root; all observe the whole machine, in turn.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;

const ROUNDS: usize = 9;
const ROUND_TRIPS: u32 = 40_000;

/// To load programs and to attach them.
const SETTLE: Duration = Duration::from_millis(1_500);

const PERF: &str = "perf record -e sched:sched_switch";

/// Who observes, and how; `$0` is a directory to write to. perf wants tracefs, mounted where nobody else sees it.
const OBSERVERS: [(&str, Option<&str>); 4] = [
    ("nobody", None),
    ("runqlat", Some(concat!("exec ", env!("CARGO_BIN_EXE_lab-probe"), " runqlat --out $0"))),
    ("offcputime", Some(concat!("exec ", env!("CARGO_BIN_EXE_lab-probe"), " offcputime --out $0"))),
    (
        PERF,
        Some(
            "mount -t tracefs none /sys/kernel/tracing; exec perf record -q -a -e sched:sched_switch -o $0/perf.data",
        ),
    ),
];

fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut taken = OBSERVERS.map(|_| Vec::with_capacity(ROUNDS));
    // One to warm up.
    for round in 0..=ROUNDS {
        for turn in 0..OBSERVERS.len() {
            // Each comes first, second and so on equally often.
            let at = (round + turn) % OBSERVERS.len();
            let round_trip_ns = observed_by(OBSERVERS[at].1, &dir)
                .with_context(|| format!("while {} observes", OBSERVERS[at].0))?;
            if round > 0 {
                taken[at].push(round_trip_ns);
            }
        }
    }
    let medians = taken.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken[ROUNDS / 2]
    });
    let (bare, perf) = (medians[0], medians[OBSERVERS.len() - 1]);
    println!("round trip of two switches and two wake-ups, median of {ROUNDS} times {ROUND_TRIPS}");
    for ((name, _), median) in OBSERVERS.into_iter().zip(medians) {
        let (added, share) = (median - bare, (median - bare) / (perf - bare));
        println!("{name:34} {median:6.0} ns  {added:+6.0} ns  {share:5.2} of what perf adds");
    }
    Ok(())
}

/// Nanoseconds a round trip.
fn observed_by(observer: Option<&str>, dir: &TempDir) -> Result<f64> {
    let Some(command) = observer else { return ping_pong() };
    let mut observer = start(command, dir)?;
    thread::sleep(SETTLE);
    let ended = observer.try_wait()?;
    ensure!(ended.is_none(), "it ended at once: {ended:?}");
    let round_trip_ns = ping_pong();
    kill_process_group(Pid::from_child(&observer), Signal::INT)?;
    observer.wait()?;
    round_trip_ns
}

fn start(command: &str, dir: &TempDir) -> io::Result<Child> {
    Command::new("unshare")
        .args(["--mount", "sh", "-c", command])
        .arg(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Nanoseconds a round trip.
fn ping_pong() -> Result<f64> {
    let ((mut read_there, mut write_there), (mut read_back, mut write_back)) =
        (io::pipe()?, io::pipe()?);
    let answer = move || -> io::Result<()> {
        stay_on_one_cpu()?;
        let mut byte = [0];
        while read_there.read(&mut byte)? > 0 {
            write_back.write_all(&byte)?;
        }
        Ok(())
    };
    let ask = move || -> io::Result<Duration> {
        stay_on_one_cpu()?;
        let mut byte = [0];
        let begun = Instant::now();
        for _ in 0..ROUND_TRIPS {
            write_there.write_all(&byte)?;
            read_back.read_exact(&mut byte)?;
        }
        Ok(begun.elapsed())
    };
    let (answering, asking) = (thread::spawn(answer), thread::spawn(ask));
    let taken = asking.join().expect("asking does not panic")?;
    answering.join().expect("answering does not panic")?;
    Ok(taken.as_nanos() as f64 / f64::from(ROUND_TRIPS))
}

fn stay_on_one_cpu() -> io::Result<()> {
    let mut cpu = CpuSet::new();
    cpu.set(0);
    Ok(sched_setaffinity(None, &cpu)?)
}
