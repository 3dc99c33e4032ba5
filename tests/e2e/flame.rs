//! `cargo xtask flame`: runs, files and pairs of them, as charts and as other formats.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use lab_skip::{Need, skip};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use crate::workshop::{Said, Workshop, xtask};

/// A run whose trials of two variants have a profile each, and one of them an empty one.
fn profiled_run() -> (Workshop, PathBuf) {
    let workshop = Workshop::new();
    let said = workshop.lab(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    let run = workshop.latest();
    let quality = |samples: u64, achieved_hz: &str| {
        format!(
            r#"{{"schema": "perf-lab.profile/1", "kind": "cpu", "backend": "perf-event",
            "requested_hz": 99, "achieved_hz": {achieved_hz}, "samples": {samples}, "lost": 0,
            "rootless": 0.0, "kernel": 0.0, "notes": ["told by the quality file"]}}"#
        )
    };
    for (trial, folded, quality) in [
        ("001-both", "main;parse 60\nmain;serve;write 140\n", quality(200, "98.5")),
        ("002-live-only", "main;wait 150\n", quality(150, "99.0")),
        ("003-profiled", "", quality(0, "null")),
    ] {
        let trial = run.join("trials").join(trial);
        fs::write(trial.join("cpu.folded"), folded).unwrap();
        fs::write(trial.join("cpu.json"), quality).unwrap();
    }
    (workshop, run)
}

fn assert_usage(said: &Said, words: &str) {
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains(words), "`{words}` in {said:?}");
    assert_eq!(said.stdout, "", "nothing was written");
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
fn a_run_is_drawn_by_variant_and_found_by_lab_link_or_path() {
    let (workshop, run) = profiled_run();
    let path = run.display().to_string();
    for name in ["fake-lab", "target/perf-lab/fake-lab/latest", &path] {
        let said = workshop.xtask(&["flame", name]);
        assert_eq!(said.code, 0, "{said:?}");
        let drawn: Vec<&str> = said.stdout.lines().collect();
        assert_eq!(drawn.len(), 2, "the empty profile has no graph: {said:?}");
        for (svg, words) in [
            (
                drawn[0],
                ["200 samples at 98.5 Hz of 99 Hz, perf-event", "parse (60 samples, 30.00%)"],
            ),
            (drawn[1], ["fake-lab / live-only, CPU", "wait (150 samples, 100.00%)"]),
        ] {
            let svg = text(workshop.path().join(svg));
            assert!(words.iter().all(|words| svg.contains(words)), "{words:?}");
        }
        assert!(said.stderr.contains("told by the quality file"), "{said:?}");
        fs::remove_dir_all(run.join("flame")).unwrap();
    }
    let one = workshop.xtask(&["flame", "fake-lab", "--variant", "live-only", "--inverted"]);
    assert_eq!(one.code, 0, "{one:?}");
    assert_eq!(fs::read_dir(run.join("flame")).unwrap().count(), 1, "{one:?}");
}

#[test]
fn a_missing_variant_or_kind_is_refused_with_those_the_run_has() {
    let (workshop, _) = profiled_run();
    let flame = |args: &[&str]| workshop.xtask(&[&["flame", "fake-lab"], args].concat());
    assert_usage(&flame(&["--variant", "live-onyl"]), "did you mean `live-only`?");
    assert_usage(&flame(&["--kind", "moon"]), "[possible values: cpu, off-cpu, memory, faults]");
    for args in [&["--kind", "off-cpu"][..], &["--variant", "profiled"]] {
        let said = flame(args);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stderr.contains("with samples"), "{said:?}");
    }
    assert_usage(&workshop.xtask(&["flame", "nowhere"]), "nowhere: no such file, run or lab");
    assert_usage(&workshop.xtask(&["flame"]), "RUN|FOLDED");
}

