//! The machine's own stalls: a thread sleeps a millisecond at a time and records how late it wakes,
//! after jHiccup (Tene). No lab causes these stalls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::series::{Series, Timeline};

const NAP: Duration = Duration::from_millis(1);

/// A running observer; [`HiccupMeter::stop`] ends it and returns its series.
pub(crate) struct HiccupMeter {
    done: Arc<AtomicBool>,
    thread: JoinHandle<Series>,
}

impl HiccupMeter {
    pub(crate) fn start(timeline: Timeline) -> anyhow::Result<Self> {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = std::thread::Builder::new()
            .name("hiccup".into())
            .spawn(move || observe(timeline, &stop))?;
        Ok(Self { done, thread })
    }

    pub(crate) fn stop(self) -> Series {
        self.done.store(true, Relaxed);
        self.thread.join().expect("the hiccup thread does not panic")
    }
}

fn observe(timeline: Timeline, stop: &AtomicBool) -> Series {
    let mut series = Series::new(timeline);
    let start = Instant::now();
    while !stop.load(Relaxed) {
        let nap = Instant::now();
        std::thread::sleep(NAP);
        series.record(nap - start, nap.elapsed().saturating_sub(NAP));
    }
    series
}
