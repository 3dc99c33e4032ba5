//! Frequency trails: densities one above the other, cut where nothing was recorded, so that single
//! outliers stand as grains beside the trail (Gregg, "Frequency Trails", 2013).

use hdrhistogram::Histogram;
use lab_record::hlog::recorded;
use lab_record::{SeriesFacts, SeriesSummary};
use serde::Serialize;

/// Bins in each doubling: neighbours differ by 2 %.
pub(crate) const BINS_PER_OCTAVE: f64 = 32.0;
/// The standard deviation of the kernel that smooths, in bins.
const KERNEL: f64 = 2.0;

/// The density of one label's series over the logarithm of its values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Trail {
    pub(crate) label: String,
    /// Values that it was made of.
    pub(crate) count: u64,
    /// The first bin; bin b holds values around 2^(b/32) ns.
    pub(crate) first: i64,
    /// The density of each bin as a share of the highest; `None` where the trail is cut.
    pub(crate) heights: Vec<Option<f64>>,
    #[serde(skip)]
    pub(crate) figures: SeriesSummary,
}

/// The trail of a histogram; `None` where it is empty.
pub(crate) fn trail(label: &str, histogram: &Histogram<u64>, facts: SeriesFacts) -> Option<Trail> {
    let bin = |ns: u64| ((ns.max(1) as f64).log2() * BINS_PER_OCTAVE).round() as i64;
    let reach = (3.0 * KERNEL).ceil() as i64;
    let (low, high) = (bin(histogram.min()) - reach, bin(histogram.max()) + reach);
    let count = histogram.len();
    if count == 0 {
        return None;
    }
    let (mut smooth, mut moments) = (vec![0.0; (high - low + 1) as usize], (0.0, 0.0));
    for (ns, times) in recorded(histogram) {
        let (at, times) = (bin(ns), times as f64);
        moments.0 += times * at as f64;
        moments.1 += times * (at as f64).powi(2);
        for near in -reach..=reach {
            smooth[(at + near - low) as usize] += times * kernel(near);
        }
    }
    let (n, highest) = (count as f64, smooth.iter().copied().fold(0.0, f64::max));
    let deviation = (moments.1 / n - (moments.0 / n).powi(2)).max(0.0).sqrt();
    // Half of a single value's height at most, so that each stands as a grain.
    let cut = (1.0 / deviation).min(kernel(0) / 2.0);
    let height = |density: f64| (density >= cut).then(|| rounded(density / highest));
    let heights = smooth.into_iter().map(height).collect();
    let figures = SeriesSummary::new(histogram, facts);
    Some(Trail { label: label.to_owned(), count, first: low, heights, figures })
}

fn kernel(bins: i64) -> f64 {
    let z = bins as f64 / KERNEL;
    (-z * z / 2.0).exp() / (KERNEL * std::f64::consts::TAU.sqrt())
}

/// To ten thousandths: more digits would only make the page larger.
fn rounded(height: f64) -> f64 {
    (height * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use lab_record::hlog::histogram;

    use super::*;

    fn of(values: &[(u64, u64)]) -> Trail {
        let mut histogram = histogram();
        for (ns, times) in values {
            histogram.record_n(*ns, *times).unwrap();
        }
        trail("calm", &histogram, SeriesFacts::default()).unwrap()
    }

    /// Stretches that are drawn: how many bins each has.
    fn stretches(trail: &Trail) -> Vec<usize> {
        let drawn = trail.heights.split(Option::is_none);
        drawn.map(<[_]>::len).filter(|length| *length > 0).collect()
    }

    #[test]
    fn a_single_outlier_is_a_grain_apart_from_the_trail() {
        let bulk: Vec<(u64, u64)> = (900..1_100).map(|us| (us * 1_000, 50)).collect();
        let alone = of(&bulk);
        assert_eq!(stretches(&alone).len(), 1, "{alone:?}");
        let beside = of(&[bulk, vec![(9_000_000, 1)]].concat());
        let found = stretches(&beside);
        assert!(found.len() == 2 && found[1] < 8 && found[0] > found[1], "{found:?}");
    }

    #[test]
    fn the_highest_bin_is_where_most_values_are() {
        let two = of(&[(1_000_000, 300), (8_000_000, 100)]);
        let at = |octave: f64| {
            let bin = ((1e6f64.log2() + octave) * BINS_PER_OCTAVE).round() as i64 - two.first;
            two.heights[bin as usize]
        };
        assert_eq!((at(0.0), at(1.5)), (Some(1.0), None));
        assert!((at(3.0).unwrap() - 1.0 / 3.0).abs() < 0.01, "{:?}", at(3.0));
        assert_eq!(two.count, 400);
    }

    #[test]
    fn values_that_are_all_the_same_have_a_trail() {
        assert_eq!(stretches(&of(&[(5_000, 1)])).len(), 1);
        assert!(trail("none", &histogram(), SeriesFacts::default()).is_none());
    }
}
