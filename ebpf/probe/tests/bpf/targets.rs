//! A probe observes its target and no other process.

use std::process::Command;

use lab_record::probe::{ProbeExit, ProbeTarget};
use lab_record::table::Cell;
use lab_skip::{Need, skip};

use crate::support::{
    Bench, PROBE, cell, held, histogram, is, observed, rows, said, start, wait_for,
};

#[test]
fn only_the_chosen_process_is_observed() {
    let Some(bench) = Bench::new() else { return };
    let (mut one, mut other) = (start(&["handoff", "100000"]), start(&["handoff", "100000"]));
    let pid = one.id().to_string();
    let output =
        bench.probe("offcputime").args(["--pid", &pid, "--duration", "0.3"]).output().unwrap();
    for child in [&mut one, &mut other] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(output.status.success(), "{}", said(&output));
    let record = bench.record("offcputime");
    assert_eq!(record.target, ProbeTarget::Pid(one.id()));
    let seconds = record.duration_s;
    // Two threads and the one that waits for them: no more blocked time than theirs.
    let us: u64 = bench.folded("off-cpu").iter().map(|(_, us)| us).sum();
    assert!(us > 0 && us as f64 <= 3.1e6 * seconds, "{us} in {seconds} s");
    let folded = bench.folded("off-cpu");
    let named = folded.iter().any(|(frames, _)| frames.iter().any(|f| f.contains("handoff")));
    assert!(named, "its files are found: {folded:?}");
}

#[test]
fn a_process_can_be_chosen_by_name() {
    let Some(bench) = Bench::new() else { return };
    let mut child = start(&["handoff", "100000"]);
    let args = ["--comm", "ponger", "--set", "by=thread", "--duration", "1"];
    let output = bench.probe("runqlat").args(args).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let record = bench.record("runqlat");
    let threads: Vec<_> = record.histograms.iter().filter_map(|h| h.thread.as_deref()).collect();
    assert_eq!(threads, ["ponger"]);
    assert_eq!(record.histograms[0].count, record.histograms[1].count);
    assert!(record.histograms[0].count > 0);
}

