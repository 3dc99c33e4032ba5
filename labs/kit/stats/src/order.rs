//! Medians and quantiles of values in memory.
//!
//! One convention: a quantile that falls between two values is interpolated between them (the
//! seventh definition of Hyndman & Fan, *The American Statistician* 1996; R's default and NumPy's),
//! so the median of an even number of values is the mean of the two in the middle. Histograms have
//! their own: `value_at_quantile` of HdrHistogram names a value that was recorded.

/// The median; `None` if there are no values.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

/// The median of values in ascending order; `None` if there are none.
pub fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(f64::midpoint(sorted[last / 2], sorted[sorted.len() / 2]))
}

/// The quantile `q` (0 to 1) of values in ascending order; `None` if there are none.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let place = q.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

/// The median of values in ascending order, each with its count; `None` if there are none.
pub fn median_of_counts(counts: &[(u64, u64)]) -> Option<f64> {
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let last = all.checked_sub(1)?;
    let at = |place: u64| {
        let mut passed = 0;
        let mut values = counts.iter().map(|(value, count)| {
            passed += count;
            (*value, passed)
        });
        values.find_map(|(value, passed)| (passed > place).then_some(value as f64))
    };
    Some(f64::midpoint(at(last / 2)?, at(all / 2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([3.0, 1.0, 2.0, 10.0]), Some(2.5));
        assert_eq!(median([]), None);
        assert_eq!(median([f64::MAX, f64::MAX]), Some(f64::MAX), "no overflow on the way");
    }

    #[test]
    fn quantiles_are_those_of_hyndman_and_fans_seventh_definition() {
        // numpy.quantile([1, 2, 3, 5], [0, 0.25, 0.5, 0.75, 0.9, 1])
        let sorted = [1.0, 2.0, 3.0, 5.0];
        for (q, value) in
            [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.75, 3.5), (0.9, 4.4), (1.0, 5.0)]
        {
            let found = quantile_of_sorted(&sorted, q).unwrap();
            assert!((found - value).abs() < 1e-12, "{q}: {found}");
        }
        assert_eq!(quantile_of_sorted(&[4.0], 0.25), Some(4.0));
        assert_eq!(quantile_of_sorted(&[], 0.5), None);
    }

    #[test]
    fn counted_values_have_the_median_of_the_values_themselves() {
        for counts in [vec![(1, 1), (2, 2), (9, 1)], vec![(1, 2), (9, 2)], vec![(5, 3)], vec![]] {
            let repeated = |&(value, count): &(u64, u64)| {
                std::iter::repeat_n(value as f64, usize::try_from(count).unwrap())
            };
            let each = counts.iter().flat_map(repeated);
            assert_eq!(median_of_counts(&counts), median(each), "{counts:?}");
        }
    }
}
