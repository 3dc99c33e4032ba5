//! Page faults, and samples in the kernel's own maps.

use std::fs;

use crate::support::{Bench, Seen};

#[test]
fn a_page_touched_first_is_a_fault_at_its_place() {
    let bench = Bench::new();
    for pages in [500, 1000] {
        let Some(seen) = bench.run_with_stacks(&["pagefaults"], &["touch", &pages.to_string()])
        else {
            return;
        };
        let faults = folded(&bench, &seen);
        let here = faults.iter().filter(|(stack, _)| stack.contains("touch_each"));
        assert_eq!(here.map(|(_, count)| count).sum::<u64>(), pages);
        assert_eq!(faults.iter().map(|(_, count)| count).sum::<u64>(), seen.record.cost.events);
    }
}

#[test]
fn samples_are_as_many_as_cpu_time_holds() {
    let bench = Bench::new();
    let Some(seen) = bench.run_with_stacks(&["profile", "--set", "hz=999"], &["spin", "2000"])
    else {
        return;
    };
    let samples = folded(&bench, &seen);
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

fn folded(bench: &Bench, seen: &Seen) -> Vec<(String, u64)> {
    let [stacks] = &seen.record.folded[..] else { panic!("{:?}", seen.record.folded) };
    let text = fs::read_to_string(bench.path().join(&stacks.file)).unwrap();
    let line = |line: &str| {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        (stack.to_owned(), count.parse().unwrap())
    };
    text.lines().map(line).collect()
}
