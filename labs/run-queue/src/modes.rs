//! The modes of a distribution of waits: where values cluster, and whether they do so twice.
//!
//! Values are put into buckets of powers of two, as `runqlat` of bcc prints them. There are two
//! modes where between two peaks lies a valley of at most half of the lower one. What holds less
//! than a hundredth of all values is no peak.

/// The first bucket holds everything below 16 µs. A switch takes a few µs, but by the kernel's
/// account a thread that gets the CPU as soon as it wakes has waited 0, since the run queue's clock
/// is read once for both.
const FIRST_NS: u64 = 8 << 10;
/// A second peak holds at least this share of all values.
const LEAST: f64 = 0.01;
/// The valley before a second peak holds at most this share of it.
const VALLEY: f64 = 0.5;

/// The buckets that stand out: their lower bounds, in nanoseconds, lower one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) first_ns: u64,
    /// `None` where all values are in one cluster.
    pub(crate) second_ns: Option<u64>,
}

/// The modes of values, each with its count; `None` without values.
pub(crate) fn modes(values_ns: impl IntoIterator<Item = (u64, u64)>) -> Option<Modes> {
    let mut buckets = [0; 64];
    for (value_ns, count) in values_ns {
        buckets[value_ns.max(FIRST_NS).ilog2() as usize] += count;
    }
    let total: u64 = buckets.iter().sum();
    let highest = (0..buckets.len()).max_by_key(|bucket| buckets[*bucket])?;
    let second = (0..buckets.len())
        .filter(|bucket| buckets[*bucket] as f64 >= LEAST * total as f64)
        .filter(|bucket| is_apart(&buckets, highest, *bucket))
        .max_by_key(|bucket| buckets[*bucket]);
    let bound_ns = |bucket: usize| 1 << bucket;
    (total > 0).then(|| Modes {
        first_ns: bound_ns(second.map_or(highest, |second| second.min(highest))),
        second_ns: second.map(|second| bound_ns(second.max(highest))),
    })
}

/// Whether a valley lies between the highest peak and another bucket.
fn is_apart(buckets: &[u64], highest: usize, other: usize) -> bool {
    let between = &buckets[highest.min(other)..=highest.max(other)];
    let lowest = between.iter().min().copied().unwrap_or_default();
    highest != other && lowest as f64 <= VALLEY * buckets[other] as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u64 = 1 << 10;
    const MS: u64 = 1 << 20;

    #[test]
    fn two_peaks_with_a_valley_between_are_two_modes() {
        // The source's own shape: microseconds, and milliseconds.
        let waits = [(US, 60), (2 * US, 230), (4 * US, 40), (MS, 3), (8 * MS, 20), (16 * MS, 800)];
        let found = modes(waits).unwrap();
        assert_eq!(found, Modes { first_ns: FIRST_NS, second_ns: Some(16 * MS) });
        // As by the kernel's account: many have not waited at all.
        let waits = [(0, 500), (US, 3), (8 * US, 190), (64 * US, 10), (2 * MS, 180)];
        assert_eq!(modes(waits).unwrap().second_ns, Some(2 * MS));
    }

    #[test]
    fn one_peak_and_its_slopes_are_one_mode() {
        let heap = [(0, 60), (2 * US, 230), (16 * US, 100), (32 * US, 30)];
        assert_eq!(modes(heap), Some(Modes { first_ns: FIRST_NS, second_ns: None }));
        // A shoulder, not a valley.
        let shoulder = [(2 * US, 230), (16 * US, 100), (32 * US, 120)];
        assert_eq!(modes(shoulder).unwrap().second_ns, None);
        // Too few to matter.
        assert_eq!(modes([(US, 1_000), (MS, 9)]).unwrap().second_ns, None);
        assert_eq!(modes([(US, 1_000), (MS, 11)]).unwrap().second_ns, Some(MS));
        assert_eq!(modes([]), None);
    }
}
