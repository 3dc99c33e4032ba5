//! Nothing outlives the observer, however it ends.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aya::maps::loaded_maps;
use aya::programs::loaded_programs;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Bench, held, observed, wait_for};

fn programs() -> Vec<u32> {
    loaded_programs().filter_map(|program| Some(program.ok()?.id())).collect()
}

fn maps() -> Vec<u32> {
    loaded_maps().filter_map(|map| Some(map.ok()?.id())).collect()
}

/// The child processes of `pid`.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// How long an observer takes here until its command runs.
fn time_to_begin(bench: &Bench) -> Duration {
    let begun = Instant::now();
    let mut probe = observe(bench, "offwaketime");
    wait_for(|| children(probe.id()).first().copied());
    let taken = begun.elapsed();
    probe.kill().unwrap();
    probe.wait().unwrap();
    taken
}

fn observe(bench: &Bench, name: &str) -> Child {
    let mut probe = bench.probe(name);
    probe.arg("--").arg(observed()).args(["waits", "60000"]);
    probe.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn fifty_kills_at_random_moments_leave_nothing() {
    let Some(bench) = Bench::new() else { return };
    let usual = time_to_begin(&bench);
    let mut seen = 0;
    for round in 0..50 {
        let name = ["runqlat", "offwaketime", "opensnoop"][round as usize % 3];
        let mut probe = observe(&bench, name);
        // From its first instruction to well after the command has begun.
        thread::sleep(usual * (round * 37 % 50) / 25);
        // Held still, so that it makes nothing after we have looked.
        kill_process(Pid::from_child(&probe), Signal::STOP).unwrap();
        wait_for(|| (state(probe.id()) == Some('T')).then_some(()));
        let held_programs = held(probe.id(), "prog_id:");
        let held_maps = held(probe.id(), "map_id:");
        let started = children(probe.id());
        seen += held_programs.len();
        probe.kill().unwrap();
        probe.wait().unwrap();
        // The kernel frees them a moment later.
        wait_for(|| (!programs().iter().any(|id| held_programs.contains(id))).then_some(()));
        wait_for(|| (!maps().iter().any(|id| held_maps.contains(id))).then_some(()));
        wait_for(|| (!started.iter().any(|pid| is_alive(*pid))).then_some(()));
        assert!(!bench.path().join(name).with_extension("json").exists());
    }
    assert!(seen > 0, "no kill came after a program was loaded");
}

#[test]
fn an_interrupt_ends_the_command_and_keeps_what_was_seen() {
    let Some(bench) = Bench::new() else { return };
    let mut probe = observe(&bench, "syscount");
    let command = wait_for(|| {
        let pid = *children(probe.id()).first()?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (name.trim() == "observed").then_some(pid)
    });
    // It has begun: in the sleep that is all it does.
    wait_for(|| (state(command) == Some('S')).then_some(()));
    kill_process(Pid::from_child(&probe), Signal::INT).unwrap();
    let status = probe.wait().unwrap();
    assert_eq!(
        status.signal(),
        Some(Signal::INT.as_raw()),
        "the command gets the signal, and its ending is passed on"
    );
    assert!(!is_alive(command));
    assert!(!bench.record("syscount").tables[0].rows.is_empty());
}
