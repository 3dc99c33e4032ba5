//! How far each frame is from no change, for one way to deal the trials to the two sides.

use lab_stats::median;

use super::{Counts, Exposure};

/// The counts of one frame, and what their variance needs.
pub(super) struct Row {
    counts: Vec<f64>,
    /// Each count squared, over its trial's divisor.
    squares: Vec<f64>,
    count: f64,
    square: f64,
}

impl Row {
    pub(super) fn of(Counts(counts): Counts<'_>, exposure: &Exposure) -> Row {
        let counts: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        let squares: Vec<f64> =
            counts.iter().zip(&exposure.divisors).map(|(count, by)| count * count / by).collect();
        let (count, square) = (counts.iter().sum(), squares.iter().sum());
        Row { counts, squares, count, square }
    }

    /// The counts before and after, where `deal` is before.
    pub(super) fn sides(&self, deal: &[usize]) -> [f64; 2] {
        let before = deal.iter().map(|&trial| self.counts[trial]).sum();
        [before, self.count - before]
    }
}

/// What a deal makes of a frame: a log ratio of rates, after over before.
pub(super) struct Contrast {
    pub(super) log_ratio: f64,
    /// Of the log ratio, by sampling alone.
    pub(super) variance: f64,
    /// The variance between trials as a multiple of what sampling gives (Pearson's); `None` where
    /// sampling gives none.
    dispersion: Option<f64>,
    pub(super) both_sides: bool,
}

impl Contrast {
    pub(super) fn of_all(rows: &[Row], deal: &[usize], exposure: &Exposure) -> Vec<Contrast> {
        let sides = Side::both(deal, &exposure.divisors, &exposure.totals);
        rows.iter().map(|row| Contrast::of(row, deal, &sides, exposure.shares)).collect()
    }

    pub(super) fn of(row: &Row, deal: &[usize], sides: &[Side; 2], shares: bool) -> Contrast {
        let sum = |of: &[f64]| deal.iter().map(|&trial| of[trial]).sum::<f64>();
        let before = Dealt { count: sum(&row.counts), square: sum(&row.squares) };
        let after = Dealt { count: row.count - before.count, square: row.square - before.square };
        let both_sides = before.count > 0.0 && after.count > 0.0;
        // Half a sample on each side where one has none: the logarithm wants something.
        let extra = if both_sides { 0.0 } else { 0.5 };
        let all_of_both = before.count >= sides[0].total && after.count >= sides[1].total;
        let (mut variance, mut pearson) = (0.0, None);
        for (dealt, side) in [before, after].into_iter().zip(sides) {
            // 1 for rates (Poisson); for shares what is left of the whole (binomial).
            let room = if shares { room(dealt.count, side.total, all_of_both) } else { 1.0 };
            variance += room / (dealt.count + extra);
            if dealt.count * room > 0.0 {
                // The sum of (count - expected)^2 / (expected x room), multiplied out.
                let spread = (dealt.square * side.divisor / dealt.count - dealt.count) / room;
                *pearson.get_or_insert(0.0) += spread.max(0.0);
            }
        }
        let rate = |dealt: Dealt, side: &Side| (dealt.count + extra) / side.divisor;
        Contrast {
            log_ratio: (rate(after, &sides[1]) / rate(before, &sides[0])).ln(),
            variance,
            dispersion: pearson.map(|sum| sum / (sides[0].trials + sides[1].trials - 2.0)),
            both_sides,
        }
    }

    pub(super) fn score(&self, error: f64) -> f64 {
        // A frame that is all of both sides has no error, and no change either.
        if error > 0.0 { (self.log_ratio / error).abs() } else { 0.0 }
    }

    pub(super) fn interval(&self, reach: f64) -> Option<(f64, f64)> {
        self.both_sides
            .then(|| ((self.log_ratio - reach).exp_m1(), (self.log_ratio + reach).exp_m1()))
    }
}

