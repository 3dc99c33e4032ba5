//! `cargo xtask record`: any program, its streams and its exit status, and a profile beside it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use lab_record::{Backend, ProfileQuality, Run, State, Summary, read_json};
use lab_skip::{Need, skip};

use crate::refusal::forbid;
use crate::workshop::{FAKE_LAB, Said, Workshop, exit_of};

/// Busy for long enough to be seen, in a shell's own words.
const BUSY: &str = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done;";

/// A place for profiles. None, and a line that says so, where the kernel refuses perf events.
fn place() -> Option<Workshop> {
    let workshop = Workshop::new();
    let said = said(record(&workshop, "tried", &["true"]));
    let refused = said.stderr.contains("perf events are refused");
    if refused {
        skip(Need::Perf, "the kernel refuses perf events here");
    }
    (!refused).then_some(workshop)
}

/// The runner in this checkout, which has the probe; the profile goes to the workshop.
fn record(workshop: &Workshop, out: &str, command: &[&str]) -> Command {
    let out = workshop.path().join(out).display().to_string();
    let args = [&["record", "--hz", "999", "--out", &out, "--"], command].concat();
    let mut record = workshop.command(&args);
    record.current_dir(env!("CARGO_MANIFEST_DIR"));
    record
}

fn said(mut command: Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_command_keeps_its_streams_and_its_status_and_leaves_a_profile() {
    let Some(workshop) = place() else { return };
    let script = format!("{BUSY} cat; echo complaint >&2; exit 7");
    let mut record = record(&workshop, "own", &["sh", "-c", &script]);
    let record = record.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = record.spawn().unwrap();
    running.stdin.take().unwrap().write_all(b"handed in").unwrap();
    let output = running.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    assert_eq!(output.stdout, b"handed in", "our own words stay out of the pipe");
    for words in ["complaint\n", " samples by ", " in the kernel, ", " without a root", "cpu.svg"] {
        assert!(stderr.contains(words), "`{words}` in {stderr}");
    }
    let own = |name: &str| workshop.path().join("own").join(name);
    let quality: ProfileQuality = read_json(&own("cpu.json")).unwrap();
    assert!(quality.samples >= 10 && quality.requested_hz == Some(999.0), "{quality:?}");
    assert!(fs::read_to_string(own("cpu.folded")).unwrap().contains("sh;"));
    assert!(fs::read_to_string(own("cpu.svg")).unwrap().contains("sh -c i=0;"));
}

/// Where this user may see threads leave their CPU; else a line that says so.
fn may_see_waits(said: &Said) -> bool {
    let refused = said.stderr.contains("perf events of the kernel are refused");
    if refused {
        skip(Need::Perf, "this user may not see the kernel's side of perf events");
    }
    !refused
}

#[test]
fn waits_are_recorded_in_microseconds_and_drawn_in_blue() {
    let Some(workshop) = place() else { return };
    let out = workshop.path().join("waits");
    let place = out.display().to_string();
    let args = ["record", "--profile", "off-cpu", "--out", &place, "--", "sleep", "0.2"];
    let mut record = workshop.command(&args);
    record.current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = said(record);
    if !may_see_waits(&said) {
        return;
    }
    assert_eq!(said.code, 0, "{said:?}");
    for words in [" s blocked, ", " s preempted, ", " without a root", "off-cpu.svg"] {
        assert!(said.stderr.contains(words), "`{words}` in {said:?}");
    }
    let quality: ProfileQuality = read_json(&out.join("off-cpu.json")).unwrap();
    assert_eq!((quality.kind.as_str(), quality.requested_hz), ("off-cpu", None));
    let folded = fs::read_to_string(out.join("off-cpu.folded")).unwrap();
    let us = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    let all: u64 = folded.lines().map(us).sum();
    let asleep: u64 = folded.lines().filter(|line| line.contains("nanosleep")).map(us).sum();
    assert!(asleep >= 195_000, "{folded}");
    // During execve it may wait for its own pages, and has no stack yet.
    let rootless_us = quality.rootless.unwrap() * all as f64;
    assert!(rootless_us <= (all - asleep) as f64 + 1.0, "{quality:?}\n{folded}");
    let svg = fs::read_to_string(out.join("off-cpu.svg")).unwrap();
    assert!(svg.contains("sleep 0.2, off-CPU") && svg.contains(" waits of "), "{said:?}");
}

#[test]
fn a_process_that_runs_already_is_recorded_for_as_long_as_was_asked_and_runs_on() {
    let Some(workshop) = place() else { return };
    let mut running = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let (pid, out) = (running.id().to_string(), workshop.path().join("attached"));
    let place = out.display().to_string();
    let span = ["--duration", "300ms", "--hz", "999", "--out", &place];
    let mut record = workshop.command(&[&["record", "--pid", &pid][..], &span].concat());
    record.current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = said(record);
    let still_runs = running.try_wait().unwrap().is_none();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(still_runs, "{said:?}");
    let quality: ProfileQuality = read_json(&out.join("cpu.json")).unwrap();
    assert!((10..600).contains(&quality.samples), "{quality:?}");
    let svg = fs::read_to_string(out.join("cpu.svg")).unwrap();
    assert!(svg.contains(&format!("process {pid}, CPU")), "{said:?}");
    assert!(fs::read_to_string(out.join("cpu.folded")).unwrap().starts_with("sh;"));
}

#[test]
fn page_faults_are_recorded_of_a_command_and_of_a_lab() {
    let Some(workshop) = place() else { return };
    let here = |args: &[&str]| {
        let mut command = workshop.command(args);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        said(command)
    };
    let out = workshop.path().join("own");
    let place = out.display().to_string();
    let own = here(&["record", "--profile", "faults", "--out", &place, "--", "sh", "-c", ":"]);
    assert_eq!(own.code, 0, "{own:?}");
    assert!(
        own.stderr.contains(" page faults in ") && own.stderr.contains("faults.svg"),
        "{own:?}"
    );
    assert!(fs::read_to_string(out.join("faults.folded")).unwrap().contains("sh;"));
    let svg = fs::read_to_string(out.join("faults.svg")).unwrap();
    assert!(svg.contains("sh -c :, page faults"), "{own:?}");

    let run = workshop.path().join("run");
    let place = run.display().to_string();
    let lab = ["lab", "fake-lab", "--binary", FAKE_LAB, "--quick", "--variant", "profiled"];
    let of_lab = here(&[&lab[..], &["--profile", "faults", "--out", &place]].concat());
    assert_eq!(of_lab.code, 0, "{of_lab:?}");
    let summary: Summary = read_json(&run.join("summary.json")).unwrap();
    let [profile] = &summary.profiles[..] else { panic!("{:?}", summary.profiles) };
    assert_eq!((profile.kind.as_str(), profile.backend.as_str()), ("faults", "perf-event"));
    assert!(!fs::read_to_string(run.join(&profile.folded)).unwrap().is_empty());
    assert!(fs::read_to_string(run.join("flame/profiled-faults.svg")).unwrap().contains("faults"));
}

#[test]
fn an_off_cpu_profile_of_a_lab_is_listed_or_left_out_with_a_note() {
    let workshop = Workshop::new();
    let lab = |out: &str, more: &[&str]| {
        let out = workshop.path().join(out).display().to_string();
        let args = ["lab", "fake-lab", "--binary", FAKE_LAB, "--quick", "--variant", "profiled"];
        let waits = ["--profile", "off-cpu", "--duration", "200ms", "--out", &out];
        let mut lab = workshop.command(&[&args[..], &waits, more].concat());
        lab.current_dir(env!("CARGO_MANIFEST_DIR"));
        lab
    };
    let by_pprof = said(lab("pprof", &["--profiler", "pprof"]));
    assert_eq!(by_pprof.code, 0, "{by_pprof:?}");
    assert!(by_pprof.stderr.contains("no profiles of off-cpu: pprof"), "{by_pprof:?}");
    let summary: Summary = read_json(&workshop.path().join("pprof/summary.json")).unwrap();
    assert!(summary.profiles.is_empty(), "{:?}", summary.profiles);

    let auto = said(lab("auto", &[]));
    assert_eq!(auto.code, 0, "{auto:?}");
    if auto.stderr.contains("no profiles of off-cpu, since") {
        return skip(Need::Perf, "this user may not see the kernel's side of perf events");
    }
    let run = workshop.path().join("auto");
    let summary: Summary = read_json(&run.join("summary.json")).unwrap();
    let [profile] = &summary.profiles[..] else { panic!("{:?}", summary.profiles) };
    assert_eq!((profile.kind.as_str(), profile.requested_hz), ("off-cpu", None));
    assert_eq!(profile.backend, "perf-event");
    let folded = fs::read_to_string(run.join(&profile.folded)).unwrap();
    assert!(profile.folded.ends_with("/off-cpu.folded") && !folded.is_empty());
    let svg = profile.svg.as_ref().unwrap();
    assert_eq!(svg, "flame/profiled-off-cpu.svg");
    assert!(fs::read_to_string(run.join(svg)).unwrap().contains(" waits of "));
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("profiled, off-cpu: ") && page.contains(" preempted left out"));
}

