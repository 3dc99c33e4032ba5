//! What a probe adds to a switch, beside what `perf record -e sched:sched_switch` adds: two threads
//! on one CPU pass a byte to and fro by pipes, two switches and two wake-ups a round trip, which is
//! the most expensive load there is.
//!
//! `cargo bench -p lab-probe --bench cost`, as root. First each observes the two threads alone, as
//! the command that it starts; then the whole machine.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context as _, Result, ensure};
use lab_kit::stats::median;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;

const ROUNDS: usize = 2 * OBSERVERS.len();
const ROUND_TRIPS: u32 = 40_000;

/// What this program is to do for an observer.
const PING_PONG: &str = "ping-pong";

/// To load programs and to attach them.
const SETTLE: Duration = Duration::from_millis(1_500);

/// perf's come last: the others are compared with the last, which takes no stacks.
const OBSERVERS: [&str; 6] =
    ["nobody", "runqlat", "offcputime", "off-cpu", "perf record -g", "perf record"];

/// What they observe.
#[derive(Clone, Copy)]
enum Of {
    Command,
    Machine,
}

fn main() -> Result<()> {
    if env::args().nth(1).as_deref() == Some(PING_PONG) {
        println!("{}", ping_pong()?);
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    println!("round trip of two switches and two wake-ups, median of {ROUNDS} times {ROUND_TRIPS}");
    for (of, words) in [(Of::Command, "of the two threads"), (Of::Machine, "of the whole machine")]
    {
        println!("observed by, {words}:");
        compare(of, &dir)?;
    }
    Ok(())
}

fn compare(of: Of, dir: &TempDir) -> Result<()> {
    let mut taken = OBSERVERS.map(|_| Vec::with_capacity(ROUNDS));
    // Round 0 is to warm up.
    for round in 0..=ROUNDS {
        for turn in 0..OBSERVERS.len() {
            // Each comes first, second and so on equally often.
            let at = (round + turn) % OBSERVERS.len();
            let Some(observer) = observer(OBSERVERS[at], of) else { continue };
            let round_trip_ns = match of {
                Of::Command => of_a_command(&observer, dir),
                Of::Machine => of_the_machine(&observer, dir),
            };
            let round_trip_ns =
                round_trip_ns.with_context(|| format!("while {} observes", OBSERVERS[at]))?;
            if round > 0 {
                taken[at].push(round_trip_ns);
            }
        }
    }
    let medians = taken.map(median);
    let [Some(bare), .., Some(perf)] = medians else { unreachable!("both are always taken") };
    for (name, median) in OBSERVERS.into_iter().zip(medians) {
        let Some(median) = median else { continue };
        let (added, share) = (median - bare, (median - bare) / (perf - bare));
        println!("  {name:14} {median:6.0} ns  {added:+6.0} ns  {share:5.2} of what perf adds");
    }
    Ok(())
}

/// The start of a command, for a shell in which `$0` is a directory to write to: empty for
/// `nobody`. perf needs tracefs, which is mounted where no other process sees it.
fn observer(name: &str, of: Of) -> Option<String> {
    const LAB_PROBE: &str = env!("CARGO_BIN_EXE_lab-probe");
    let all = if matches!(of, Of::Machine) { " -a" } else { "" };
    Some(match (name, of) {
        ("nobody", _) => String::new(),
        // It observes one process.
        ("off-cpu", Of::Machine) => return None,
        ("off-cpu", Of::Command) => format!("{LAB_PROBE} off-cpu --out $0/off-cpu.folded"),
        ("perf record" | "perf record -g", _) => format!(
            "mount -t tracefs none /sys/kernel/tracing; exec {name} -q{all} -e sched:sched_switch \
             -o $0/perf.data"
        ),
        (probe, _) => format!("exec {LAB_PROBE} {probe} --out $0"),
    })
}

/// Nanoseconds a round trip, of a command that `observer` starts.
fn of_a_command(observer: &str, dir: &TempDir) -> Result<f64> {
    let program = env::current_exe()?;
    let separator = if observer.is_empty() { "" } else { "--" };
    let line = format!("{observer} {separator} {} {PING_PONG}", program.display());
    let output = shell(&line, dir).stdout(Stdio::piped()).output()?;
    ensure!(output.status.success(), "it failed: {}", output.status);
    let said = String::from_utf8(output.stdout)?;
    let round_trip_ns = said.lines().find_map(|line| line.parse().ok());
    round_trip_ns.with_context(|| format!("no figure in {said:?}"))
}

/// Nanoseconds a round trip in this process, while `observer` looks at the whole machine.
fn of_the_machine(observer: &str, dir: &TempDir) -> Result<f64> {
    if observer.is_empty() {
        return ping_pong();
    }
    let mut observer = shell(observer, dir).stdout(Stdio::null()).process_group(0).spawn()?;
    thread::sleep(SETTLE);
    let ended = observer.try_wait()?;
    ensure!(ended.is_none(), "it ended at once: {ended:?}");
    let round_trip_ns = ping_pong();
    kill_process_group(Pid::from_child(&observer), Signal::INT)?;
    observer.wait()?;
    round_trip_ns
}

fn shell(line: &str, dir: &TempDir) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", line]).arg(dir.path()).stderr(Stdio::null());
    command
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
