//! Time off the CPU, from copied stacks, of programs that know how long they wait
//! (`examples/observed.rs`): as long as they say, where they stand, and never made up.
//!
//! Apart from the tests of the CPU sampler, whose programs these would keep from their CPUs.

#![expect(
    clippy::unwrap_used,
    reason = "in a test's helper as in the test: a panic is the failure"
)]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, thread};

use lab_skip::{Need, skip};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::json;

use support::{Bench, PROBE, Profile, command_of, example, said, wait_for};

#[path = "../cpu/support.rs"]
#[expect(dead_code, reason = "some of it is for samples of CPU time alone")]
mod support;

/// The kernel's side is refused.
const EXIT_REFUSED: i32 = 3;

/// A place to observe in. None, and a line that says so, where this user may not see threads leave
/// their CPU.
fn bench() -> Option<Bench> {
    static REFUSED: OnceLock<bool> = OnceLock::new();
    let refused = *REFUSED.get_or_init(|| {
        let status = off_cpu(&Bench::unchecked()).args(["--", "true"]).output().unwrap().status;
        status.code() == Some(EXIT_REFUSED)
    });
    if refused {
        skip(Need::Perf, "this user may not see the kernel's side of perf events");
    }
    (!refused).then(Bench::unchecked)
}

/// `lab-probe off-cpu`, writing to the directory; what to observe is left to add.
fn off_cpu(bench: &Bench) -> Command {
    let mut probe = Command::new(PROBE);
    probe.args(["off-cpu", "--out"]).arg(bench.path().join("off-cpu.folded"));
    probe
}

/// The program to observe.
fn observed() -> PathBuf {
    example("observed")
}

/// Observes a run of `observed`: what it printed, in nanoseconds, and the profile.
fn observe(bench: &Bench, program: &[&str]) -> (f64, Profile) {
    let output = off_cpu(bench).arg("--").arg(observed()).args(program).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    (printed.trim().parse().unwrap_or(0.0), bench.profile_of("off-cpu"))
}

/// Fails unless `measured` is within 2 % of `known`.
fn assert_close(measured: f64, known: f64, what: &str) {
    let share = measured / known;
    assert!((0.98..=1.02).contains(&share), "{what}: {measured} for {known}");
}

/// Microseconds in stacks with a frame that contains `part`.
fn us_in(profile: &Profile, part: &str) -> f64 {
    profile.samples_with(|frame| frame.contains(part)) as f64
}

#[test]
fn a_sleeper_has_one_stack_weighted_by_its_sleep_time() {
    let Some(bench) = bench() else { return };
    let (slept_ns, profile) = observe(&bench, &["sleeps", "20", "20"]);
    let asleep = profile
        .stacks
        .iter()
        .filter(|(frames, _)| frames.iter().any(|frame| frame.contains("observed::sleeps")))
        .filter(|(frames, _)| frames.iter().any(|frame| frame.contains("nanosleep")));
    let asleep: Vec<_> = asleep.collect();
    let [(frames, us)] = asleep[..] else { panic!("not one stack: {asleep:?}") };
    assert_close(*us as f64 * 1000.0, slept_ns, "sleeps");
    assert_eq!(frames[0], "observed");
    assert!(frames.last().unwrap().ends_with("_[k]"), "{frames:?}");
    let all: u64 = profile.stacks.iter().map(|(_, us)| us).sum();
    assert_close(all as f64 / 1e6, profile.figure("blocked_seconds"), "all stacks");
    assert!(profile.figure("samples") >= 20.0 && profile.figure("lost") == 0.0);
    for absent in ["requested_hz", "achieved_hz", "throttled", "kernel", "user_only"] {
        assert!(profile.quality.get(absent).is_none(), "{}", profile.quality);
    }
    assert_eq!(
        (&profile.quality["kind"], &profile.quality["event"]),
        (&json!("off-cpu"), &json!("context-switches"))
    );
}

#[test]
fn a_thread_that_migrates_a_thousand_times_is_counted_once() {
    let Some(bench) = bench() else { return };
    let (slept_ns, profile) = observe(&bench, &["migrates", "1000"]);
    // What it measures of each half millisecond includes its own way to sleep and back: up to a
    // fifth.
    let share = us_in(&profile, "nanosleep") * 1000.0 / slept_ns;
    assert!((0.8..=1.02).contains(&share), "{share}");
    assert!(profile.figure("samples") >= 1000.0, "{}", profile.quality);
}

#[test]
fn a_spinner_among_spinners_is_preempted_and_not_blocked() {
    let Some(bench) = bench() else { return };
    let (waited_ns, profile) = observe(&bench, &["crowd", "150"]);
    let preempted = profile.figure("preempted_seconds");
    if waited_ns == 0.0 {
        println!("not compared: this kernel keeps no account of waiting");
    } else {
        assert_close(preempted, waited_ns / 1e9, "the scheduler's own account");
    }
    let spinners = profile.stacks.iter().filter(|(frames, _)| frames[0] == "spinner");
    let blocked_us: u64 = spinners.map(|(_, us)| us).sum();
    assert!((blocked_us as f64) < preempted * 1e6 / 100.0, "{blocked_us} of {preempted} s");
    assert!(preempted > 0.1, "{}", profile.quality);
}

