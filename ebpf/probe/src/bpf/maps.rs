//! Turns the contents of maps into parts of a record.

use lab_probe_common::histogram::{SLOTS, SUM, bounds};
use lab_record::probe::ProbeHistogram;

/// A histogram from the counts of its slots, in order.
pub(crate) fn histogram(
    name: &str,
    thread: Option<String>,
    unit: &str,
    slots: impl IntoIterator<Item = (u32, u64)>,
) -> ProbeHistogram {
    let (mut sum, mut count, mut buckets) = (0, 0, Vec::new());
    for (slot, held) in slots {
        if slot == SUM {
            sum = held;
        } else if slot < SLOTS && held > 0 {
            let (low, high) = bounds(slot);
            count += held;
            buckets.push((low, high, held));
        }
    }
    ProbeHistogram { name: name.to_owned(), thread, unit: unit.to_owned(), count, sum, buckets }
}

/// A name from the kernel, up to its first zero.
pub(crate) fn name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_buckets_are_left_out_and_the_sum_is_none() {
        let slots = [(3, 2), (4, 0), (SUM, 6)];
        let read = histogram("x", None, "ns", slots);
        assert_eq!((read.count, read.sum, read.buckets), (2, 6, vec![(3, 3, 2)]));
    }

    #[test]
    fn a_name_ends_at_its_zero() {
        assert_eq!(name(b"cat\0junk"), "cat");
        assert_eq!(name(b"fifteen letters"), "fifteen letters");
    }
}
