//! Functions of user space.

use crate::support::{Bench, assert_near, counted, said};

#[test]
fn every_call_of_a_function_is_timed() {
    let bench = Bench::new();
    let path = format!("path={}", counted().display());
    let probe = ["funclatency", "--set", &path, "--set", "function=counted_function"];
    let Some(seen) = bench.run(&probe, &["function", "20", "20"]) else { return };
    let histogram = seen.histogram("funclatency");
    assert_eq!(histogram.count, 20);
    assert_near(histogram.sum, seen.printed[0]);
    let notes = seen.record.notes.join("\n");
    assert!(notes.contains("watching makes each call"), "{notes}");
}

#[test]
fn a_function_that_is_not_there_is_told_with_those_like_it() {
    let bench = Bench::new();
    let path = format!("path={}", counted().display());
    let probe = ["funclatency", "--set", &path, "--set", "function=counted_func"];
    if bench.run(&["tcplife"], &["function", "1", "1"]).is_none() {
        return;
    }
    let output = bench.try_run(&probe, &["function", "1", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("like it: counted_function"), "{}", said(&output));
    assert!(output.stdout.is_empty(), "the command ran: {}", said(&output));
}

#[test]
fn a_function_has_to_be_named() {
    let output = Bench::new().try_run(&["funclatency"], &["function", "1", "1"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("funclatency needs --set path="), "{}", said(&output));
}
