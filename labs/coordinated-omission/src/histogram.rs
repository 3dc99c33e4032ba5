//! Measures an HDR histogram: its size, its error, its sums.

use hdrhistogram::Histogram;
use lab_kit::{Figure, Gap};

/// An hour in microseconds: the range in the README's example.
pub(crate) const HOUR_US: u64 = 3_600_000_000;

pub(crate) fn of_an_hour(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, HOUR_US, digits).expect("constant bounds are valid")
}

/// Bytes of its counts and, as the README computes, half a KiB for the rest.
pub(crate) fn bytes(histogram: &Histogram<u64>) -> f64 {
    512.0 + 8.0 * histogram.distinct_values() as f64
}

/// The largest relative error of a value that is recorded and read back, over 2,000 values at
/// equal ratios from 1 to an hour.
pub(crate) fn worst_error(digits: u8) -> f64 {
    let mut histogram = of_an_hour(digits);
    let error = |i: i32| {
        let value = (HOUR_US as f64).powf(f64::from(i) / 1_999.0) as u64;
        histogram.clear();
        histogram.record(value).expect("the value is in range");
        let read = histogram.value_at_quantile(1.0);
        read.abs_diff(value) as f64 / value as f64
    };
    (0..2_000).map(error).fold(0.0, f64::max)
}

/// How many counts differ between one histogram of all values, and the sum of those that
/// `threads` kept apart: of their counts, or of a hundred percentiles of each.
pub(crate) fn counts_that_differ(values: &[u64], threads: usize, add: &str) -> Result<Figure, Gap> {
    let fill = |part: &mut dyn Iterator<Item = &u64>| {
        let mut histogram = of_an_hour(3);
        part.for_each(|value| histogram.saturating_record(*value));
        histogram
    };
    let whole = fill(&mut values.iter());
    let mut sum = of_an_hour(3);
    for thread in 0..threads {
        let part = fill(&mut values.iter().skip(thread).step_by(threads));
        if add == "counts" {
            sum.add(part).map_err(|e| Gap::Unavailable(format!("{e}")))?;
        } else {
            let tells = |percent: u32| part.value_at_quantile(f64::from(percent) / 100.0);
            (1..=100).for_each(|percent| {
                sum.saturating_record_n(tells(percent), part.len() / 100);
            });
        }
    }
    Ok(Figure::exact(differing(&whole, &sum), "counts"))
}

pub(crate) fn differing(left: &Histogram<u64>, right: &Histogram<u64>) -> f64 {
    let differs = |v: &u64| left.count_at(*v) != right.count_at(*v);
    let values = |h: &Histogram<u64>| h.iter_recorded().map(|v| v.value_iterated_to()).collect();
    let mut all: Vec<u64> = values(left);
    all.append(&mut values(right));
    all.sort_unstable();
    all.dedup();
    all.iter().filter(|v| differs(v)).count() as f64
}
