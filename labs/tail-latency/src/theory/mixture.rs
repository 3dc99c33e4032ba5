//! Brooker's leaf: 99 % Normal(10 ms, sd 2 ms), 1 % Normal(100 ms, sd 10 ms), asked in parallel and in series.
//!
//! Source: Marc Brooker, "Tail Latency Might Matter More Than You Think", 2021-04-19.
//! The post says that the rare slow mode grows the variance by "a factor of 25"; the distribution it gives
//! grows it 85.15 / 4 = 21.3 times ([`variance_ratio`]). The post is rounded or drawn from a sample.

/// Share of requests in the slow mode.
pub const SLOW: f64 = 0.01;
/// Mean and standard deviation of the typical mode, in ms.
pub const TYPICAL_MS: (f64, f64) = (10.0, 2.0);
/// Mean and standard deviation of the slow mode, in ms.
pub const SLOW_MS: (f64, f64) = (100.0, 10.0);

/// A leaf's time in ms from a uniform draw `u`, which picks the mode, and a standard normal draw `z`.
///
/// Never negative: five standard deviations below the typical mean count as zero.
pub fn leaf_ms(u: f64, z: f64) -> f64 {
    let (mean, sd) = if u < SLOW { SLOW_MS } else { TYPICAL_MS };
    (mean + sd * z).max(0.0)
}

/// Mean in ms, where a share `slow` is in the slow mode: 10.9.
pub fn mean_ms(slow: f64) -> f64 {
    (1.0 - slow) * TYPICAL_MS.0 + slow * SLOW_MS.0
}

/// Variance in ms²: 85.15. A chain of k such leaves has k times the mean and k times the variance.
pub fn variance_ms2(slow: f64) -> f64 {
    let second = |(mean, sd): (f64, f64)| mean * mean + sd * sd;
    (1.0 - slow) * second(TYPICAL_MS) + slow * second(SLOW_MS) - mean_ms(slow).powi(2)
}

/// How many times the slow mode multiplies the variance of the typical one, for one leaf and for any chain of them.
pub fn variance_ratio(slow: f64) -> f64 {
    variance_ms2(slow) / TYPICAL_MS.1.powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::fanout::slow_root_probability;

    #[test]
    fn ten_in_parallel_see_the_slow_mode_one_time_in_ten() {
        assert!((slow_root_probability(SLOW, 10) - 0.0956).abs() < 5e-5);
    }

    #[test]
    fn the_variance_grows_21_times_not_25() {
        assert!((mean_ms(SLOW) - 10.9).abs() < 1e-12);
        assert!((variance_ms2(SLOW) - 85.15).abs() < 1e-9);
        assert!((variance_ratio(SLOW) - 21.2875).abs() < 1e-9);
    }

    #[test]
    fn the_first_draw_picks_the_mode() {
        assert_eq!(leaf_ms(0.0099, 0.5), 105.0);
        assert_eq!(leaf_ms(0.0100, 0.5), 11.0);
        assert_eq!(leaf_ms(0.5, -9.0), 0.0);
    }
}
