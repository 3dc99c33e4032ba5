//! Functions of user space.

use crate::support::{Bench, Seen, assert_near, counted, said};

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
fn a_missing_function_is_refused_with_similar_names() {
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
fn funclatency_without_a_function_is_refused() {
    let output = Bench::new().try_run(&["funclatency"], &["function", "1", "1"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("funclatency needs --set path="), "{}", said(&output));
}

/// Watches a function of `counted`.
fn watch(bench: &Bench, function: &str, counted: &[&str]) -> Option<Seen> {
    let (path, function) =
        (format!("path={}", self::counted().display()), format!("function={function}"));
    bench.run(&["funclatency", "--set", &path, "--set", &function], counted)
}

fn notes(seen: &Seen) -> String {
    seen.record.notes.join("\n")
}

#[test]
fn a_panic_through_a_function_is_caught_as_without_a_probe() {
    let bench = Bench::new();
    let Some(seen) = watch(&bench, "counted_unwound", &["unwinds", "200"]) else { return };
    assert_eq!(seen.printed, [20], "caught");
    assert_eq!(seen.histogram("funclatency").count, 180);
    assert!(notes(&seen).contains("20 of 200 calls were not seen to return"), "{}", notes(&seen));
}

/// The kernel gives up on return probes 64 calls deep.
#[test]
fn each_call_of_a_deep_recursion_has_its_own_end() {
    let bench = Bench::new();
    let Some(seen) = watch(&bench, "counted_recursion", &["recurses", "5", "101"]) else { return };
    let histogram = seen.histogram("funclatency");
    assert_eq!((histogram.count, seen.record.losses.total()), (505, 0));
    let shortest = histogram.buckets[0].0;
    assert!(shortest >= 4_900_000, "the innermost sleeps, and all others wait: {shortest} ns");
}

#[test]
fn a_function_too_short_to_time_is_counted_only() {
    let bench = Bench::new();
    let Some(seen) = watch(&bench, "counted_quick", &["quick", "2000"]) else { return };
    assert!(seen.record.histograms.is_empty(), "{:?}", seen.record.histograms);
    assert_eq!(seen.table().rows().next().unwrap().count("CALLS"), 2000);
    assert!(notes(&seen).contains("times are the probe's own"), "{}", notes(&seen));
}

#[test]
fn a_function_that_ends_in_a_jump_takes_as_long_as_where_it_jumps_to() {
    let bench = Bench::new();
    let Some(seen) = watch(&bench, "counted_jump", &["jumps", "20", "5"]) else { return };
    let histogram = seen.histogram("funclatency");
    assert_eq!(histogram.count, 20);
    assert!(histogram.sum >= 100_000_000, "{} ns", histogram.sum);
}

#[test]
fn a_function_is_found_by_the_name_in_its_source() {
    let bench = Bench::new();
    let Some(seen) = watch(&bench, "counted::tcp", &["tcp", "2", "1", "1"]) else { return };
    assert_eq!(seen.histogram("funclatency").count, 1);
}

#[test]
fn an_imported_function_is_refused_with_the_name_of_its_library() {
    let bench = Bench::new();
    let path = format!("path={}", counted().display());
    if bench.run(&["tcplife"], &["function", "1", "1"]).is_none() {
        return;
    }
    let probe = ["funclatency", "--set", &path, "--set", "function=malloc"];
    let output = bench.try_run(&probe, &["function", "1", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("has malloc from"), "{}", said(&output));
}

#[test]
fn a_program_killed_under_the_probe_is_reported_as_failed() {
    let bench = Bench::new();
    let path = format!("path={}", counted().display());
    if bench.run(&["tcplife"], &["function", "1", "1"]).is_none() {
        return;
    }
    let probe = ["funclatency", "--set", &path, "--set", "function=counted_function"];
    let output = bench.try_run(&probe, &["aborts"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("were ended by SIGABRT"), "{}", said(&output));
}
