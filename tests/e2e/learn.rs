//! `learn`: what is asked, what is kept, and what happens when it does not go as planned.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};

use lab_record::{Answered, Answers, read_json};
use rustix::process::{Pid, Signal, kill_process};

use crate::workshop::{FAKE_LAB, Said, Workshop, alive, wait_until};

/// `learn fake-lab`, whose lesson runs for this many milliseconds.
fn learn(workshop: &Workshop, lesson_ms: u64) -> Command {
    let mut command =
        workshop.command(&["learn", "fake-lab", "--binary", FAKE_LAB, "--out", "kept"]);
    command.env("FAKE_LAB_LESSON_MS", lesson_ms.to_string()).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Types `lines` and waits for the end.
fn typed(command: &mut Command, lines: &str) -> Said {
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    said(child)
}

fn said(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().expect("the runner exits by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn kept(workshop: &Workshop) -> Vec<Answered> {
    read_json::<Answers>(&workshop.path().join("kept/answers.json")).unwrap().answers
}

#[test]
fn a_prediction_is_asked_for_until_it_is_valid_and_then_compared_with_the_run() {
    let workshop = Workshop::new();
    let lines = "many\n\n0.6\n10ms\n?\n60 %\n1/4\n";
    let said = typed(&mut learn(&workshop, 100), lines);
    assert_eq!(said.code, 0, "{said:?}");
    for words in [
        "`many` is no share. Write a share, such as 20 %, 20 or 1/5.",
        "Nothing was typed. Write a share",
        "0.6 of 100, or 60 of 100? Write a share",
        "`10ms` is no share. Write a share",
        "Fewer than you think.",
        "you 60 %, predicted 1 %, measured 1 %: 59 points too high",
        "Without the cause: --set behaviour=refute",
        "you 25 %, predicted 100 %, measured 100 %: 75 points too low",
        "2 predictions made, 2 results seen, 1 cause taken away.",
        "2 answers kept in kept/answers.json",
    ] {
        assert!(said.stdout.contains(words), "`{words}` in {said:?}");
    }
    let answers = kept(&workshop);
    let told = |a: &Answered| (a.typed.clone(), a.value, a.hints, a.measured, a.run.clone());
    let expected = [
        ("60 %".to_owned(), 0.6, 1, Some(0.01), "1-FAKE-1".to_owned()),
        ("1/4".to_owned(), 0.25, 0, Some(1.0), "1-FAKE-1-without".to_owned()),
    ];
    assert_eq!(answers.iter().map(told).collect::<Vec<_>>(), expected);
}

#[test]
fn a_lab_without_lessons_is_named() {
    let workshop = Workshop::new();
    let said = typed(learn(&workshop, 100).env_remove("FAKE_LAB_LESSON_MS"), "");
    assert_eq!(said.code, 2, "{said:?}");
    let words = "fake-lab has no lessons: `cargo xtask lab fake-lab` runs it";
    assert!(said.stderr.contains(words), "{said:?}");
    assert!(!workshop.path().join("kept").exists(), "nothing was begun");
}

#[test]
fn an_invalid_run_says_so_and_is_run_again_once() {
    let workshop = Workshop::new();
    let once = typed(learn(&workshop, 100).env("FAKE_LAB_INVALID", "once"), "60\n25\n");
    assert_eq!(once.code, 0, "{once:?}");
    let again = "This run is invalid: told to be invalid. Once again.";
    assert_eq!(once.stdout.matches(again).count(), 2, "{once:?}");
    assert!(once.stdout.contains("2 results seen"), "{once:?}");
    let runs: Vec<String> = kept(&workshop).into_iter().map(|answered| answered.run).collect();
    assert_eq!(runs, ["1-FAKE-1-again", "1-FAKE-1-without-again"]);

    let workshop = Workshop::new();
    let always = typed(learn(&workshop, 100).env("FAKE_LAB_INVALID", "always"), "60\n25\n");
    assert_eq!(always.code, 0, "{always:?}");
    assert_eq!(always.stdout.matches(again).count(), 2, "once for each prediction: {always:?}");
    assert!(always.stdout.contains("Nothing was measured: told to be invalid."), "{always:?}");
    assert!(always.stdout.contains("2 predictions made, 0 results seen"), "{always:?}");
    assert!(kept(&workshop).iter().all(|answered| answered.measured.is_none()));
}

/// Interrupts `child`, and asserts that one answer is kept: `typed`.
fn interrupted(workshop: &Workshop, child: Child, typed: &str) -> Answered {
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let said = said(child);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("interrupted"), "{said:?}");
    assert!(said.stderr.contains("1 answer kept in kept/answers.json"), "{said:?}");
    let answers = kept(workshop);
    assert_eq!(answers.iter().map(|a| &*a.typed).collect::<Vec<_>>(), [typed]);
    answers.into_iter().next().unwrap()
}

#[test]
fn ctrl_c_at_a_question_keeps_what_was_answered_and_seen() {
    let workshop = Workshop::new();
    let mut child = learn(&workshop, 100).spawn().unwrap();
    let mut answers = child.stdin.take().unwrap();
    answers.write_all(b"60\n").unwrap();
    let file = workshop.path().join("kept/answers.json");
    wait_until("the first result is kept", || {
        read_json::<Answers>(&file)
            .is_ok_and(|kept| kept.answers.iter().any(|answered| answered.measured.is_some()))
    });
    let answered = interrupted(&workshop, child, "60");
    assert_eq!(answered.measured, Some(0.01));
    drop(answers);
}

#[test]
fn ctrl_c_in_a_run_keeps_what_was_answered_and_ends_the_lab() {
    let workshop = Workshop::new();
    let mut child = learn(&workshop, 600_000).spawn().unwrap();
    let mut answers = child.stdin.take().unwrap();
    answers.write_all(b"60\n").unwrap();
    let run = workshop.path().join("kept/1-FAKE-1");
    wait_until("the lab runs", || run.join("trials/001-both/pids").is_file());
    let answered = interrupted(&workshop, child, "60");
    assert_eq!(answered.measured, None, "nothing was seen");
    assert!(alive(&run).is_empty(), "no lab outlives the runner");
    drop(answers);
}

#[test]
fn an_end_of_the_answers_keeps_what_there_was() {
    let workshop = Workshop::new();
    let said = typed(&mut learn(&workshop, 100), "60\n");
    assert_eq!(said.code, 1, "{said:?}");
    let words = "there are no more answers\n1 answer kept in kept/answers.json";
    assert!(said.stderr.contains(words), "{said:?}");
    assert_eq!(kept(&workshop).len(), 1);
}

/// What a terminal of this many columns shows of a whole lesson.
fn on_a_terminal(columns: u16, term: &str) -> String {
    let workshop = Workshop::new();
    let (mut ours, theirs) = terminal(columns);
    let mut command = learn(&workshop, 100);
    command.env("TERM", term).stdin(theirs.try_clone().unwrap()).stdout(theirs);
    let mut child = command.spawn().unwrap();
    // The last copies of the terminal's other end in this process.
    drop(command);
    ours.write_all(b"?\n60 %\n25\n").unwrap();
    let mut shown = Vec::new();
    // Reading ends in an error once no process has the other side of the terminal open.
    let _ = ours.read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

/// A terminal: our end, and that of a program.
fn terminal(columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (name, modes) = (std::ptr::null_mut(), std::ptr::null());
    // SAFETY: both descriptors and the size live until it returns; no name and no modes are wanted.
    let done = unsafe { libc::openpty(&mut ours, &mut theirs, name, modes, &size) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both were opened just now, and have no other owner.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

#[test]
fn lines_fit_into_a_narrow_terminal_which_may_know_no_colours() {
    for columns in [40, 80] {
        let shown = on_a_terminal(columns, "dumb");
        assert!(!shown.contains('\x1b'), "{shown:?}");
        assert!(shown.contains("2 predictions made"), "{shown}");
        // A path cannot be broken.
        let lines = shown.lines().filter(|line| !line.contains("file://"));
        for line in lines.filter(|line| !line.contains("kept/answers.json")) {
            assert!(line.chars().count() <= usize::from(columns), "{columns}: `{line}`");
        }
    }
    assert!(on_a_terminal(80, "xterm").contains("\x1b[32m"), "and in colours elsewhere");
}

#[test]
fn answers_come_from_a_file_too_and_its_comments_are_left_out() {
    let workshop = Workshop::new();
    workshop.write("answers", "# the class of Monday\n60\n# without\n25\n");
    let mut command = learn(&workshop, 100);
    let said = typed(command.args(["--answers", "answers"]), "");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(kept(&workshop).len(), 2);
    let pages = |run: &str| fs::exists(workshop.path().join("kept").join(run).join("report.html"));
    assert!(["1-FAKE-1", "1-FAKE-1-without"].iter().all(|run| pages(run).unwrap()));
    let missing = typed(learn(&Workshop::new(), 100).args(["--answers", "nowhere"]), "");
    assert!(missing.code == 2 && missing.stderr.contains("--answers nowhere"), "{missing:?}");
}
