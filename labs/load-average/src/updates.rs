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
/// From one reading to the next while it is not known when the next update is due.
const SELDOM: Duration = Duration::from_millis(20);

/// An update of the averages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update {
    /// When it was, since the averages are watched.
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
    /// The last update, once there was one.
    last: Option<Instant>,
    averages: Averages,
}

impl Watcher {
    /// Watches from now on, somewhere between two updates.
    pub(crate) fn now() -> Self {
        Self { begun: Instant::now(), last: None, averages: averages() }
    }

    /// Waits for an update, and watches from then on. It spins until then: so the update counts this
    /// thread, and is seen even if all averages are 0. `None` if there is no update.
    pub(crate) fn at_an_update() -> Option<Self> {
        let before = Self::now();
        while averages() == before.averages {
            if before.begun.elapsed() > LATEST {
                return None;
            }
        }
        let begun = Instant::now();
        Some(Self { begun, last: Some(begun), averages: averages() })
    }

    /// The averages after the last update.
    pub(crate) fn averages(&self) -> Averages {
        self.averages
    }

    /// Sleeps until the next update, and looks at something four times a second. `None` if there is
    /// no update.
    pub(crate) fn next(&mut self, mut look: impl FnMut()) -> Option<Update> {
        let from = self.last.unwrap_or_else(Instant::now);
        let mut looked = Instant::now();
        let pause = if self.last.is_some() { tick() / 8 } else { SELDOM };
        while averages() == self.averages {
            let since = from.elapsed();
            if since > LATEST {
                return None;
            }
            if looked.elapsed() >= LOOK && since < LAST_LOOK {
                looked = Instant::now();
                look();
            }
            sleep(match self.last {
                Some(_) if since + LOOK < LAST_LOOK => LOOK,
                Some(_) if since < DUE => DUE - since,
                _ => pause,
            });
        }
        let (now, before) = (Instant::now(), self.averages);
        (self.last, self.averages) = (Some(now), averages());
        Some(Update { at: now - self.begun, before, after: self.averages })
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
