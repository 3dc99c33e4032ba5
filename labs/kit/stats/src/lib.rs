//! The statistics that labs, runner and report share: one function for each, with one convention.
#![warn(missing_docs)]

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

/// Mean of the values of several trials and its 95 % interval by Student's t; no interval for one.
pub fn mean_interval(values: &[f64]) -> (f64, Option<(f64, f64)>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, None);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = student_975(values.len() - 1) * (variance / n).sqrt();
    (mean, Some((mean - half, mean + half)))
}

/// The 97.5 % quantile of Student's t; beyond 30 degrees of freedom the normal one, low by < 4 %.
fn student_975(degrees: usize) -> f64 {
    const T: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045, 2.042,
    ];
    T.get(degrees - 1).copied().unwrap_or(1.96)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
