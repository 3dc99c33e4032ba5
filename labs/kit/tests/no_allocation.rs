//! The timed path allocates nothing: the kit's own allocator counts.

use std::time::Duration;

use lab_kit::{Clock, Ledger, Schedule, Series, Timeline, pace};

/// What `body` asks for on this thread.
fn allocations(body: impl FnOnce()) -> u64 {
    let before = lab_kit::allocations();
    body();
    lab_kit::allocations() - before
}

#[test]
fn pacing_accounting_and_recording_allocate_nothing() {
    let ms = Duration::from_millis;
    let timeline = Timeline { warmup: ms(10), measure: ms(1_000), interval: ms(100) };
    let starts: Vec<u64> = (0..200).map(|i| i * 100_000).collect();
    let schedule = Schedule::Open(starts.clone());
    let ledger = Ledger::new(&schedule, timeline);
    let clock = Clock::live();
    let paced = allocations(|| {
        pace(&starts, clock, |number, _| {
            ledger.sent(number, clock.now());
            ledger.completed(number, clock.now());
        });
    });
    assert_eq!(paced, 0);

    let mut series = Series::new(timeline);
    let recorded = allocations(|| {
        for i in 0..100_000 {
            series.record(Duration::from_micros(i * 10), Duration::from_nanos(i * 977));
        }
    });
    assert_eq!(recorded, 0);

    assert!(allocations(|| drop(std::hint::black_box(vec![1]))) > 0, "the counter counts");
}
