//! The other verbs, and the path through cargo.

use std::process::Command;

use crate::workshop::Workshop;

#[test]
fn a_lab_is_found_built_described_and_run() {
    let workshop = Workshop::with_a_lab();
    let before = workshop.xtask(&["list"]);
    assert_eq!(before.code, 0, "{before:?}");
    assert!(before.stdout.contains("fake-lab: A lab for tests"), "{before:?}");
    assert!(before.stdout.contains("not built yet"), "{before:?}");

    let said = workshop.xtask(&["lab", "fake-lab", "--quick", "--profile", "none"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("building fake-lab"), "{said:?}");
    assert!(workshop.path().join("target/release/fake-lab").is_file(), "labs are release builds");

    let after = workshop.xtask(&["list", "fake-lab"]);
    for expected in ["What does the runner make", "both     both", "is live-only", "Nobody: None"] {
        let unpadded = after.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unpadded.contains(&expected), "{expected} in {after:?}");
    }
}

#[test]
fn a_lab_that_was_never_built_is_listed_by_what_its_folder_says_of_it() {
    let workshop = Workshop::with_a_lab();
    let described = Command::new(crate::workshop::FAKE_LAB).arg("describe").output().unwrap();
    let described = String::from_utf8(described.stdout).unwrap();
    workshop.write("labs/fake-lab/describe.json", &described);
    let list = workshop.xtask(&["list"]);
    for expected in ["What does the runner make", "live-only", "FAKE-1"] {
        assert!(list.stdout.contains(expected), "{expected} in {list:?}");
    }
    let one = workshop.xtask(&["list", "fake-lab"]);
    assert!(one.stdout.contains("A response takes a millisecond."), "{one:?}");
    assert!(!one.stdout.contains(r"\u{a}"), "each line is written as one: {one:?}");
    assert!(!workshop.path().join("target/release").exists(), "nothing is built");
}

#[test]
fn a_run_may_start_from_a_folder_of_the_workspace() {
    let workshop = Workshop::with_a_lab();
    let fake = crate::workshop::FAKE_LAB;
    let mut command = workshop.command(&["lab", "fake-lab", "--binary", fake, "--simulated"]);
    let folder = workshop.path().join("labs/fake-lab");
    assert!(command.current_dir(&folder).output().unwrap().status.success());
    assert!(workshop.latest().join("summary.json").is_file(), "the run lies in the workspace");
    let run =
        format!("target/perf-lab/fake-lab/{}", workshop.latest().file_name().unwrap().display());
    let shown = workshop.command(&["show", &run]).current_dir(&folder).output().unwrap();
    assert!(shown.status.success(), "a path as it was printed is found from anywhere");
}