#[test]
fn a_signal_is_reported_and_passed_on_with_the_profile_so_far() {
    let Some(workshop) = place() else { return };
    let script = format!("{BUSY} kill -9 $$");
    let said = said(record(&workshop, "killed", &["sh", "-c", &script]));
    assert_eq!(said.code, 137, "{said:?}");
    assert!(said.stderr.contains("ended by signal 9"), "{said:?}");
    assert!(workshop.path().join("killed/cpu.svg").is_file(), "{said:?}");
}

#[test]
fn a_command_without_a_sample_gets_no_flame_graph() {
    let Some(workshop) = place() else { return };
    let said = said(record(&workshop, "idle", &["/nowhere/program"]));
    assert_eq!(said.code, 127, "{said:?}");
    assert!(said.stderr.contains("/nowhere/program"), "{said:?}");
    assert!(!said.stderr.contains("panicked"), "{said:?}");
    assert!(!workshop.path().join("idle/cpu.svg").exists());
}

#[test]
fn wrong_arguments_run_nothing() {
    let workshop = Workshop::new();
    workshop.write("full/file", "");
    for (args, words) in [
        (&["record"][..], "CMD"),
        (&["record", "--hz", "0", "--", "true"], "--hz"),
        (&["record", "--hz", "10001", "--", "true"], "--hz"),
        (&["record", "--event", "moon", "--", "true"], "cpu-clock"),
        (&["record", "--profile", "alloc", "--", "true"], "off-cpu"),
        (
            &["record", "--profile", "off-cpu", "--hz", "99", "--", "true"],
            "--hz and --event are of CPU",
        ),
        (&["record", "--out", "full", "--", "true"], "not empty"),
    ] {
        let said = workshop.xtask(args);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(words), "`{words}` in {said:?}");
    }
}