#[test]
fn a_command_is_observed_with_its_children_and_its_status_is_passed_on() {
    let Some(bench) = Bench::new() else { return };
    let output = bench
        .probe("execsnoop")
        .args(["--", "sh", "-c", "sh -c 'true inner; exit 0'; true outer; exit 7"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    let record = bench.record("execsnoop");
    assert_eq!(record.exit, Some(ProbeExit::Code(7)));
    // `true` is built into the shell: two shells were started.
    assert_eq!(rows(&record, "PCOMM", is("sh")).len(), 2);
}

#[test]
fn a_thread_that_never_runs_is_in_no_figure_and_a_note_says_so() {
    let Some(bench) = Bench::new() else { return };
    let mut child = start(&["waits", "60000"]);
    wait_for(|| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
        stat.starts_with(&format!("{} (observed) S", child.id())).then_some(())
    });
    let pid = child.id().to_string();
    let output =
        bench.probe("offcputime").args(["--pid", &pid, "--duration", "1"]).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(histogram(&bench.record("offcputime"), "blocked").count, 0);
    let told = "of 1 threads it is not known where they stood before their first switch: those 1.0";
    assert!(said(&output).contains(told), "{}", said(&output));
}

#[test]
fn a_process_that_has_ended_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.probe("runqlat").args(["--pid", "4194305"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("there is no process 4194305"), "{}", said(&output));
    assert!(!bench.path().join("runqlat.json").exists());
}

#[test]
fn a_process_that_ends_ends_the_observation() {
    let Some(bench) = Bench::new() else { return };
    let mut child = start(&["waits", "60000"]);
    let pid = child.id().to_string();
    let mut probe = bench.probe("offcputime").args(["--pid", &pid]).spawn().unwrap();
    wait_for(|| held(probe.id(), "link_id:").first().copied());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(probe.wait().unwrap().success());
    assert!(bench.record("offcputime").duration_s < 60.0);
}

#[test]
fn a_thread_stands_for_its_process() {
    let Some(bench) = Bench::new() else { return };
    let mut child = start(&["handoff", "100000"]);
    let tasks = format!("/proc/{}/task", child.id());
    let thread = wait_for(|| {
        let names = std::fs::read_dir(&tasks).ok()?;
        let ids = names.filter_map(|name| name.ok()?.file_name().to_str()?.parse::<u32>().ok());
        ids.max().filter(|id| *id != child.id())
    });
    let args = ["--pid", &thread.to_string(), "--duration", "0.2"];
    let output = bench.probe("runqlat").args(args).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let record = bench.record("runqlat");
    assert_eq!(record.target, ProbeTarget::Pid(child.id()));
    assert!(record.notes[0].contains("is a thread"), "{:?}", record.notes);
}

#[test]
fn two_probes_can_run_at_once() {
    let Some(first) = Bench::new() else { return };
    let second = Bench::unchecked();
    let mut child = start(&["handoff", "100000"]);
    let pid = child.id().to_string();
    let observe = |bench: &Bench, name: &str| {
        bench.probe(name).args(["--pid", &pid, "--duration", "0.5"]).spawn().unwrap()
    };
    let mut both = [observe(&first, "runqlat"), observe(&second, "offcputime")];
    let well = both.iter_mut().all(|probe| probe.wait().unwrap().success());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(well);
    assert!(histogram(&first.record("runqlat"), "runqlat").count > 0);
    assert!(histogram(&second.record("offcputime"), "blocked").count > 0);
}

/// After tens of thousands of runs, runs are timed for a tenth of the time and the sum is scaled
/// up; not so if another probe makes the kernel time all of them.
#[test]
fn run_counts_are_not_scaled_while_another_probe_times_programs() {
    let Some(bench) = Bench::new() else { return };
    let runs_an_event = || {
        let (_, record) = bench.observe("runqlat", &[], &["handoff", "20000"]);
        record.cost.runs.map(|runs| runs as f64 / record.cost.events as f64)
    };
    let Some(alone) = runs_an_event() else {
        return skip(Need::Ebpf, "the kernel times no programs for this user");
    };
    let others = Bench::unchecked();
    let mut other = others.probe("execsnoop").args(["--duration", "60"]).spawn().unwrap();
    wait_for(|| held(other.id(), "link_id:").first().copied());
    let beside = runs_an_event().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    println!("{alone} runs an event alone, {beside} beside another probe");
    assert!((0.5..2.0).contains(&(beside / alone)), "{alone} alone, {beside}");
}

#[test]
fn a_missing_command_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.probe("runqlat").args(["--", "/no/such/command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127), "{}", said(&output));
    assert!(!bench.path().join("runqlat.json").exists());
}

#[test]
fn under_sudo_a_command_has_its_users_rights() {
    let Some(bench) = Bench::new() else { return };
    let mut probe = Command::new(PROBE);
    probe.args(["execsnoop", "--out"]).arg(bench.path());
    probe.env("SUDO_UID", "12345").env("SUDO_GID", "12346").env("SUDO_USER", "nobody-of-here");
    let script = "id -u; id -g; id -G; grep -c '^CapEff:.0000000000000000$' /proc/self/status";
    let output = probe.args(["--", "sh", "-c", script]).output().unwrap();
    if !rustix::process::geteuid().is_root() {
        return skip(Need::Root, "only root has rights to give up");
    }
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(stdout, "12345\n12346\n12346\n1\n", "{}", said(&output));
}

/// The kernel's own number of a process is another there.
#[test]
fn a_process_is_found_by_its_number_in_a_pid_namespace() {
    let Some(bench) = Bench::new() else { return };
    let script = format!(
        "{} sleeps 200 50 >/dev/null & pid=$!; \
         until grep -q observed /proc/$pid/comm || [ $? = 2 ]; do :; done; \
         {} offcputime --pid $pid --duration 1 --out {out}; kill $pid; wait; \
         {} execsnoop --out {out} -- true one 'two three'",
        observed().display(),
        PROBE,
        PROBE,
        out = bench.path().display()
    );
    let mut inside = Command::new("unshare");
    let output = inside.args(["-pf", "--mount-proc", "sh", "-c", &script]).output();
    let Ok(output) = output.map(|it| (it.status.success(), it)) else {
        return skip(Need::Tools, "no unshare");
    };
    let (well, output) = output;
    if !well && said(&output).contains("unshare") {
        return skip(Need::Root, said(&output));
    }
    assert!(well, "{}", said(&output));
    let record = bench.record("offcputime");
    let us: u64 = bench.folded("off-cpu").iter().map(|(_, us)| us).sum();
    // It sleeps all the time but for moments.
    let share = us as f64 / 1e6 / record.duration_s;
    assert!((0.7..1.1).contains(&share), "{share} of the time");
    let asleep = bench.folded("off-cpu");
    let named = asleep.iter().any(|(frames, _)| frames.iter().any(|f| f.contains("sleeps")));
    assert!(named, "its memory was found, too: {asleep:?}");
    let record = bench.record("execsnoop");
    let args = ["true", "one", "two three"].map(str::to_owned).to_vec();
    let row = rows(&record, "ARGS", |cell| *cell == Cell::Words(args.clone()))[0];
    let Cell::Count(pid) = *cell(&record, row, "PID") else { panic!("{row:?}") };
    assert!((1..1000).contains(&pid), "{pid} is no number of a young namespace");
}

#[test]
fn a_proc_of_another_namespace_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let mut inside = Command::new("unshare");
    inside.args(["-pf", PROBE, "offcputime", "--pid", "1", "--duration", "0.1", "--out"]);
    let Ok(output) = inside.arg(bench.path()).output() else {
        return skip(Need::Tools, "no unshare");
    };
    if said(&output).contains("unshare:") {
        return skip(Need::Root, said(&output));
    }
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("of another pid namespace"), "{}", said(&output));
}