#[test]
fn on_cpu_and_off_cpu_time_add_up_to_wall_clock_time() {
    let Some(bench) = bench() else { return };
    for program in [&["spins", "600"][..], &["sleeps", "30", "20"], &["migrates", "900"]] {
        let (_, profile) = observe(&bench, program);
        let [on, blocked, preempted, wall] =
            ["cpu_seconds", "blocked_seconds", "preempted_seconds", "duration_s"]
                .map(|name| profile.figure(name));
        assert_close(on + blocked + preempted, wall, program[0]);
    }
}

/// Sleeps at the end of three calls. Not static, and with something to do afterwards, so that none
/// is optimised away.
const IN_C: &str = "
    #include <time.h>
    volatile int done;
    __attribute__((noinline)) void inner(void) {
        struct timespec t = {0, 300000000}; nanosleep(&t, 0); done++;
    }
    __attribute__((noinline)) void outer(void) { inner(); done++; }
    int main(void) { outer(); return done != 2; }
";

#[test]
fn stacks_unwind_through_a_c_library_without_frame_pointers() {
    let Some(bench) = bench() else { return };
    let [source, program] = ["in.c", "sleeper"].map(|name| bench.path().join(name));
    fs::write(&source, IN_C).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-fomit-frame-pointer", "-o"]).arg(&program).arg(&source);
    assert!(compiler.status().unwrap().success(), "what links this test can compile C");
    let output = off_cpu(&bench).arg("--").arg(&program).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile_of("off-cpu");
    let has = |frames: &[String]| {
        let at = |name: &str| frames.iter().position(|frame| frame == name);
        at("main") < at("outer") && at("outer") < at("inner") && at("main").is_some()
    };
    let known = profile.stacks.iter().filter(|(frames, _)| has(frames)).map(|(_, us)| us);
    assert!(known.sum::<u64>() >= 295_000, "{:?}", profile.stacks);
    assert!(profile.figure("rootless") <= 0.01, "{}", profile.quality);

    // Stripped, and yet with a root.
    assert!(off_cpu(&bench).args(["--", "sleep", "0.3"]).output().unwrap().status.success());
    let profile = bench.profile_of("off-cpu");
    let (all, asleep) = (us_in(&profile, ""), us_in(&profile, "nanosleep"));
    assert!(asleep >= 295_000.0, "{:?}", profile.stacks);
    // During execve it may wait for its own pages, and has no stack yet.
    assert!(profile.figure("rootless") * all <= all - asleep + 1.0, "{}", profile.quality);
}

#[test]
fn a_running_process_is_seen_from_its_first_switch_on() {
    let Some(bench) = bench() else { return };
    let mut running = start(&["sleeps", "100", "20"]);
    let mut probe = off_cpu(&bench);
    probe.args(["--duration", "0.6", "--pid", &running.id().to_string()]);
    let output = probe.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(running.wait().unwrap().success());
    let profile = bench.profile_of("off-cpu");
    // All but the sleep that it was in when the observation began.
    let (blocked, lasted) = (profile.figure("blocked_seconds"), profile.figure("duration_s"));
    assert!(blocked > lasted - 0.05 && blocked <= lasted * 1.02, "{}", profile.quality);
    assert!(us_in(&profile, "observed::sleeps") > 0.9 * blocked * 1e6, "{:?}", profile.stacks);
    // Unless it fell asleep in the very moment in which the observation began.
    let all = lasted - blocked < 0.005;
    assert!(all || profile.notes().contains("of 1 threads it is not known"), "{}", profile.quality);
    assert!(profile.notes().contains("1 threads were still blocked"), "{}", profile.quality);
}

#[test]
fn a_thread_still_blocked_at_the_end_is_counted_until_the_end() {
    let Some(bench) = bench() else { return };
    let mut probe = off_cpu(&bench);
    probe.args(["--duration", "0.4", "--"]).arg(observed()).args(["waits", "1000"]);
    let output = probe.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile_of("off-cpu");
    let us = us_in(&profile, "nanosleep");
    // It is asleep but for its start, and was so for longer than it was observed.
    let lasted_us = profile.figure("duration_s") * 1e6;
    assert!(us > lasted_us - 100_000.0 && us <= lasted_us * 1.02, "{us} of {lasted_us}");
    assert!(profile.notes().contains("1 threads were still blocked"), "{}", profile.quality);
    assert_eq!(profile.quality["exit"], json!({"code": 0}));
}