#[test]
fn a_run_is_exported_to_other_tools() {
    let (workshop, run) = profiled_run();
    for format in ["folded", "speedscope", "pprof"] {
        let said = workshop.xtask(&["flame", "fake-lab", "--variant", "both", "--export", format]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let flame = run.join("flame");
    assert_eq!(text(flame.join("both-cpu.folded")), "main;parse 60\nmain;serve;write 140\n");
    let speedscope: Value =
        serde_json::from_str(&text(flame.join("both-cpu.speedscope.json"))).unwrap();
    assert_eq!(speedscope["profiles"][0]["endValue"], 200);
    let pprof = fs::read(flame.join("both-cpu.pb.gz")).unwrap();
    assert_eq!(pprof[..2], [0x1f, 0x8b], "gzip");
    let reversed = ["flame", "fake-lab", "--variant", "both", "--reverse", "--export", "folded"];
    assert_eq!(workshop.xtask(&reversed).code, 0);
    assert_eq!(text(flame.join("both-cpu.folded")), "parse;main 60\nwrite;serve;main 140\n");
}

#[test]
fn addresses_are_stripped_on_request() {
    let workshop = Workshop::new();
    workshop.write("jit.folded", "main;0x7f01 60\nmain;0x7fA9;x 40\n");
    let said = workshop.xtask(&["flame", "jit.folded", "--strip-hex", "--out", "jit.svg"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(text(workshop.path().join("jit.svg")).contains("0x... (100 samples, 100.00%)"));
}

#[test]
fn a_differential_writes_graphs_and_figures() {
    let (workshop, run) = profiled_run();
    workshop.write("new.folded", "main;parse 160\nmain;serve;write 140\n");
    let diff = ["flame", "--diff", "fake-lab", "new.folded", "--variant", "both"];
    assert_usage(&workshop.xtask(&diff), "new.folded is a file");
    let base = run.join("trials/001-both/cpu.folded").display().to_string();
    let diff = ["flame", "--diff", &base, "new.folded", "--normalise", "nothing", "--out", "d"];
    let said = workshop.xtask(&diff);
    assert_eq!(said.code, 0, "{said:?}");
    let row = said.stdout.lines().find(|line| line.starts_with("parse")).unwrap();
    assert_eq!(
        row.split_whitespace().take(4).collect::<Vec<_>>(),
        ["parse", "60.00", "160.0", "+167%"]
    );
    let d = workshop.path().join("d");
    let json: Value = serde_json::from_str(&text(d.join("diff.json"))).unwrap();
    assert_eq!(json["schema"], "perf-lab.flamediff/1");
    for file in ["before.svg", "after.svg", "elided.svg"] {
        assert!(text(d.join(file)).contains("data-root=\"bottom\""), "{file}");
    }
    let hanging = [&diff[..], &["--inverted"]].concat();
    assert_eq!(workshop.xtask(&hanging).code, 0);
    assert!(text(d.join("diff.html")).contains("data-root=\"top\""));
}

#[test]
fn differential_files_are_written_and_read() {
    let workshop = Workshop::new();
    workshop.write("a.folded", "main;0x1f 30\nmain;gone 10\n");
    workshop.write("b.folded", "main;0x2f 60\nmain;new 20\n");
    let export = ["flame", "--diff", "a.folded", "b.folded", "--export", "folded"];
    let columns = |more: &[&str]| {
        let said = workshop.xtask(&[&export, more, &["--out", "d.folded"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        text(workshop.path().join("d.folded"))
    };
    assert_eq!(columns(&[]), "main;0x1f 30 0\nmain;0x2f 0 60\nmain;gone 10 0\nmain;new 0 20\n");
    let stripped = columns(&["--strip-hex", "--normalise", "samples"]);
    assert_eq!(stripped, "main;0x... 60 60\nmain;gone 20 0\nmain;new 0 20\n");

    let said = workshop.xtask(&["flame", "--diff", "d.folded", "--out", "d"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("+ new") && said.stdout.contains("\u{2212} gone"), "{said:?}");
    let json: Value = serde_json::from_str(&text(workshop.path().join("d/diff.json"))).unwrap();
    assert_eq!((&json["before"], &json["counts"][0]), (&"d.folded, before".into(), &80.into()));
    let one_count = workshop.xtask(&["flame", "--diff", "a.folded"]);
    assert_eq!(one_count.code, 1, "{one_count:?}");
    assert!(one_count.stderr.contains("a.folded:1: one count, two are needed"), "{one_count:?}");
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    let workshop = Workshop::new();
    workshop.write("a.folded", "main;a 30\n");
    let diff = ["flame", "--diff", "a.folded", "a.folded"];
    for flags in [
        &["--chart"][..],
        &["--palette", "hot"],
        &["--min-width", "1"],
        &["--title", "t"],
        &["--subtitle", "s"],
        &["--export", "pprof"],
        &["--export", "folded", "--inverted"],
        &["--export", "folded", "--top", "3"],
        &["--export", "folded", "--normalise", "requests"],
        &["--diff", "a.folded"],
    ] {
        assert_usage(&workshop.xtask(&[&diff[..], flags].concat()), "");
    }
    for flags in [
        &["--normalise", "samples"][..],
        &["--top", "3"],
        &["--export", "folded", "--palette", "hot"],
        &["--export", "folded", "--inverted"],
        &["--inverted", "--reverse"],
    ] {
        assert_usage(&workshop.xtask(&[&["flame", "a.folded"], flags].concat()), "");
    }
}

#[test]
fn a_hostile_file_gets_one_plain_error() {
    let workshop = Workshop::new();
    let long = format!("main;{} 5\n", "x".repeat(10 << 20));
    for (bytes, words) in [
        (&b"main;a\n"[..], "in.folded:1: expected"),
        (b"main;a -3\n", "in.folded:1: expected a number"),
        (b"main;a 99999999999999999999999\n", "too large"),
        (b"main;a 9007199254740993\n", "2^53"),
        (b"", "no samples"),
        (b"main;a 0\n", "no samples"),
        (b"\x7fELF\0\0\x01 2\n", "is a program (ELF)"),
    ] {
        fs::write(workshop.path().join("in.folded"), bytes).unwrap();
        for command in [&["flame", "in.folded"][..], &["flame", "--diff", "in.folded", "in.folded"]]
        {
            let said = workshop.xtask(command);
            assert_eq!(said.code, 1, "{said:?}");
            assert!(said.stderr.starts_with("error: ") && said.stderr.contains(words), "{said:?}");
            assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        }
    }
    for bytes in [
        &b"main;\x1b[31mred\x07 5\n"[..],
        b"main;<script>alert(1)</script>;\"&' 5\n",
        b"main;\xff\xfe 5\n",
        long.as_bytes(),
    ] {
        fs::write(workshop.path().join("in.folded"), bytes).unwrap();
        let said = workshop.xtask(&["flame", "in.folded", "--out", "out.svg"]);
        assert_eq!(said.code, 0, "{said:?}");
        let svg = text(workshop.path().join("out.svg"));
        assert!(!svg.contains("<script>alert") && !svg.contains('\x1b'), "{said:?}");
    }
}

#[test]
fn stacks_come_and_graphs_go_through_pipes() {
    let workshop = Workshop::new();
    let stacks = "main;parse 60\nmain;serve;write 140\n";
    workshop.write("in.folded", stacks);
    // Named as one that comes through a pipe, its graph has the same title.
    let said = workshop.xtask(&["flame", "in.folded", "--out", "file.svg"]);
    assert_eq!(said.code, 0, "{said:?}");
    let drawn = text(workshop.path().join("file.svg"));

    let mut flame = workshop.command(&["flame", "-"]);
    let mut flame = flame.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    flame.stdin.take().unwrap().write_all(stacks.as_bytes()).unwrap();
    let output = flame.wait_with_output().unwrap();
    assert!(output.status.success() && String::from_utf8(output.stdout).unwrap() == drawn);

    let pipe = workshop.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let writer = thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, stacks).unwrap()
    });
    let said = workshop.xtask(&["flame", "pipe", "--out", "-"]);
    writer.join().unwrap();
    assert_eq!((said.code, said.stdout == drawn), (0, true), "{}", said.stderr);
    // A reader that has seen enough is no error.
    let mut flame = workshop.command(&["flame", "in.folded", "--out", "-"]);
    let mut flame = flame.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(flame.stdout.take());
    let output = flame.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    // The pipe has no reader, and the command does not wait for one.
    let said = workshop.xtask(&["flame", "in.folded", "--out", "pipe"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("a pipe without a reader"), "{said:?}");
}

#[test]
fn a_full_disk_leaves_the_old_graph_whole() {
    let workshop = Workshop::new();
    let stacks: String = (0..2_000).map(|n| format!("main;function_{n} {}\n", n + 1)).collect();
    workshop.write("in.folded", &stacks);
    fs::create_dir(workshop.path().join("disk")).unwrap();
    let script = "mount -t tmpfs -o size=64k none disk || exit 99; echo old >disk/x.svg; \"$0\" \
                  flame in.folded --out disk/x.svg; echo code $?; ls -A disk; cat disk/x.svg";
    let mut full = Command::new("unshare");
    full.args(["--mount", "sh", "-c", script]).arg(xtask()).current_dir(workshop.path());
    let Ok(output) = full.output() else { return skip(Need::Tools, "no unshare") };
    let stderr = String::from_utf8(output.stderr).unwrap();
    if output.status.code() == Some(99) || stderr.starts_with("unshare:") {
        return skip(Need::Root, stderr);
    }
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, "code 1\nx.svg\nold\n", "{stderr}");
    assert!(stderr.contains("disk/x.svg: No space left on device"), "{stderr}");
}
