//! Stacks reach their roots, and code without a name has a label.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab_skip::{Need, skip};

use crate::support::{
    Bench, PROBE, Profile, command_of, said, wait_for, wait_until_it_ran, workload,
};

#[test]
fn stacks_of_a_tokio_server_under_load_have_roots() {
    let Some(bench) = Bench::new() else { return };
    let mut probe = bench.probe(999);
    probe
        .arg("--")
        .arg(workload())
        .args(["echo", "3000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut probe = probe.spawn().unwrap();
    let mut port = String::new();
    BufReader::new(probe.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let clients = [(); 4].map(|()| {
        let port = port.trim().parse().unwrap();
        std::thread::spawn(move || load(port, Duration::from_millis(2500)))
    });
    let replies: u64 = clients.map(|client| client.join().unwrap()).iter().sum();
    let output = probe.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));

    let profile = bench.profile();
    println!("{replies} replies; {}", profile.quality);
    assert!(replies > 1_000, "only {replies} replies");
    assert!(profile.figure("samples") > 300.0, "{}", profile.quality);
    assert!(profile.figure("rootless") <= 0.01, "{}", profile.quality);
    let in_kernel = profile.samples_with(|frame| frame.ends_with("_[k]"));
    if profile.quality["user_only"] == true {
        assert_eq!(in_kernel, 0);
    } else {
        // A server of small messages lives in the kernel.
        assert!(in_kernel as f64 >= 0.3 * profile.figure("samples"), "{}", profile.quality);
        let tcp =
            profile.samples_with(|frame| frame.starts_with("tcp_") && frame.ends_with("_[k]"));
        assert!(
            tcp > 0 || profile.notes().contains("kptr_restrict"),
            "no TCP in the kernel's frames"
        );
    }
    // Its two workers have the name that tokio gives them.
    let named = profile.stacks.iter().filter(|(frames, _)| frames[0].starts_with("tokio-r"));
    assert!(named.map(|(_, count)| count).sum::<u64>() as f64 >= 0.9 * profile.figure("samples"));
}

/// Sends and receives until `lifetime` is over; returns the number of replies.
fn load(port: u16, lifetime: Duration) -> u64 {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (begun, mut message, mut replies) = (Instant::now(), [7; 64], 0);
    while begun.elapsed() < lifetime {
        socket.write_all(&message).unwrap();
        socket.read_exact(&mut message).unwrap();
        replies += 1;
    }
    replies
}

#[test]
fn stacks_of_a_program_that_unlinks_itself_are_named() {
    let Some(bench) = Bench::new() else { return };
    let copy = bench.path().join("vanishing");
    fs::copy(workload(), &copy).unwrap();
    let output = bench.probe(499).arg("--").arg(&copy).args(["unlinked", "300"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    assert!(!copy.exists());
    let spinning = profile.samples_with(|frame| frame == "workload::spin");
    assert!(spinning as f64 >= 0.9 * profile.figure("samples"), "{:?}", profile.stacks);
}

#[test]
fn stacks_of_a_replaced_program_are_named_by_the_running_file() {
    let Some(bench) = Bench::new() else { return };
    let copy = bench.path().join("rebuilt");
    fs::copy(workload(), &copy).unwrap();
    let mut probe = bench.probe(499);
    let probe =
        probe.arg("--").arg(&copy).args(["spin", "1000"]).stderr(Stdio::piped()).spawn().unwrap();
    wait_until_it_ran(command_of(probe.id()), "rebuilt", Duration::from_millis(100));
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, "another program").unwrap();
    assert!(probe.wait_with_output().unwrap().status.success());
    let profile = bench.profile();
    let spinning = profile.samples_with(|frame| frame == "workload::spin");
    assert!(spinning as f64 >= 0.9 * profile.figure("samples"), "{:?}", profile.stacks);
}

#[test]
fn stacks_of_a_program_changed_in_place_are_not_named_by_the_new_file() {
    let Some(bench) = Bench::new() else { return };
    // The kernel lets no process write to a running program, as it does to a library. But its
    // permissions can change, and that counts as a change.
    let copy = bench.path().join("changed");
    fs::copy(workload(), &copy).unwrap();
    let mut probe = bench.probe(499);
    let probe = probe.arg("--").arg(&copy).args(["spin", "1000"]).spawn().unwrap();
    wait_until_it_ran(command_of(probe.id()), "changed", Duration::from_millis(100));
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(probe.wait_with_output().unwrap().status.success());
    let profile = bench.profile();
    assert_leaf_share(&profile.stacks, "[changed]");
    assert!(profile.notes().contains("was changed while it ran"), "{}", profile.quality);
}

#[test]
fn stacks_of_a_program_deleted_while_it_runs_are_named() {
    let Some(bench) = Bench::new() else { return };
    let copy = bench.path().join("deleted");
    fs::copy(workload(), &copy).unwrap();
    // It is its own program from the moment on that the shell's is no longer there.
    let script =
        "\"$0\" spin 400 & until [ \"/proc/$!/exe\" -ef \"$0\" ]; do :; done; rm \"$0\"; wait";
    let mut probe = bench.probe(499);
    let output = probe.args(["--", "sh", "-c", script]).arg(&copy).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    let spinning = profile.samples_with(|frame| frame == "workload::spin");
    assert!(spinning as f64 >= 0.9 * profile.figure("samples"), "{:?}", profile.stacks);
}

/// The workspace is built with frame pointers.
#[test]
fn stacks_above_a_large_frame_are_found_by_frame_pointers() {
    let Some(bench) = Bench::new() else { return };
    let profile = bench.sample(499, ["large-frame", "300"]);
    let whole = profile.stacks.iter().filter(|(frames, _)| {
        let at = |name: &str| frames.iter().position(|frame| frame == name);
        at("workload::main")
            .is_some_and(|main| at("workload::large_frame").is_some_and(|large| main < large))
    });
    let whole: u64 = whole.map(|(_, count)| count).sum();
    assert!(whole as f64 >= 0.9 * profile.figure("samples"), "{:?}", profile.stacks);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn stacks_of_generated_code_have_the_names_of_its_perf_map() {
    let Some(bench) = Bench::new() else { return };
    let script = "echo $$; exec \"$0\" named 300";
    let mut probe = bench.probe(499);
    let output = probe.args(["--", "sh", "-c", script]).arg(workload()).output().unwrap();
    let pid = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let _ = fs::remove_file(format!("/tmp/perf-{pid}.map"));
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    assert_leaf_share(&profile.stacks, "Compiled:*loop /srv/j.js:1");
    assert!(
        profile.notes().contains("all of it has names from /tmp/perf-PID.map"),
        "{}",
        profile.quality
    );
}

#[test]
fn stacks_of_a_process_with_other_mounts_are_named_by_the_files_it_sees() {
    let Some(bench) = Bench::new() else { return };
    let hidden = bench.path().join("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::create_dir(bench.path().join("seen")).unwrap();
    fs::copy(workload(), hidden.join("contained")).unwrap();
    // The program is at seen/contained in its own mount namespace only.
    let script = "mount --bind hidden seen && echo mounted && exec seen/contained spin 1500";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", script]).current_dir(bench.path());
    let running = unshare.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut running) = running else {
        return skip(Need::Tools, "no unshare(1) here");
    };
    let mut said_first = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut said_first).unwrap();
    if said_first != "mounted\n" {
        running.wait().unwrap();
        return skip(Need::Root, "mounting needs root");
    }
    wait_for(|| {
        fs::read_to_string(format!("/proc/{}/comm", running.id()))
            .unwrap()
            .starts_with("contained")
            .then_some(())
    });
    let output = bench.probe(499).args(["--pid", &running.id().to_string()]).output().unwrap();
    assert!(running.wait().unwrap().success());
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    let spinning = profile.samples_with(|frame| frame == "workload::spin");
    assert!(spinning as f64 >= 0.9 * profile.figure("samples"), "{:?}", profile.stacks);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn stacks_of_generated_code_are_labelled_and_continue_below_it() {
    let Some(bench) = Bench::new() else { return };
    let profile = bench.sample(499, ["generated", "300"]);
    assert_leaf_share(&profile.stacks, "[anon]");
    assert!(profile.notes().contains("frames of it without a name"), "{}", profile.quality);
    // By frame pointer, as generated code has no tables.
    let callers = profile.samples_with(|frame| frame == "workload::generated");
    assert!(callers as f64 >= 0.9 * profile.figure("samples"), "{:?}", profile.stacks);
}

/// At least 90 % of the samples have this leaf, kernel frames aside.
fn assert_leaf_share(stacks: &[(Vec<String>, u64)], leaf: &str) {
    let total: u64 = stacks.iter().map(|(_, count)| count).sum();
    let is_leaf = |frames: &[String]| {
        frames.iter().rev().find(|frame| !frame.ends_with("_[k]")).is_some_and(|f| f == leaf)
    };
    let found: u64 =
        stacks.iter().filter(|(frames, _)| is_leaf(frames)).map(|(_, count)| count).sum();
    assert!(total >= 100, "only {total} samples");
    assert!(
        found as f64 >= 0.9 * total as f64,
        "{found} of {total} samples end in {leaf}: {stacks:?}"
    );
}

#[test]
fn stacks_deeper_than_the_copy_are_counted_as_rootless() {
    let Some(bench) = Bench::new() else { return };
    let shallow = bench.sample(499, ["deep", "20", "300"]);
    assert!(shallow.figure("rootless") <= 0.05, "{}", shallow.quality);
    let deep = bench.sample(499, ["deep", "1000", "300"]);
    assert!(deep.figure("rootless") >= 0.9, "{}", deep.quality);
    let cut = deep.stacks.iter().filter(|(frames, _)| frames[1] == "[truncated]");
    let cut: u64 = cut.map(|(_, count)| count).sum();
    assert!(cut as f64 >= 0.9 * deep.figure("samples"), "{:?}", deep.stacks);
    assert!(deep.notes().contains("larger than the 32 KiB"), "{}", deep.quality);
    // What was copied is there all the same.
    assert!(
        deep.samples_with(|frame| frame == "workload::spin") as f64 >= 0.9 * deep.figure("samples")
    );
}

#[test]
fn stacks_of_a_command_run_by_a_shell_belong_to_the_command() {
    let Some(bench) = Bench::new() else { return };
    let script = format!("'{0}' spin 300; exec '{0}' spin 300", workload().display());
    let output = bench.probe(499).args(["--", "sh", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    let spinning = profile.samples_with(|frame| frame == "workload::spin");
    assert!(
        spinning >= 285 && spinning as f64 >= 0.9 * profile.figure("samples"),
        "{:?}",
        profile.stacks
    );
    let by_name = profile
        .stacks
        .iter()
        .filter(|(frames, _)| frames[0] == "workload")
        .map(|(_, count)| count)
        .sum::<u64>();
    assert!(by_name >= spinning, "{:?}", profile.stacks);
}

#[test]
fn stacks_without_rights_are_user_only_and_a_note_says_so() {
    let Some(bench) = Bench::new() else { return };
    let Some(profile) = sample_without_rights(&bench, &["shares", "2", "500"]) else {
        return;
    };
    if profile.quality["user_only"] == true {
        assert_eq!(profile.samples_with(|frame| frame.ends_with("_[k]")), 0);
        assert!(profile.notes().contains("user space only"), "{}", profile.quality);
    }
    let working = profile.samples_with(|frame| frame == "workload::unit");
    // Of one CPU-second, less what it spent in the kernel.
    assert!(
        working >= 500 && working as f64 >= 0.9 * profile.figure("samples"),
        "{}",
        profile.quality
    );
    assert!(profile.figure("rootless") <= 0.01, "{}", profile.quality);
}

#[test]
fn samples_without_rights_are_counted_by_user_time() {
    let Some(bench) = Bench::new() else { return };
    let Some(profile) = sample_without_rights(&bench, &["calls", "3000"]) else {
        return;
    };
    // A kernel that accounts by ticks splits user and system time no more exactly than that.
    let share = profile.figure("achieved_hz") / 999.0;
    assert!((0.8..1.2).contains(&share), "{}", profile.quality);
    if profile.quality["user_only"] == true {
        assert!(
            profile.figure("cpu_seconds") < 2.4,
            "most of it is in the kernel: {}",
            profile.quality
        );
    }
}

/// The kernel takes the events from a program that gains rights when it starts.
#[test]
fn samples_of_a_setuid_program_are_missing_and_a_note_says_so() {
    let Some(bench) = Bench::new() else { return };
    if !rustix::process::geteuid().is_root() {
        return skip(Need::Root, "no setuid program can be made");
    }
    let Some(profile) = sample_as_nobody(&bench, 0o4755, &["spin", "300"]) else { return };
    let notes = profile.notes();
    assert!(profile.figure("samples") < 30.0, "{}", profile.quality);
    for words in ["s of CPU time were out of sight: ", "/workload gains rights", "setuid"] {
        assert!(notes.contains(words), "`{words}` in {notes}");
    }
}

/// Samples the workload as the user `nobody`. `None`, with the reason, if that user may not.
fn sample_without_rights(bench: &Bench, args: &[&str]) -> Option<Profile> {
    sample_as_nobody(bench, 0o755, args)
}

/// As above, with the workload in a file of this mode.
fn sample_as_nobody(bench: &Bench, mode: u32, args: &[&str]) -> Option<Profile> {
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap();
    let level: i32 = paranoid.trim().parse().unwrap();
    for path in [PROBE.as_ref(), workload().as_path()] {
        fs::copy(path, bench.path().join(path.file_name().unwrap())).unwrap();
    }
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(bench.path(), 0o777);
    set_mode(&bench.path().join("workload"), mode);
    let mut probe = Command::new(bench.path().join("lab-probe"));
    if rustix::process::geteuid().is_root() {
        probe.uid(65_534).gid(65_534);
    }
    probe.args(["cpu", "--hz", "999", "--out"]).arg(bench.path().join("cpu.folded")).arg("--");
    let output = probe.arg(bench.path().join("workload")).args(args).output().unwrap();
    if level > 2 {
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        skip(Need::Perf, format!("kernel.perf_event_paranoid is {level}"));
        return None;
    }
    assert!(output.status.success(), "{}", said(&output));
    let profile = bench.profile();
    assert_eq!(profile.quality["user_only"], level == 2, "{}", profile.quality);
    Some(profile)
}