#[test]
fn where_the_kernel_refuses_nothing_runs_and_the_fix_is_printed() {
    let workshop = Workshop::new();
    let ran = workshop.path().join("ran");
    let mut record = record(&workshop, "refused", &["touch", &ran.display().to_string()]);
    forbid(&mut record, libc::SYS_perf_event_open);
    let said = said(record);
    assert_eq!(said.code, 1, "{said:?}");
    for words in [
        "perf events are refused: ",
        "blocks perf_event_open",
        "\nto fix it: ",
        "error: nothing was run",
    ] {
        assert!(said.stderr.contains(words), "`{words}` in {said:?}");
    }
    assert!(!ran.exists(), "a command that was not recorded must not have run");
}

#[test]
fn where_the_kernel_refuses_a_lab_is_profiled_by_pprof_with_a_note() {
    let workshop = Workshop::new();
    let out = workshop.path().join("run").display().to_string();
    let args = ["lab", "fake-lab", "--binary", FAKE_LAB, "--quick", "--out", &out];
    let lab = |more: &[&str]| {
        let mut lab = workshop.command(&[&args[..], more].concat());
        lab.current_dir(env!("CARGO_MANIFEST_DIR"));
        forbid(&mut lab, libc::SYS_perf_event_open);
        said(lab)
    };
    let wanted = lab(&["--profiler", "perf-event"]);
    assert_eq!(wanted.code, 1, "{wanted:?}");
    assert!(wanted.stderr.contains("blocks perf_event_open"), "{wanted:?}");
    let fallen_back = lab(&["--variant", "profiled"]);
    assert_eq!(fallen_back.code, 0, "{fallen_back:?}");
    for words in ["profiles are taken by pprof", "blocks perf_event_open", "to fix it: "] {
        assert!(fallen_back.stderr.contains(words), "`{words}` in {fallen_back:?}");
    }
    let run = Run::load(Path::new(&out)).unwrap();
    let backends = run.plan.trials.iter().filter_map(|trial| trial.profile.as_ref());
    assert_eq!(backends.map(|profile| profile.backend).collect::<Vec<_>>(), [Backend::Pprof]);
}

