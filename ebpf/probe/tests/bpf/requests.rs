//! A request's time on its thread, split: against the program's own account, and the scheduler's.

use std::process::Output;

use lab_record::table::Cell;

use crate::support::{
    Bench, EXIT_REFUSED, LeftOut, assert_between, assert_close, histogram, said, start,
};

/// Running, waiting for a CPU, blocked.
const PARTS: [&str; 3] = ["on-cpu", "run-queue", "blocked"];

#[test]
fn a_requests_time_is_the_sum_of_running_and_waiting() {
    let Some(bench) = Bench::new() else { return };
    let left_out = LeftOut::since_now();
    let seen = bench.observe_all("requests", &[], &["serves", "40", "10", "10"]);
    let Some((printed, record)) = seen else { return };
    let printed: Vec<u64> = printed.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let [wall, ran, waited] = printed[..] else { panic!("{printed:?}") };
    let left_out = left_out.ns();

    // One within another is part of it.
    let all = histogram(&record, "requests");
    let parts = PARTS.map(|name| histogram(&record, name));
    assert_eq!(all.count, 40);
    assert!(parts.iter().all(|part| part.count == 40));
    assert_eq!((record.cost.events, record.losses.total()), (40, 0));

    assert_eq!(parts.iter().map(|part| part.sum).sum::<u64>(), all.sum, "to the nanosecond");
    assert_close(all.sum, wall, "requests");
    let [on_cpu, queued, blocked] = parts.map(|part| part.sum);
    assert_between(on_cpu, [ran, ran + left_out], "running");
    // A kernel may keep no account of waiting.
    if waited > 0 {
        // The other one has half of the CPU, in slices.
        assert!(waited > wall / 10, "{waited} of {wall}");
        assert_close(queued, waited, "waiting for a CPU");
        let rest = wall - ran - waited;
        assert_between(blocked, [rest.saturating_sub(left_out), rest], "blocked");
    }
    assert!(blocked >= 40 * 10_000_000);
    assert!(record.notes.iter().any(|note| note.contains("watching makes each request")));
}

#[test]
fn tables_have_the_sums_of_the_histograms() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) = bench.observe("requests", &[], &["serves", "10", "2", "2"]);
    let [parts, classes] = &record.tables[..] else { panic!("{:?}", record.tables) };
    let counts = |row: &[Cell]| -> Vec<u64> {
        let count = |cell: &Cell| match cell {
            Cell::Count(count) => Some(*count),
            _ => None,
        };
        row.iter().filter_map(count).collect()
    };
    for (row, name) in parts.rows.iter().zip([&PARTS[..], &["requests"]].concat()) {
        assert_eq!(counts(row)[0], histogram(&record, name).sum, "{name}");
    }
    let of_classes = |at: usize| classes.rows.iter().map(|row| counts(row)[at]).sum::<u64>();
    assert_eq!((of_classes(1), of_classes(2)), (10, histogram(&record, "requests").sum));
}

#[test]
fn requests_without_an_end_are_reported_and_not_counted() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) = bench.observe("requests", &[], &["abandons", "7"]);
    assert_eq!(histogram(&record, "requests").count, 0);
    let told = |note: &String| note.starts_with("7 requests had no end");
    assert!(record.notes.iter().any(told), "{:?}", record.notes);
}

#[test]
fn requests_of_a_running_process_are_observed() {
    let Some(bench) = Bench::new() else { return };
    let mut child = start(&["serves", "1000000", "1", "1"]);
    let pid = child.id().to_string();
    let args = ["--pid", &pid, "--duration", "0.5"];
    let output = bench.probe("requests").args(args).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let record = bench.record("requests");
    let all = histogram(&record, "requests");
    assert!(all.count > 0);
    let parts = PARTS.map(|name| histogram(&record, name).sum);
    assert_eq!(parts.iter().sum::<u64>(), all.sum);
}

#[test]
fn a_program_without_request_probes_is_refused_in_one_line() {
    let Some(bench) = Bench::new() else { return };
    let touched = bench.path().join("ran");
    let output = bench.probe("requests").args(["--", "touch"]).arg(&touched).output().unwrap();
    assert_eq!(output.status.code(), Some(EXIT_REFUSED), "{}", said(&output));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(words.trim_end().lines().count(), 1, "{words}");
    for part in ["requests (a lab's requests", "touch does not say where", "lab_kit::Serving"] {
        assert!(words.contains(part), "`{part}` in {words}");
    }
    assert!(!touched.exists(), "the command was not run");
    assert!(!bench.path().join("requests.json").exists());
}

#[test]
fn a_missing_or_unnamed_program_is_refused() {
    let exit = |args: &[&str]| -> Output {
        Bench::unchecked().probe("requests").args(args).output().unwrap()
    };
    for args in [&[][..], &["--comm", "x"]] {
        let output = exit(args);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("requests needs --pid or a command"), "{}", said(&output));
    }
    if Bench::new().is_none() {
        return;
    }
    let output = exit(&["--", "/no/such/command"]);
    assert_eq!(output.status.code(), Some(127), "{}", said(&output));
    let output = exit(&["--pid", "4194305"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("there is no process 4194305"), "{}", said(&output));
}
