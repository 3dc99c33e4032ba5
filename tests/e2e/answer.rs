//! `answer`: what is asked, what fits, and which run it is compared with.

use std::io::Write as _;
use std::process::Stdio;

use crate::workshop::{FAKE_LAB, Said, Workshop};

/// `answer fake-lab live-only`, with these lines typed.
fn answer(workshop: &Workshop, args: &[&str], lines: &str) -> Said {
    let start = ["answer", "fake-lab", "live-only", "--binary", FAKE_LAB];
    let mut command = workshop.command(&[&start, args].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A verb that asks for nothing may have ended.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().expect("the runner exits by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn looked_at() -> Workshop {
    let workshop = Workshop::new();
    assert_eq!(workshop.lab(&["--variant", "live-only"]).code, 0);
    workshop
}

#[test]
fn a_box_that_was_not_run_must_be_run_first() {
    let workshop = Workshop::new();
    let said = answer(&workshop, &["--resource", "disk"], "");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("xtask lab fake-lab --variant live-only"), "{said:?}");
    // A run in which a knob was turned is none of the box.
    assert_eq!(workshop.lab(&["--variant", "live-only", "--set", "rate=5"]).code, 0);
    assert_eq!(answer(&workshop, &[], "").code, 2);
}

#[test]
fn an_answer_is_asked_for_part_by_part() {
    let workshop = looked_at();
    let said = answer(&workshop, &[], "floppy\ndisk\n\nappend\nmany\n8 writes\n");
    assert_eq!(said.code, 0, "{said:?}");
    for words in [
        "`floppy` is none of cpu, memory, disk, network, lock, none.",
        "disk fits the evidence (resource).",
        "Nothing was typed.",
        "append fits the evidence (function).",
        "`many` is no such number.",
        "Right: all three fit. It appends.",
    ] {
        assert!(said.stdout.contains(words), "`{words}` in {said:?}");
    }
}

#[test]
fn the_first_part_that_does_not_fit_ends_it_with_seven() {
    let workshop = looked_at();
    let cases = [
        (["cpu", "append", "8"], "The resource does not fit."),
        (["disk", "flush", "8"], "The function does not fit."),
        (["disk", "append", "9"], "The count does not fit."),
    ];
    for ([resource, function, count], words) in cases {
        let parts = ["--resource", resource, "--function", function, "--count", count];
        let said = answer(&workshop, &parts, "");
        assert_eq!(said.code, 7, "{said:?}");
        assert!(said.stdout.contains(words), "`{words}` in {said:?}");
    }
    let right = ["--resource", "disk", "--function", "append", "--count", "8"];
    assert_eq!(answer(&workshop, &right, "").code, 0);
}

#[test]
fn a_run_that_shows_nothing_is_invalid_and_an_end_of_input_a_failure() {
    let workshop = looked_at();
    let said = answer(&workshop, &["--resource", "none"], "");
    assert!(said.code == 6 && said.stdout.contains("the disk was idle"), "{said:?}");
    assert_eq!(answer(&workshop, &["--resource", "disk"], "").code, 1, "no more answers");
    assert_eq!(answer(&workshop, &["--resource", "tape"], "").code, 2);
}

#[test]
fn only_a_black_box_has_an_answer() {
    let workshop = Workshop::new();
    let said = workshop.xtask(&["answer", "fake-lab", "both", "--binary", FAKE_LAB]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("no black box `both`"), "{said:?}");
}

#[test]
fn a_box_is_chosen_at_random() {
    let workshop = Workshop::new();
    let said = workshop.lab(&["--variant", "random"]);
    assert!(said.code == 0 && said.stderr.contains("note: box live-only"), "{said:?}");
    assert_eq!(answer(&workshop, &["--resource", "cpu"], "").code, 7, "it was run");
}
