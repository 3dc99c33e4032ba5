//! The updates of the kernel's averages, as they happen.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::system::sysinfo;
use rustix::time::{ClockId, clock_getres};

use crate::average::Averages;

/// From one look at the tasks to the next.
const LOOK: Duration = Duration::from_millis(250);
/// After this time nothing wakes until the next update is due, as the kernel counts ten ticks before
/// it: 5.01 - 0.1 s if there are 100 ticks a second, and later if there are more.
const LAST_LOOK: Duration = Duration::from_millis(4_500);
const DUE: Duration = Duration::from_millis(4_998);
/// An average that has not changed by then is not updated.
const LATEST: Duration = Duration::from_secs(6);

/// An update of the averages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update {
    /// When it was, since the update from which they are watched.
    pub(crate) at: Duration,
    /// The averages before it.
    pub(crate) before: Averages,
    /// The averages after it.
    pub(crate) after: Averages,
}

/// Watches the averages.
#[derive(Debug)]
pub(crate) struct Watcher {
    begun: Instant,
    last: Instant,
    averages: Averages,
}

impl Watcher {
    /// Waits for an update, from which the time is counted. It spins until then: the update counts
    /// this thread and can be seen, even if all averages are 0. `None` if there is no update.
    pub(crate) fn at_an_update() -> Option<Self> {
        let (begun, before) = (Instant::now(), averages());
        while averages() == before {
            if begun.elapsed() > LATEST {
                return None;
            }
        }
        let now = Instant::now();
        Some(Self { begun: now, last: now, averages: averages() })
    }

    /// The averages after the last update.
    pub(crate) fn averages(&self) -> Averages {
        self.averages
    }

    /// Sleeps until the next update, and looks at the tasks now and then: each time with the time
    /// `None` if there is no update.
    pub(crate) fn next(&mut self, mut look: impl FnMut()) -> Option<Update> {
        while self.last.elapsed() + LOOK < LAST_LOOK {
            sleep(LOOK);
            look();
        }
        sleep(DUE.saturating_sub(self.last.elapsed()));
        let pause = tick() / 8;
        let before = self.averages;
        while averages() == before {
            if self.last.elapsed() > LATEST {
                return None;
            }
            sleep(pause);
        }
        (self.last, self.averages) = (Instant::now(), averages());
        Some(Update { at: self.last - self.begun, before, after: self.averages })
    }
}

/// The kernel's averages to the last bit, where `/proc/loadavg` rounds: `sysinfo(2)` shifts them by
/// five bits.
fn averages() -> Averages {
    sysinfo().loads.map(|load| load >> 5)
}

/// The kernel's timer tick: its coarse clock advances with it.
pub(crate) fn tick() -> Duration {
    clock_getres(ClockId::MonotonicCoarse).try_into().unwrap_or(Duration::from_millis(4))
}