#[test]
fn show_finds_the_newest_run_of_any_lab_or_of_one() {
    let workshop = Workshop::new();
    let none = workshop.xtask(&["show"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.stderr.contains("no run yet"), "{none:?}");
    let said = workshop.lab(&["--variant", "both"]);
    for args in [&["show"][..], &["show", "fake-lab"]] {
        assert_eq!(workshop.xtask(args).stdout, said.stdout);
    }
    let json = workshop.xtask(&["show", "--format", "json"]);
    assert!(json.stdout.contains("perf-lab.summary/1"), "{json:?}");
}

#[test]
fn doctor_reports_every_documented_finding() {
    let said = Workshop::new().xtask(&["doctor"]);
    assert_eq!(said.code, 0, "{said:?}");
    let looked_at = [
        "CPUs",
        "perf events",
        "PMU",
        "BPF",
        "BTF",
        "tracefs",
        "clock source",
        "timer",
        "huge pages",
        "governor",
        "virtualization",
        "steal",
    ];
    for what in looked_at {
        let lines =
            said.stdout.lines().filter(|line| line.get(2..).is_some_and(|l| l.starts_with(what)));
        assert_eq!(lines.count(), 1, "{what} in {}", said.stdout);
    }
    let faults = said.stdout.lines().filter(|line| line.starts_with('!')).count();
    assert_eq!(said.stdout.matches(" fix: ").count(), faults, "each fault says how to fix it");
}

#[test]
fn ci_runs_every_step_and_names_those_that_fail() {
    let workshop = Workshop::with_a_lab();
    let passed = workshop.xtask(&["ci"]);
    assert_eq!(passed.code, 0, "{passed:?}");
    workshop.write(
        "labs/fake-lab/src/main.rs",
        "fn main() { let _x = 1; }\n#[test] fn t() { panic!() }",
    );
    let failed = workshop.xtask(&["ci"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("error: failed: format, tests\n"), "{failed:?}");
}

#[test]
fn help_documents_the_exit_codes() {
    let said = Workshop::new().xtask(&["--help"]);
    assert_eq!(said.code, 0);
    for code in 0..=7 {
        assert!(said.stdout.contains(&format!("\n  {code}  ")), "{code} in {}", said.stdout);
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let workshop = Workshop::new();
    let mut runner = workshop
        .command(&["doctor"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(runner.stdout.take());
    let output = runner.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_verb_prints_human_json_and_markdown() {
    let workshop = Workshop::with_a_lab();
    assert_eq!(workshop.lab(&["--simulated"]).code, 0);
    workshop.write("a.folded", "main;parse 300\nmain;run 700\n");
    workshop.write("b.folded", "main;parse 600\nmain;run 700\n");
    let flame = ["flame", "--diff", "a.folded", "b.folded", "--out", "diff"];
    let verbs: [(&[&str], &str, &str); 5] = [
        (&["list"], "perf-lab.list/1", "| lab | asks |"),
        (&["doctor"], "perf-lab.doctor/1", "|  | found |"),
        (&["show"], "perf-lab.summary/1", "| claim | checked |"),
        (&["report"], "perf-lab.pages/1", "| claim | checked |"),
        (&flame, "perf-lab.flamediff/1", "| frame | before | after |"),
    ];
    for (verb, schema, heading) in verbs {
        let said = |format: &str| workshop.xtask(&[verb, &["--format", format]].concat());
        let json = said("json");
        assert_eq!(json.code, 0, "{json:?}");
        let value: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(value["schema"], schema);
        let md = said("md");
        assert_eq!(md.code, 0, "{md:?}");
        assert!(md.stdout.contains(heading), "{md:?}");
        let wrong = said("yaml");
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{wrong:?}");
        let human = workshop.xtask(verb);
        assert_eq!(human.stdout, said("human").stdout, "the default");
        let lines = human.stdout.lines().filter(|line| !line.contains("file://"));
        let widest = lines.map(|line| line.chars().count()).max();
        // A path cannot be broken, and may be as long as its directories make it.
        assert!(widest <= Some(80) || verb[0] == "report", "{human:?}");
    }
    let index = workshop.xtask(&["report", "--index", "--format", "md"]);
    assert_eq!(index.code, 2, "{index:?}");
    let drawn = workshop.xtask(&["flame", "a.folded", "--format", "json"]);
    assert_eq!(drawn.code, 2, "a graph has no table: {drawn:?}");
}

#[test]
fn probes_are_listed_without_a_build_and_an_unknown_one_names_the_nearest() {
    let workshop = Workshop::new();
    let list = workshop.xtask(&["probe"]);
    assert_eq!(list.code, 0, "{list:?}");
    for words in
        ["runqlat ", "how long threads that could run wait for a CPU", "--set by=all|thread"]
    {
        assert!(list.stdout.contains(words), "`{words}` in {list:?}");
    }
    let said = workshop.xtask(&["probe", "runqlatt"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("no probe `runqlatt`: did you mean `runqlat`?"), "{said:?}");
    let said = workshop.xtask(&["probe", "runqlat", "--format", "folded"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("writes no stacks"), "{said:?}");
}

#[test]
fn every_lab_of_this_checkout_can_be_listed_before_it_is_built() {
    let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("labs");
    let folders = std::fs::read_dir(labs).unwrap().map(|entry| entry.unwrap().path());
    // A lab is what has a program.
    let labs: Vec<_> = folders.filter(|folder| folder.join("src/main.rs").exists()).collect();
    assert!(labs.len() >= 10, "{labs:?}");
    for lab in labs {
        let name = lab.file_name().unwrap().display();
        let described = lab.join("describe.json").is_file();
        assert!(described, "cargo run -p {name} describe > labs/{name}/describe.json");
    }
}

#[test]
fn a_gallery_has_the_newest_run_of_each_lab_in_which_no_knob_was_turned() {
    let workshop = Workshop::with_a_lab();
    let none = workshop.xtask(&["gallery"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.stderr.contains("no lab has a whole run"), "{none:?}");
    assert_eq!(workshop.lab(&[]).code, 0);
    let page = std::fs::read(workshop.latest().join("report.html")).unwrap();
    for others in [&["--set", "rate=5"][..], &["--variant", "both"], &["--simulated"]] {
        assert_eq!(workshop.lab(others).code, 0);
    }
    let said = workshop.xtask(&["gallery"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "target/perf-lab-gallery/index.html\n"));
    let gallery = workshop.path().join("target/perf-lab-gallery");
    assert!(std::fs::read(gallery.join("fake-lab/report.html")).unwrap() == page, "the first run");
    let index = std::fs::read_to_string(gallery.join("index.html")).unwrap();
    for words in
        ["href=\"./fake-lab/report.html\"", "The fake lab ran.", "What does the runner make"]
    {
        assert!(index.contains(words), "{words} in {index}");
    }
    let occupied = workshop.xtask(&["gallery", "--out", "target/perf-lab-gallery"]);
    assert_eq!(occupied.code, 2, "{occupied:?}");
}
