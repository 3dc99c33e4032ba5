//! The scheduler's counters for each thread of a process. They show how long threads were off the
//! CPU without a probe seeing it: it does not see the beginning of a wait that began before it, and
//! sees nothing of one that never ends.

use std::collections::HashMap;
use std::fs;

use crate::target::now_ns;

/// The shortest time that counts as a wait: shorter ones pass between two readings.
const LEAST_NS: u64 = 5_000_000;

/// How long each thread has run and waited for a CPU, in nanoseconds.
pub(crate) struct Accounts {
    process: u32,
    since_ns: u64,
    used_ns: HashMap<u32, u64>,
}

/// Threads that were off the CPU without the probe seeing it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Away {
    /// The number of threads.
    pub(crate) threads: usize,
    /// The total time in nanoseconds.
    pub(crate) ns: u64,
}

impl Accounts {
    /// Reads the current accounts.
    pub(crate) fn of(process: u32) -> Self {
        Self { process, since_ns: now_ns(), used_ns: used(process) }
    }

    /// For threads that exist in both readings: the time between them in which they neither ran,
    /// nor waited for a CPU, nor were `seen` off the CPU (nanoseconds by thread id).
    pub(crate) fn unseen(&self, now: &Self, seen: &HashMap<u32, u64>) -> Away {
        let since_ns = now.since_ns.saturating_sub(self.since_ns);
        let unseen = self.used_ns.iter().filter_map(|(thread, before)| {
            let used = now.used_ns.get(thread)?.saturating_sub(*before);
            let seen = seen.get(thread).copied().unwrap_or(0);
            Some(since_ns.saturating_sub(used + seen)).filter(|&ns| ns >= LEAST_NS)
        });
        unseen.fold(Away { threads: 0, ns: 0 }, |all, ns| Away {
            threads: all.threads + 1,
            ns: all.ns + ns,
        })
    }

    /// Reads the accounts of the same process again.
    pub(crate) fn again(&self) -> Self {
        Self::of(self.process)
    }
}

impl Away {
    /// A note, if any thread was off the CPU unseen.
    pub(crate) fn note(&self) -> Option<String> {
        (self.threads > 0).then(|| {
            format!(
                "of {} threads it is not known where they stood before their first switch: those \
                 {:.3} s are in no figure",
                self.threads,
                self.ns as f64 / 1e9
            )
        })
    }
}

fn used(process: u32) -> HashMap<u32, u64> {
    let threads = lab_proc::threads(process).unwrap_or_default();
    let used = |thread: u32| {
        let path = format!("/proc/{process}/task/{thread}/schedstat");
        let text = fs::read_to_string(path).ok()?;
        let figures = text.split_whitespace().take(2).map(|figure| figure.parse::<u64>().ok());
        Some((thread, figures.sum::<Option<u64>>()?))
    };
    threads.into_iter().filter_map(|(thread, _)| used(thread)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_never_runs_and_shows_no_wait_is_unseen() {
        let at = |since_ns, used: &[(u32, u64)]| Accounts {
            process: 1,
            since_ns,
            used_ns: used.iter().copied().collect(),
        };
        const S: u64 = 1_000_000_000;
        // One thread runs, one is seen to wait, one is never switched in again, and two do not
        // exist the whole time.
        let before = at(S, &[(1, 0), (2, 5), (3, 7), (4, 0)]);
        let now = at(3 * S, &[(1, 2 * S), (2, 5), (3, 7), (5, 1)]);
        let seen = HashMap::from([(2, 2 * S - 1_000_000)]);
        assert_eq!(before.unseen(&now, &seen), Away { threads: 1, ns: 2 * S });
        assert_eq!(Away { threads: 0, ns: 0 }.note(), None);
    }
}
