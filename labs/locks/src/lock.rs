//! Locks that count their calls of the kernel.
//!
//! Three mutexes and the spin lock are one algorithm with two parameters: how often a thread looks
//! before it waits, and whether an unlock makes the call that wakes a thread even if none waits.

use std::hint::spin_loop;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicUsize};

use rustix::thread::futex::{Flags, wait, wake};

/// The locks by name; [`Lock::new`] makes them.
pub const KINDS: [&str; 5] = ["mutex-2", "mutex-1", "mutex-3", "spin", "in-order"];

/// States of a lock, and of a place in line.
const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and a thread may wait in the kernel.
const AWAITED: u32 = 2;
/// The holder of this place has the lock.
const GRANTED: u32 = 3;

/// Threads that may wait in line at once.
const PLACES: usize = 64;

/// Calls of the kernel that a thread made.
#[derive(Debug, Default, Clone, Copy)]
pub struct Calls {
    /// FUTEX_WAIT.
    pub waits: u64,
    /// FUTEX_WAKE.
    pub wakes: u64,
}

/// A lock around no data, with lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub struct Lock(Kind);

#[derive(Debug)]
enum Kind {
    /// The thread that finds it free takes it, whether others have waited or not.
    AnyOrder { state: AtomicU32, looks: u32, wakes_always: bool },
    /// It is handed to the thread that asked first, and stays held meanwhile. Supports [`PLACES`]
    /// threads.
    InOrder { next: AtomicUsize, places: Box<[AtomicU32; PLACES]> },
}

impl Lock {
    /// A free lock, by its name in [`KINDS`].
    ///
    /// # Panics
    /// There is no such lock.
    pub fn new(name: &str) -> Self {
        let any = |looks, wakes_always| {
            Self(Kind::AnyOrder { state: AtomicU32::new(FREE), looks, wakes_always })
        };
        match name {
            "mutex-1" => any(0, true),
            "mutex-2" => any(0, false),
            "mutex-3" => any(100, false),
            // Minutes.
            "spin" => any(u32::MAX, false),
            "in-order" => {
                let places = Box::new([const { AtomicU32::new(FREE) }; PLACES]);
                places[0].store(GRANTED, Relaxed);
                Self(Kind::InOrder { next: AtomicUsize::new(0), places })
            }
            _ => panic!("no lock is called {name}"),
        }
    }

    /// Runs `section` while this thread holds the lock.
    #[inline]
    pub fn hold<T>(&self, calls: &mut Calls, section: impl FnOnce() -> T) -> T {
        match &self.0 {
            Kind::AnyOrder { state, looks, wakes_always } => {
                if state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
                    wait_until_free(state, *looks, calls);
                }
                let done = section();
                if state.swap(FREE, Release) == AWAITED || *wakes_always {
                    wake_one(state, calls);
                }
                done
            }
            Kind::InOrder { next, places } => {
                let place = next.fetch_add(1, Relaxed);
                wait_in_line(&places[place % PLACES], calls);
                let done = section();
                let after = &places[(place + 1) % PLACES];
                if after.swap(GRANTED, Release) == AWAITED {
                    wake_one(after, calls);
                }
                done
            }
        }
    }
}

/// Takes the lock when it is free: looks some times first, then waits in the kernel.
#[inline(never)]
fn wait_until_free(state: &AtomicU32, looks: u32, calls: &mut Calls) {
    for _ in 0..looks {
        let free = state.load(Relaxed) == FREE;
        if free && state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok() {
            return;
        }
        spin_loop();
    }
    // Others may wait too, so it stays marked.
    while state.swap(AWAITED, Acquire) != FREE {
        wait_while(state, AWAITED, calls);
    }
}

#[inline(never)]
fn wait_in_line(place: &AtomicU32, calls: &mut Calls) {
    while place.compare_exchange(FREE, AWAITED, Acquire, Acquire) != Err(GRANTED) {
        wait_while(place, AWAITED, calls);
    }
    place.store(FREE, Relaxed);
}

fn wait_while(state: &AtomicU32, value: u32, calls: &mut Calls) {
    calls.waits += 1;
    // The result does not matter: the caller looks again.
    let _ = wait(state, Flags::PRIVATE, value, None);
}

fn wake_one(state: &AtomicU32, calls: &mut Calls) {
    calls.wakes += 1;
    let _ = wake(state, Flags::PRIVATE, 1);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn two_threads_never_hold_a_lock_at_once() {
        for name in KINDS {
            let (lock, sum) = (Lock::new(name), AtomicU64::new(0));
            let add = || sum.store(sum.load(Relaxed) + 1, Relaxed);
            let work = || {
                let mut calls = Calls::default();
                (0..20_000).for_each(|_| lock.hold(&mut calls, add));
            };
            std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(work))));
            assert_eq!(sum.into_inner(), 60_000, "{name}");
        }
    }
}
