//! Waiting for some of many answers: order statistics.

/// The probability that the `k`-th of `n` independent answers comes after a moment at which each is
/// still missing with probability `late`: fewer than `k` have come, `Σ_{j<k} C(n, j) (1 − late)^j
/// late^(n−j)` (David & Nagaraja, Order Statistics, 2003, 2.1.3). It is 1 if `k` exceeds `n`. Exact
/// up to some 1,000 answers; beyond, the binomial coefficients overflow.
pub fn kth_is_late(late: f64, k: u32, n: u32) -> f64 {
    let power = |base: f64, exponent: u32| libm::pow(base, f64::from(exponent));
    let (mut choose, mut sum) = (1.0, 0.0);
    for there in 0..k.min(n + 1) {
        sum += choose * power(1.0 - late, there) * power(late, n - there);
        choose *= f64::from(n - there) / f64::from(there + 1);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds up all ways in which `n` answers may have come or be missing.
    fn counted(late: f64, k: u32, n: u32) -> f64 {
        let weight = |missing: u32| {
            let count = missing.count_ones() as i32;
            late.powi(count) * (1.0 - late).powi(n as i32 - count)
        };
        (0..1 << n).filter(|missing: &u32| n - missing.count_ones() < k).map(weight).sum()
    }

    #[test]
    fn the_sum_equals_all_ways_counted() {
        for (k, n) in [(1, 1), (2, 3), (1, 5), (3, 5), (9, 10), (10, 10), (4, 3)] {
            for late in [0.0, 1e-3, 0.01, 0.3, 1.0] {
                let (sum, all) = (kth_is_late(late, k, n), counted(late, k, n));
                assert!((sum - all).abs() < 1e-12, "{k} of {n} at {late}: {sum}, not {all}");
            }
        }
    }

    #[test]
    fn many_answers_are_no_overflow() {
        assert!((kth_is_late(0.5, 500, 999) - 0.5).abs() < 1e-9, "a majority of an odd number");
        assert!((kth_is_late(0.01, 1_000, 1_000) - (1.0 - 0.99_f64.powi(1_000))).abs() < 1e-9);
    }
}
