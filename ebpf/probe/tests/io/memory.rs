//! Page faults, and samples in the kernel's own maps.

use std::fs;

use crate::support::{Bench, Seen};

#[test]
fn a_first_touch_is_a_fault_with_the_stack_that_touched() {
    let bench = Bench::new();
    for pages in [500, 1000] {
        let Some(seen) = bench.run_with_stacks(&["pagefaults"], &["touch", &pages.to_string()])
        else {
            return;
        };
        let faults = lines(&bench, &seen, "page-faults");
        let here = faults.iter().filter(|(stack, _)| stack.contains("touch_each"));
        assert_eq!(here.map(|(_, count)| count).sum::<u64>(), pages);
        let kernels = lines(&bench, &seen, "kernel-page-faults");
        let all = faults.iter().chain(&kernels).map(|(_, count)| count).sum::<u64>();
        assert_eq!(all, seen.record.cost.events);
    }
}

#[test]
fn a_page_that_the_kernel_touches_first_is_a_fault_of_its_own_kind() {
    let bench = Bench::new();
    let Some(seen) = bench.run_with_stacks(&["pagefaults"], &["fill", "1000"]) else { return };
    let faults = lines(&bench, &seen, "kernel-page-faults");
    let here = faults.iter().filter(|(stack, _)| stack.contains("counted::fill"));
    let here: u64 = here.map(|(_, count)| count).sum();
    assert!((1000..1010).contains(&here), "{here}");
    let ours = lines(&bench, &seen, "page-faults");
    assert!(!ours.iter().any(|(stack, count)| stack.contains("counted::fill") && *count > 10));
}

#[test]
fn the_number_of_samples_matches_the_cpu_time() {
    let bench = Bench::new();
    let Some(seen) = bench.run_with_stacks(&["profile", "--set", "hz=999"], &["spin", "2000"])
    else {
        return;
    };
    let samples = lines(&bench, &seen, "profile");
    let all: u64 = samples.iter().map(|(_, count)| count).sum();
    let spinning: u64 =
        samples.iter().filter(|(stack, _)| stack.contains("spin")).map(|(_, count)| count).sum();
    let [cpu_ns] = seen.printed[..] else { panic!("{:?}", seen.printed) };
    let share = all as f64 / (999.0 * cpu_ns as f64 / 1e9);
    println!("{:.1} % of the rate", share * 100.0);
    assert!((0.9..1.1).contains(&share), "{all} samples of {cpu_ns} ns");
    // Where a leaf has no frame of its own yet, its caller is left out.
    assert!(spinning as f64 > all as f64 * 0.8, "{spinning} of {all}");
}

/// The lines of one kind of stacks.
fn lines(bench: &Bench, seen: &Seen, kind: &str) -> Vec<(String, u64)> {
    let stacks = seen.record.folded.iter().find(|stacks| stacks.kind == kind).unwrap();
    let text = fs::read_to_string(bench.path().join(&stacks.file)).unwrap();
    let line = |line: &str| {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        (stack.to_owned(), count.parse().unwrap())
    };
    text.lines().map(line).collect()
}