#[test]
fn a_lab_killed_while_profiled_is_reported_as_killed() {
    let Some(workshop) = place() else { return };
    let out = workshop.path().join("run");
    let place = out.display().to_string();
    let args = ["lab", "fake-lab", "--binary", FAKE_LAB, "--quick", "--variant", "profiled"];
    let kill = ["--profiler", "perf-event", "--set", "behaviour=kill"];
    let whom = ["--set", "who=002-profiled-profiled", "--out", &place];
    let mut lab = workshop.command(&[&args[..], &kill, &whom].concat());
    lab.current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = said(lab);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("was ended by signal 9"), "{said:?}");
    let exit = exit_of(&out, "002-profiled-profiled");
    assert_eq!((exit.state, exit.code, exit.signal), (State::Killed, None, Some(9)));
    assert_eq!(exit_of(&out, "001-profiled").state, State::Finished);
}

#[test]
fn a_missing_cycle_counter_is_reported() {
    let Some(workshop) = place() else { return };
    let out = workshop.path().join("cycles").display().to_string();
    let mut record =
        workshop.command(&["record", "--event", "cycles", "--out", &out, "--", "true"]);
    record.current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = said(record);
    if said.code == 0 {
        return skip(Need::Absence, "this machine has a cycle counter");
    }
    assert_eq!(said.code, 1, "{said:?}");
    for words in ["no cycle counter", "to fix it: --event cpu-clock", "error: nothing was run"] {
        assert!(said.stderr.contains(words), "`{words}` in {said:?}");
    }
}

#[test]
fn a_refusal_is_reported_with_the_line_that_fixes_it() {
    let workshop = Workshop::new();
    workshop.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"probe\"]\n");
    workshop.write(
        "probe/Cargo.toml",
        "[package]\nname = \"lab-probe\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    workshop.write(
        "probe/src/main.rs",
        "fn main() { eprintln!(\"perf events are refused\\nto fix it: sysctl\"); \
         std::process::exit(3) }\n",
    );
    let refused = workshop.xtask(&["record", "--", "touch", "ran"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for words in ["perf events are refused\nto fix it: sysctl\n", "error: nothing was run"] {
        assert!(refused.stderr.contains(words), "`{words}` in {refused:?}");
    }
    assert!(!workshop.path().join("ran").exists());
}
