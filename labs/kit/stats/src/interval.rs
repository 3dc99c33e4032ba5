//! Proportions and means with their 95 % intervals.

use crate::Student;

/// The 95 % Wilson interval of a proportion (Wilson, JASA 1927): sound at 0, at 1 and for few
/// samples, where the textbook interval is not.
pub fn wilson(hits: u64, of: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // At the ends the bound is 0 or 1 itself, of which rounding leaves a speck.
    let low = if hits == 0 { 0.0 } else { (centre - half) / scale };
    let high = if hits == of { 1.0 } else { (centre + half) / scale };
    (low, high)
}

/// The standard error of a proportion whose true value is `p`, from `n` samples.
pub fn binomial_error(p: f64, n: u64) -> f64 {
    (p * (1.0 - p) / n as f64).sqrt()
}

/// The mean of independent values, and its 95 % interval by Student's t; no interval for one.
pub fn mean_interval(values: &[f64]) -> (f64, Option<(f64, f64)>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, None);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = Student { df: values.len() - 1 }.quantile_95() * (variance / n).sqrt();
    (mean, Some((mean - half, mean + half)))
}

/// The mean of values that depend on those before them, such as the waits of a queue, and its 95 %
/// interval: that of the means of `batches` equal stretches, which are nearly independent where
/// each is long against the dependence (Law & Kelton, *Simulation Modeling and Analysis*, 9.5.3).
///
/// What does not fill a batch is left out, at the beginning, where a simulation still fills up.
/// No interval for fewer than two batches, or fewer values than batches.
pub fn batch_means(values: &[f64], batches: usize) -> (f64, Option<(f64, f64)>) {
    let length = values.len() / batches.max(1);
    if length == 0 {
        return (values.iter().sum::<f64>() / values.len() as f64, None);
    }
    let whole = &values[values.len() - length * batches.max(1)..];
    let means: Vec<f64> =
        whole.chunks_exact(length).map(|batch| batch.iter().sum::<f64>() / length as f64).collect();
    mean_interval(&means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splitmix64;

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe, Statistics in Medicine 1998, table I: 81 of 263, 0 of 20.
        let (low, high) = wilson(81, 263);
        assert!((low - 0.2553).abs() < 1e-4 && (high - 0.3662).abs() < 1e-4, "{low} {high}");
        let (low, high) = wilson(0, 20);
        assert!(low == 0.0 && (high - 0.1611).abs() < 1e-4, "{high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn an_interval_needs_two_trials() {
        assert_eq!(mean_interval(&[3.0]), (3.0, None));
        let (mean, interval) = mean_interval(&[1.0, 2.0, 3.0]);
        let (low, high) = interval.unwrap();
        assert!(mean == 2.0 && (low + 0.484).abs() < 1e-3 && (high - 4.484).abs() < 1e-3);
    }

    #[test]
    fn batch_means_cover_the_mean_of_values_that_depend_on_each_other() {
        // An autoregressive series of mean 0: each value is 0.9 of the one before, and noise.
        let series = |seed: u64| {
            let noise =
                (0..20_000).map(move |n| splitmix64(seed, n) as f64 / u64::MAX as f64 - 0.5);
            let correlated = noise.scan(0.0, |last, noise| {
                *last = 0.9 * *last + noise;
                Some(*last)
            });
            correlated.collect::<Vec<f64>>()
        };
        let covers = |interval: (f64, Option<(f64, f64)>)| {
            interval.1.is_some_and(|(low, high)| low <= 0.0 && 0.0 <= high)
        };
        let [mut batched, mut naive] = [0, 0];
        for seed in 0..200 {
            let values = series(seed);
            batched += usize::from(covers(batch_means(&values, 20)));
            naive += usize::from(covers(mean_interval(&values)));
        }
        // 95 % of 200, within four standard errors; as if they were independent it is 35 % of them.
        assert!((178..=200).contains(&batched), "{batched} of 200");
        assert!(naive < 100, "{naive} of 200");
    }

    #[test]
    fn values_that_fill_no_batch_are_left_out_at_the_beginning() {
        assert_eq!(batch_means(&[99.0, 1.0, 1.0, 3.0, 3.0], 2).0, 2.0);
        assert_eq!(batch_means(&[1.0, 3.0], 3), (2.0, None));
        assert_eq!(batch_means(&[1.0, 3.0], 0), (2.0, None));
    }
}
