//! The Hodges-Lehmann estimate and the exact Wilcoxon signed-rank interval of paired differences.
//!
//! Both come from the Walsh averages, the means `(d_i + d_j) / 2` of every pair `i <= j`: the
//! estimate is their median, and the interval leaves out as many at either end as the exact
//! distribution of the signed-rank statistic allows. Nothing is resampled, so the same
//! differences give the same interval to the last bit.
//!
//! **Ties and zeros** are common here (a histogram has buckets) and need no correction. The
//! interval is closed, and only a difference strictly beyond an end rejects: breaking ties by any
//! infinitesimal jitter moves an end by an infinitesimal, so the tied interval covers at least
//! as often as the untied one. Zeros stay in, as evidence for "no difference".
//!
//! Source: Hollander, Wolfe & Chicken, *Nonparametric Statistical Methods*, 3rd ed., section 3.

use lab_stats::median_of_sorted;

/// The most differences that [`crate::looks`] accepts; the exact distribution of 200 costs about a
/// millisecond.
pub const MOST_PAIRS: u32 = 200;

/// The estimate and interval of a set of paired differences, in their unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The Hodges-Lehmann estimate: the median of the Walsh averages.
    pub estimate: f64,
    /// Lower end, included.
    pub low: f64,
    /// Upper end, included.
    pub high: f64,
    /// The exact confidence: at least `1 - alpha`, usually a little more, since the statistic is
    /// discrete.
    pub level: f64,
}

/// The estimate and the exact two-sided interval, or `None` when there are too few differences
/// for any interval at this `alpha` ([`fewest_pairs`]).
pub fn interval(differences: &[f64], alpha: f64) -> Option<Interval> {
    let (left_out, missed) = cut(differences.len(), alpha)?;
    let walsh = walsh_averages(differences);
    Some(Interval {
        estimate: median_of_sorted(&walsh)?,
        low: walsh[left_out],
        high: walsh[walsh.len() - 1 - left_out],
        level: 1.0 - missed,
    })
}

/// The Hodges-Lehmann estimate alone: the median of the Walsh averages; `None` without differences.
pub fn estimate(differences: &[f64]) -> Option<f64> {
    median_of_sorted(&walsh_averages(differences))
}

/// The exact probability that an interval of `pairs` differences at `alpha` misses the true value:
/// the largest possible one that is at most `alpha`. `None` if even the widest interval misses more
/// often.
pub fn missed(pairs: u32, alpha: f64) -> Option<f64> {
    cut(pairs as usize, alpha).map(|(_, missed)| missed)
}

/// The fewest differences with which a two-sided test at `alpha` can reject at all: equal signs of
/// all K differences have probability `2^(1-K)`.
pub fn fewest_pairs(alpha: f64) -> u32 {
    (1 - alpha.log2().floor() as i64).max(1) as u32
}

/// The number of Walsh averages to leave out at either end, and the two-sided probability of that
/// tail.
fn cut(n: usize, alpha: f64) -> Option<(usize, f64)> {
    if n == 0 {
        return None;
    }
    let mut tail = 0.0;
    let mut kept = None;
    for (rank_sum, p) in lower_half(n).into_iter().enumerate() {
        tail += p;
        if 2.0 * tail > alpha {
            break;
        }
        kept = Some((rank_sum, 2.0 * tail));
    }
    kept
}

/// The exact null distribution of the signed-rank statistic: `P(W = w)` for `w` up to half of its
/// range (it is symmetric). Rank `r` is in the sum or not, each with probability one half.
fn lower_half(n: usize) -> Vec<f64> {
    let half = n * (n + 1) / 4;
    let mut p = vec![0.0; half + 1];
    p[0] = 1.0;
    for rank in 1..=n {
        for w in (0..=half).rev() {
            let with = if w >= rank { p[w - rank] } else { 0.0 };
            p[w] = (p[w] + with) / 2.0;
        }
    }
    p
}

/// Every `(d_i + d_j) / 2` with `i <= j`, sorted.
fn walsh_averages(d: &[f64]) -> Vec<f64> {
    let mut walsh: Vec<f64> =
        (0..d.len()).flat_map(|i| d[i..].iter().map(move |b| (d[i] + b) / 2.0)).collect();
    walsh.sort_unstable_by(f64::total_cmp);
    walsh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_rank_distribution_of_three_matches_hand_calculation() {
        // Rank sums 0, 1, 2, 3, 3, 4, 5, 6 of the subsets of {1, 2, 3}.
        assert_eq!(lower_half(3), [1.0 / 8.0, 1.0 / 8.0, 1.0 / 8.0, 2.0 / 8.0]);
    }

    #[test]
    fn ten_pairs_at_five_percent_miss_fifty_in_1024() {
        assert_eq!(missed(10, 0.05), Some(50.0 / 1024.0));
    }

    #[test]
    fn the_widest_interval_needs_enough_pairs() {
        for (alpha, pairs) in
            [(0.05, 6), (0.02, 7), (0.01, 8), (0.005, 9), (0.0078125, 8), (1.0, 1)]
        {
            assert_eq!(fewest_pairs(alpha), pairs, "at {alpha}");
            assert!(missed(pairs, alpha).is_some());
            assert!(missed(pairs - 1, alpha).is_none());
        }
    }

    #[test]
    fn a_small_example_matches_hand_calculation() {
        // Walsh averages of 1, 2, 4: 1, 1.5, 2, 2.5, 3, 4.
        let found = interval(&[4.0, 1.0, 2.0], 0.25).unwrap();
        assert_eq!((found.estimate, found.low, found.high, found.level), (2.25, 1.0, 4.0, 0.75));
    }

    #[test]
    fn identical_differences_have_a_width_of_zero() {
        let found = interval(&[0.25; 8], 0.02).unwrap();
        assert_eq!((found.low, found.estimate, found.high), (0.25, 0.25, 0.25));
    }

    #[test]
    fn no_differences_give_no_interval() {
        assert_eq!(interval(&[], 0.05), None);
        assert_eq!(estimate(&[]), None);
    }
}