#[test]
fn ctrl_c_ends_the_command_and_keeps_the_waits() {
    let Some(bench) = bench() else { return };
    let mut probe = off_cpu(&bench);
    let probe = probe.arg("--").arg(observed()).args(["sleeps", "1000", "20"]);
    let probe = probe.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Twenty sleeps of 20 ms each, twice what is asked for below.
    let command = command_of(probe.id()).to_string();
    wait_for(|| waits(&command).filter(|&waits| waits >= 20));
    send(&probe, Signal::INT);
    let output = probe.wait_with_output().unwrap();
    let profile = bench.profile_of("off-cpu");
    // The command gets the signal, and the time to save its work: this one has none.
    assert_eq!(profile.quality["exit"], json!({"signal": 2}), "{}", said(&output));
    assert!(us_in(&profile, "observed::sleeps") > 200_000.0, "{:?}", profile.stacks);
}

#[test]
fn samples_without_room_are_counted_and_lose_no_time() {
    let Some(bench) = bench() else { return };
    if !rustix::process::geteuid().is_root() {
        return skip(Need::Root, "who is not root has smaller rings than this counts with");
    }
    stay_on_one_cpu();
    let mut probe = off_cpu(&bench);
    let script = format!("echo $$; exec '{}' sleeps 3000 1", observed().display());
    let probe = probe.args(["--", "sh", "-c", &script]).stdout(Stdio::piped());
    let mut probe = probe.stderr(Stdio::piped()).spawn().unwrap();
    let mut pid = String::new();
    BufReader::new(probe.stdout.as_mut().unwrap()).read_line(&mut pid).unwrap();
    // Now no process empties the ring. When it has no room for stacks, it still has room for a few
    // hundred switches.
    send(&probe, Signal::STOP);
    let ring = ((256 << 20) / online_cpus().next_power_of_two()).clamp(4 << 20, 16 << 20);
    let stacks = ring / (32 << 10);
    let switches = waits(pid.trim()).unwrap() + stacks as u64 + 60;
    let begun = Instant::now();
    while waits(pid.trim()).is_some_and(|waits| waits < switches) {
        assert!(begun.elapsed() < Duration::from_secs(120), "it sleeps so seldom");
        thread::sleep(Duration::from_millis(5));
    }
    send(&probe, Signal::CONT);
    let output = probe.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile_of("off-cpu");
    assert!(profile.figure("lost") > 10.0, "{}", profile.quality);
    assert!(profile.notes().contains("were lost for lack of room"), "{}", profile.quality);
    assert!(profile.notes().contains("stand under [stack lost]"), "{}", profile.quality);
    let lost_us = us_in(&profile, "[stack lost]");
    assert!(lost_us > 0.0 && profile.figure("rootless") > 0.0, "{}", profile.quality);
    // The observer was stopped, and not what it observes.
    let accounted = ["cpu_seconds", "blocked_seconds", "preempted_seconds"];
    let accounted: f64 = accounted.iter().map(|name| profile.figure(name)).sum();
    assert_close(accounted, profile.figure("duration_s"), "all time");
}

#[test]
fn without_rights_nothing_runs_and_one_sentence_says_why() {
    let bench = Bench::unchecked();
    // Where every user can reach it.
    fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program: PathBuf = bench.path().join("lab-probe");
    fs::copy(PROBE, &program).unwrap();
    let mut probe = Command::new(&program);
    probe.args(["off-cpu", "--out"]).arg(bench.path().join("off-cpu.folded"));
    probe.args(["--", "touch"]).arg(bench.path().join("ran"));
    if rustix::process::geteuid().is_root() {
        probe.uid(65534).gid(65534);
    }
    let output = probe.output().unwrap();
    if output.status.success() {
        let why = "kernel.perf_event_paranoid lets everybody see the kernel's side";
        return skip(Need::Absence, why);
    }
    assert_eq!(output.status.code(), Some(EXIT_REFUSED), "{}", said(&output));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(words.trim_end().lines().count(), 2, "{words}");
    for part in ["perf events", "are refused: ", "to fix it: sudo sysctl", "setcap cap_perfmon+ep"]
    {
        assert!(words.contains(part), "`{part}` in {words}");
    }
    assert!(!bench.path().join("ran").exists() && !bench.has_profile());
}

/// From now on for this thread and what it starts.
fn stay_on_one_cpu() {
    let ours = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|&cpu| ours.is_set(cpu)).unwrap());
    sched_setaffinity(None, &one).unwrap();
}

/// For each of which there is a ring.
fn online_cpus() -> usize {
    let cpus = fs::read_dir("/sys/devices/system/cpu").unwrap().flatten();
    let names = cpus.map(|entry| entry.file_name().into_string().unwrap());
    let is_cpu = |name: &String| name.strip_prefix("cpu").is_some_and(|n| n.parse::<u32>().is_ok());
    names.filter(is_cpu).count()
}

/// How often process `pid` has waited so far; None once it has ended.
fn waits(pid: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let count = |line: &str| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok();
    status.lines().find_map(count)
}

/// Starts `observed`, which prints nowhere.
fn start(program: &[&str]) -> Child {
    Command::new(observed()).args(program).stdout(Stdio::null()).spawn().unwrap()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), signal).unwrap();
}
