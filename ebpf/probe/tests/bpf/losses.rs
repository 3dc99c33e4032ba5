//! What does not fit is counted.

use crate::support::{Bench, is, rows};

#[test]
fn events_lost_to_a_full_ring_buffer_are_counted() {
    let Some(bench) = Bench::new() else { return };
    // One page holds a dozen events, and they are taken off every 20 ms.
    let (_, record) =
        bench.observe("opensnoop", &["--map-entries", "EVENTS_RING=4096"], &["opens", "1000"]);
    let kept = rows(&record, "PATH", is("/dev/null")).len();
    assert!(kept < 1000 && record.losses.ring_full > 0, "{kept}, {:?}", record.losses);
    let all = record.tables[0].rows.len() as u64;
    // The program opens 2,000 files, and a few as it starts.
    assert!((2000..2200).contains(&(all + record.losses.ring_full)), "{all}, {:?}", record.losses);
}

#[test]
fn events_lost_to_a_full_map_are_counted() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) =
        bench.observe("offcputime", &["--map-entries", "TIMES=1"], &["handoff", "50"]);
    assert!(record.losses.map_full > 0, "{:?}", record.losses);
}

#[test]
fn stacks_lost_to_a_full_stack_map_are_counted() {
    let Some(bench) = Bench::new() else { return };
    let (_, record) =
        bench.observe("offcputime", &["--map-entries", "STACKS=1"], &["handoff", "50"]);
    assert!(record.losses.stacks > 0, "{:?}", record.losses);
}
