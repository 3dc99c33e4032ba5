//! What a sample's shape says: how far the farthest value lies, how often its density rises and
//! falls, and where a frequency trail is cut. Values are in µs, and in ascending order.

use lab_kit::stats::quantile_of_sorted;

/// A farthest value this many standard deviations above the mean is an outlier.
pub(crate) const OUTLYING: f64 = 6.0;
/// From this value on, there is more than one mode.
pub(crate) const MULTIMODAL: f64 = 2.4;

/// The mean and the standard deviation.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// By how many standard deviations the largest value lies above the mean.
pub(crate) fn max_sigma(sorted: &[f64]) -> f64 {
    let (mean, deviation) = moments(sorted);
    (sorted[sorted.len() - 1] - mean) / deviation
}

/// How often a histogram rises and falls, in heights of its highest bin: 2 for one mode, 4 for two
/// of one height with nothing between them.
pub(crate) fn rises_and_falls(bins: &[f64]) -> f64 {
    let highest = bins.iter().copied().fold(0.0, f64::max);
    let ends = [bins.first(), bins.last()].into_iter().flatten().sum::<f64>();
    let inside: f64 = bins.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
    (ends + inside) / highest
}

/// The mvalue of a sample: of its histogram within Tukey's fences, with bins by Scott's rule. The
/// source takes a smoothed density within the same fences.
pub(crate) fn mvalue(sorted: &[f64]) -> f64 {
    let quartile = |q| quantile_of_sorted(sorted, q).unwrap_or_default();
    let (first, third) = (quartile(0.25), quartile(0.75));
    let fence = 1.5 * (third - first);
    let from = sorted.partition_point(|value| *value < first - fence);
    let to = sorted.partition_point(|value| *value <= third + fence);
    let inside = &sorted[from..to];
    let width = 3.49 * moments(inside).1 / libm::cbrt(inside.len() as f64);
    rises_and_falls(&histogram(inside, inside[0], width))
}

/// Counts of the values in bins of this width, the first of which begins at `from`.
pub(crate) fn histogram(sorted: &[f64], from: f64, width: f64) -> Vec<f64> {
    let bin = |value: f64| ((value - from) / width) as usize;
    let mut bins = vec![0.0; bin(sorted[sorted.len() - 1]) + 1];
    sorted.iter().for_each(|value| bins[bin(*value)] += 1.0);
    bins
}

/// The stretches of a sample's frequency trail, in µs: where its smoothed density is at least `cut`
/// times 1/(standard deviation × number of values).
pub(crate) fn trail(sorted: &[f64], cut: f64) -> Vec<(f64, f64)> {
    let (bandwidth, step) = (bandwidth(sorted), bandwidth(sorted) / 8.0);
    let reach = 8 * REACH;
    let from = sorted[0] - f64::from(reach) * step;
    let kernel = |steps: i32| {
        let z = f64::from(steps) / 8.0;
        libm::exp(-z * z / 2.0) / (bandwidth * std::f64::consts::TAU.sqrt())
    };
    let kernel: Vec<f64> = (-reach..=reach).map(kernel).collect();
    let counts = histogram(sorted, from, step);
    let mut density = vec![0.0; counts.len() + kernel.len()];
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
        let near = density[at.saturating_sub(reach as usize)..].iter_mut();
        near.zip(&kernel).for_each(|(sum, weight)| *sum += count * weight);
    }
    // Densities are still n times too high.
    let least = cut / moments(sorted).1;
    let place = |i: usize| from + i as f64 * step;
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for i in (0..density.len()).filter(|i| density[*i] >= least) {
        match stretches.last_mut() {
            Some(last) if last.1 == i => last.1 = i + 1,
            _ => stretches.push((i, i + 1)),
        }
    }
    stretches.into_iter().map(|(begin, end)| (place(begin), place(end))).collect()
}

/// How far a kernel reaches, in bandwidths: beyond, no cut above 0 would keep it.
const REACH: i32 = 5;

/// Silverman's rule, R's default: 0.9 × the smaller of standard deviation and interquartile range /
/// 1.34, × n^(-1/5).
pub(crate) fn bandwidth(sorted: &[f64]) -> f64 {
    let quartile = |q| quantile_of_sorted(sorted, q).unwrap_or_default();
    let spread = moments(sorted).1.min((quartile(0.75) - quartile(0.25)) / 1.34);
    0.9 * spread * libm::pow(sorted.len() as f64, -0.2)
}

/// Two values further apart than this are two stretches, if no other is near.
pub(crate) fn grain(sorted: &[f64]) -> f64 {
    let (bandwidth, deviation) = (bandwidth(sorted), moments(sorted).1);
    let height = 2.0 * deviation / (bandwidth * std::f64::consts::TAU.sqrt());
    2.0 * bandwidth * (2.0 * libm::log(height)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mode_rises_and_falls_twice_and_each_further_one_twice_more() {
        assert_eq!(rises_and_falls(&[1.0, 5.0, 9.0, 2.0]), 2.0);
        assert_eq!(rises_and_falls(&[4.0, 0.0, 4.0]), 4.0);
        assert_eq!(rises_and_falls(&[4.0, 0.0, 4.0, 0.0, 2.0]), 5.0);
    }

    #[test]
    fn a_value_apart_from_all_others_is_a_stretch_of_its_own_unless_nothing_is_cut() {
        let mut values: Vec<f64> = (0..1_000).map(|i| 1_000.0 + f64::from(i) / 10.0).collect();
        values.push(5_000.0);
        assert_eq!(trail(&values, 1.0).len(), 2);
        assert_eq!(trail(&values, 0.0).len(), 1);
    }
}
