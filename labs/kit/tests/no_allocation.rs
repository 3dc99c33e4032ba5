//! The timed path allocates nothing: a counting allocator proves it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use lab_kit::{Clock, Ledger, Schedule, Series, Timeline, pace};

struct Counting;

thread_local! {
    /// This thread's: the test harness allocates on its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator with the arguments it was given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promised for us.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised for us.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(body: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    body();
    ALLOCATIONS.get() - before
}

#[test]
fn pacing_accounting_and_recording_allocate_nothing() {
    let ms = Duration::from_millis;
    let timeline = Timeline { warmup: ms(10), measure: ms(1_000), interval: ms(100) };
    let schedule = Schedule::Open((0..200).map(|i| i * 100_000).collect());
    let ledger = Ledger::new(&schedule);
    let clock = Clock::live();
    let paced = allocations(|| {
        pace(&schedule, clock, |number, _| {
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