/// What is left of the whole. A frame that is all of one side is not known to be all of it for ever:
/// of three samples the fourth may be another.
fn room(count: f64, total: f64, all_of_both: bool) -> f64 {
    if count < total || all_of_both { 1.0 - count / total } else { 0.5 / (total + 0.5) }
}

#[derive(Clone, Copy)]
struct Dealt {
    count: f64,
    square: f64,
}

/// What all frames together say of the dispersion of each.
pub(super) struct Moderation {
    common: f64,
    pub(super) prior_df: f64,
    df: f64,
}

impl Moderation {
    /// How much the common dispersion weighs depends on how much more the frames' own differ than
    /// they would if it were all there is. With d degrees of freedom to each, an inverse chi-square of
    /// n has a squared coefficient of variation of 2 / (n - 4), and what is seen of it
    /// 2 / d + (1 + 2 / d) 2 / (n - 4).
    pub(super) fn of(contrasts: &[Contrast], df: usize) -> Moderation {
        let own: Vec<f64> = contrasts.iter().filter_map(|frame| frame.dispersion).collect();
        let (df, n) = (df as f64, own.len() as f64);
        let mean = own.iter().sum::<f64>() / n;
        let variance = own.iter().map(|own| (own - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let between = (variance / (mean * mean) - 2.0 / df) / (1.0 + 2.0 / df);
        // Learnt from the other frames, it weighs no more than they do.
        let most = df * (n - 1.0).max(0.0);
        let prior_df = if between > 0.0 { most.min(4.0 + 2.0 / between) } else { most };
        let common = median(own).unwrap_or(1.0).max(1.0);
        Moderation { common, prior_df, df }
    }

    /// The standard error of a log ratio.
    pub(super) fn error(&self, contrast: &Contrast) -> f64 {
        let own = contrast.dispersion.unwrap_or(self.common);
        let weighed = self.prior_df * self.common + self.df * own;
        ((weighed / (self.prior_df + self.df)).max(1.0) * contrast.variance).sqrt()
    }
}

/// The trials of a side, together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) trials: f64,
    pub(super) divisor: f64,
    pub(super) total: f64,
}

impl Side {
    /// What a deal makes of the trials: those before, and all others.
    pub(super) fn both(deal: &[usize], divisors: &[f64], totals: &[f64]) -> [Side; 2] {
        let of = |values: &[f64]| {
            let before: f64 = deal.iter().map(|&trial| values[trial]).sum();
            [before, values.iter().sum::<f64>() - before]
        };
        let ([divisor, divisor_after], [total, total_after]) = (of(divisors), of(totals));
        let trials = deal.len() as f64;
        let after = divisors.len() as f64 - trials;
        [
            Side { trials, divisor, total },
            Side { trials: after, divisor: divisor_after, total: total_after },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_vary_alike_share_one_dispersion() {
        let contrast = |dispersion| Contrast {
            log_ratio: 0.0,
            variance: 1.0,
            dispersion: Some(dispersion),
            both_sides: true,
        };
        let of = |dispersions: &[f64]| {
            Moderation::of(&dispersions.iter().map(|&d| contrast(d)).collect::<Vec<_>>(), 8)
        };
        let alike = of(&[1.2, 1.0, 1.4, 1.1, 1.3, 1.2]);
        assert_eq!((alike.prior_df, alike.common), (40.0, 1.2));
        let unlike = of(&[1.2, 0.9, 8.0, 1.0, 1.1, 1.2]);
        assert!(unlike.prior_df < 6.0, "{}", unlike.prior_df);
        let variance = |moderation: &Moderation| moderation.error(&contrast(8.0)).powi(2);
        assert!(variance(&unlike) > 2.0 * variance(&alike), "a wild frame keeps its own");
        assert_eq!(of(&[3.0]).prior_df, 0.0, "one frame has nobody to learn from");
    }
}
