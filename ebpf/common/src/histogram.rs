//! Log-linear buckets: each power of two is divided into sixteen, so a bucket is at most 1/16 as
//! wide as its values. Each value below 16 has its own bucket.

/// Buckets for each power of two.
const CUTS: u64 = 1 << CUT_BITS;
const CUT_BITS: u32 = 4;

/// Buckets of a histogram, for values from 0 to `u64::MAX`.
pub const SLOTS: u32 = 976;

/// The slot after the buckets: the exact sum of all values.
pub const SUM: u32 = SLOTS;

/// Slots of a map that holds a histogram.
pub const LEN: u32 = SLOTS + 1;

/// The bucket that `value` falls into: below [`SLOTS`].
#[inline(always)]
pub fn slot(value: u64) -> u32 {
    if value < CUTS {
        return value as u32;
    }
    let shift = 63 - value.leading_zeros() - CUT_BITS;
    shift * CUTS as u32 + (value >> shift) as u32
}

/// The lowest and the highest value in a bucket below [`SLOTS`].
pub fn bounds(slot: u32) -> (u64, u64) {
    let slot = u64::from(slot);
    if slot < 2 * CUTS {
        return (slot, slot);
    }
    let shift = slot / CUTS - 1;
    let low = (slot % CUTS + CUTS) << shift;
    (low, low + ((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap() {
        assert_eq!(bounds(0), (0, 0));
        for slot in 1..SLOTS {
            assert_eq!(bounds(slot).0, bounds(slot - 1).1 + 1, "{slot}");
        }
        assert_eq!(bounds(SLOTS - 1).1, u64::MAX);
    }

    #[test]
    fn a_value_falls_within_the_bounds_of_its_bucket() {
        for bucket in 0..SLOTS {
            let (low, high) = bounds(bucket);
            assert_eq!((slot(low), slot(high)), (bucket, bucket));
        }
    }

    #[test]
    fn a_bucket_is_at_most_a_sixteenth_as_wide_as_its_values() {
        for slot in 0..SLOTS {
            let (low, high) = bounds(slot);
            assert!((high - low) <= low / 16, "{slot}");
        }
    }
}
