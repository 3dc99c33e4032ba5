//! Which frames moved: a quasi-Poisson contrast whose dispersion is moderated over all frames, against
//! what the same trials show when they are dealt to the sides in other ways.
//!
//! Between two runs of one build a frame's count varies up to four times as much as sampling
//! explains, so a test on pooled samples finds changes everywhere. The variance between trials is
//! what counts, but a handful of trials estimates it badly for one frame. So each frame's
//! dispersion is shrunk towards the median of all: the less frames differ in it, the more, and
//! never below that of sampling itself. The idea is that of moderated tests on gene counts (Smyth
//! 2004; Lund et al. 2012). How far off is too far is not read from a table, which would have to
//! assume how counts are distributed, but from the deals (`relabel.rs`): at most [`FALSE_ALARM`] of
//! comparisons of a build with itself find any frame at all.
//!
//! What it can see (`tests/significance.rs`, twelve frames, 2,000 comparisons of each kind): +25 % in
//! a 7 % frame, ten trials of 1,000 samples a side, is found in 91, 85 and 80 of 100 where the
//! dispersion is 1.05, 1.2 and 1.35, and in 73 where it is 1 to 2.9 by frame. No method could find
//! more than 76 at 1.5; 1,200 samples find 83 there, and 1,600 find 84 at 2: samples buy power. Of
//! comparisons of a build with itself 3 to 5 of 100 flag anything, with four, five and ten trials,
//! and also where three frames vary five times as much as the others. (A fixed weight of eight
//! trials for the common dispersion, Student's table and Benjamini & Hochberg found 84, 79 and 73,
//! and flagged 6 of the uneven kind.)
//!
//! The dispersion is the program's, not the sampler's: a program whose functions keep their shares had
//! 0.7 to 0.8 between ten trials (sampling by the clock is more even than by chance), one that reads and
//! allocates much had 2.3.
//!
//! Frames explain a verdict and are never one.

mod contrast;
mod relabel;

use std::collections::HashMap;

use contrast::{Contrast, Moderation, Row, Side};
use lab_stats::Student;

/// How often, where nothing moved, any frame at all may be found.
pub const FALSE_ALARM: f64 = 0.05;
/// Frames below this share of both sides are not tested.
pub const MIN_SHARE: f64 = 0.01;
/// A smaller relative change is not reported, however certain.
pub const MIN_EFFECT: f64 = 0.10;

/// With one trial a side, the share under which no error is computed: no graph draws it.
const SMALLEST_SHARE: f64 = 5e-5;
/// The normal quantile of a two-sided 95 % interval, for one trial a side.
const NORMAL_95: f64 = 1.959_964;

/// The counts of one frame: each trial before, then each trial after.
#[derive(Debug, Clone, Copy)]
pub struct Counts<'a>(pub &'a [u64]);

/// What the counts of all frames are measured against, in the order of [`Counts`].
#[derive(Debug, Clone)]
pub struct Exposure {
    /// What each trial's counts are divided by.
    divisors: Vec<f64>,
    /// All counts of each trial.
    totals: Vec<f64>,
    /// How many of the trials are before.
    before: usize,
    /// The trials of each side, together: asked for by each of a million boxes.
    sides: [Side; 2],
    /// Whether weights are shares: then they vary less the nearer they come to the whole.
    pub shares: bool,
    /// Whether counts are samples, so that one trial has an error of its own.
    pub sampled: bool,
}

/// What the counts say about a frame's relative change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The 95 % interval of after / before - 1; `None` where one side has no samples. With one
    /// trial on a side it is the error of sampling alone, which is too narrow.
    pub interval: Option<(f64, f64)>,
    /// Whether that interval, or with one side empty the same test, excludes no change.
    pub beyond_error: bool,
    /// How often chance takes any frame as far as this one, where nothing moved; `None` with so few
    /// trials that it is never seldom enough (see [`enough`]).
    pub p: Option<f64>,
    /// `p` within [`FALSE_ALARM`] and the effect at least [`MIN_EFFECT`].
    pub significant: bool,
}

/// Whether this number of trials before and after can find anything: four on each side can. With
/// three on each, one deal in ten shows as much as what happened, even where the sides have nothing in common.
pub fn enough([before, after]: [usize; 2]) -> bool {
    before.min(after) >= 2 && FALSE_ALARM * relabel::outcomes(before + after, before) as f64 >= 1.0
}

/// The verdicts on a family of frames, each with its frame's place in the family, in order. Frames
/// whose share is too small to test have none, nor has any where one trial a side has counts that
/// are no samples.
pub fn judge<'a>(
    frames: impl Iterator<Item = Counts<'a>>,
    exposure: &Exposure,
) -> Vec<(usize, Verdict)> {
    let replicated = exposure.before.min(exposure.divisors.len() - exposure.before) >= 2;
    if !replicated && !exposure.sampled {
        return Vec::new();
    }
    let least = if replicated { MIN_SHARE } else { SMALLEST_SHARE };
    let large = |(_, counts): &(usize, Counts<'_>)| exposure.share(*counts) >= least;
    let (frames, tested): (Vec<usize>, Vec<Counts<'_>>) = frames.enumerate().filter(large).unzip();
    let verdicts = if replicated {
        between_trials(&tested, exposure)
    } else {
        let alone = |counts: &Counts<'_>| sampling_error(&Row::of(*counts, exposure), exposure);
        tested.iter().map(alone).collect()
    };
    frames.into_iter().zip(verdicts).collect()
}

/// By the variance between trials.
fn between_trials(tested: &[Counts<'_>], exposure: &Exposure) -> Vec<Verdict> {
    // A function that calls nothing is the same inclusive and self, by path and by name.
    let mut places = HashMap::new();
    let mut rows = Vec::new();
    let row_of: Vec<usize> = tested
        .iter()
        .map(|counts| {
            *places.entry(counts.0).or_insert_with(|| {
                rows.push(Row::of(*counts, exposure));
                rows.len() - 1
            })
        })
        .collect();

    let trials = exposure.divisors.len();
    let (df, sides) = (trials - 2, [exposure.before, trials - exposure.before]);
    let happened = Contrast::of_all(&rows, &exposure.happened(), exposure);
    let moderation = Moderation::of(&happened, df);
    let quantile = Student { df: df + moderation.prior_df as usize }.quantile_95();
    let chances = enough(sides).then(|| {
        let deals = relabel::deals(trials, exposure.before);
        let scores: Vec<Vec<f64>> =
            deals.iter().map(|deal| scores(&rows, deal, exposure, df)).collect();
        relabel::chances(&scores)
    });

    let verdict = |(row, contrast): (usize, &Contrast)| {
        let error = moderation.error(contrast);
        let p = chances.as_ref().map(|chances| chances[row]);
        let large = !contrast.both_sides || contrast.log_ratio.exp_m1().abs() >= MIN_EFFECT;
        Verdict {
            interval: contrast.interval(quantile * error),
            beyond_error: contrast.score(error) > quantile,
            p,
            significant: large && p.is_some_and(|p| p <= FALSE_ALARM),
        }
    };
    let verdicts: Vec<Verdict> = happened.iter().enumerate().map(verdict).collect();
    row_of.into_iter().map(|row| verdicts[row]).collect()
}

/// How far each row is from no change, in its own errors, if these trials were before.
fn scores(rows: &[Row], deal: &[usize], exposure: &Exposure, df: usize) -> Vec<f64> {
    let contrasts = Contrast::of_all(rows, deal, exposure);
    let moderation = Moderation::of(&contrasts, df);
    contrasts.iter().map(|contrast| contrast.score(moderation.error(contrast))).collect()
}

/// Of one trial a side: the intervals of both rates, combined as Zou and Donner do for a ratio (2008).
fn sampling_error(row: &Row, exposure: &Exposure) -> Verdict {
    let happened = exposure.happened();
    let contrast = Contrast::of(row, &happened, &exposure.sides, exposure.shares);
    let reach = row
        .sides(&happened)
        .into_iter()
        .zip(&exposure.sides)
        .map(|(count, side)| logarithmic_reach(count, exposure.shares.then_some(side.total)));
    let interval = match reach.collect::<Vec<_>>()[..] {
        [Some((before_low, before_high)), Some((after_low, after_high))] => {
            let low = contrast.log_ratio - after_low.hypot(before_high);
            let high = contrast.log_ratio + after_high.hypot(before_low);
            Some((low.exp_m1(), high.exp_m1()))
        }
        _ => None,
    };
    let beyond_error = match interval {
        Some((low, high)) => low > 0.0 || high < 0.0,
        None => contrast.score(contrast.variance.sqrt()) > NORMAL_95,
    };
    Verdict { interval, beyond_error, p: None, significant: false }
}

/// How far below and above its logarithm a rate of `count` samples may be, with 95 %: the score
/// interval, Wilson's where it is a share of `total`. `None` without samples.
fn logarithmic_reach(count: f64, total: Option<f64>) -> Option<(f64, f64)> {
    const Z2: f64 = NORMAL_95 * NORMAL_95;
    if count <= 0.0 {
        return None;
    }
    let Some(total) = total else {
        let reach = (1.0 + Z2 / (2.0 * count)).acosh();
        return Some((reach, reach));
    };
    let share = count / total;
    let middle = share + Z2 / (2.0 * total);
    let half = NORMAL_95 * ((share * (1.0 - share) + Z2 / (4.0 * total)) / total).sqrt();
    let [low, high] = [middle - half, middle + half].map(|end| end / (1.0 + Z2 / total));
    Some(((share / low).ln().max(0.0), (high / share).ln().max(0.0)))
}

impl Exposure {
    /// From what each trial's counts are divided by and all its counts; the first `before` trials
    /// are before.
    pub fn new(divisors: Vec<f64>, totals: Vec<f64>, before: usize) -> Self {
        let sides = Side::both(&(0..before).collect::<Vec<_>>(), &divisors, &totals);
        Exposure { divisors, totals, before, sides, shares: false, sampled: true }
    }

    /// All counts and all divisors of each side, whose ratio is its weight: so long trials weigh more.
    pub fn sums(&self, Counts(counts): Counts<'_>) -> [(f64, f64); 2] {
        let (before, after) = counts.split_at(self.before);
        let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        [(sum(before), self.sides[0].divisor), (sum(after), self.sides[1].divisor)]
    }

    /// The deal that happened.
    fn happened(&self) -> Vec<usize> {
        (0..self.before).collect()
    }

    /// The larger of the frame's shares before and after.
    fn share(&self, counts: Counts<'_>) -> f64 {
        let [(before, _), (after, _)] = self.sums(counts);
        (before / self.sides[0].total).max(after / self.sides[1].total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal_work(before: usize, after: usize) -> Exposure {
        let trials = before + after;
        Exposure::new(vec![1.0; trials], vec![2_000.0; trials], before)
    }

    fn only(counts: &[u64], exposure: &Exposure) -> Option<Verdict> {
        judge([Counts(counts)].into_iter(), exposure).pop().map(|(_, verdict)| verdict)
    }

    #[test]
    fn one_trial_has_the_error_of_sampling_and_no_verdict() {
        let verdict = only(&[100, 160], &equal_work(1, 1)).unwrap();
        let (low, high) = verdict.interval.unwrap();
        // ln 1.6 +- 1.96 sqrt(1/100 + 1/160), and a little more.
        assert!((low - 0.246_29).abs() < 1e-3 && (high - 1.054_13).abs() < 1e-3, "{low} {high}");
        assert!(verdict.beyond_error && !verdict.significant && verdict.p.is_none());
        let bytes = Exposure { sampled: false, ..equal_work(1, 1) };
        assert_eq!(only(&[100, 160], &bytes), None);
    }

    #[test]
    fn an_interval_is_as_wide_as_its_samples_earn() {
        let shares = |before: f64, after: f64| Exposure {
            shares: true,
            ..Exposure::new(vec![before, after], vec![before, after], 1)
        };
        // All three samples of one side, and half of a thousand of the other.
        let verdict = only(&[3, 500], &shares(3.0, 1_000.0)).unwrap();
        let (low, high) = verdict.interval.unwrap();
        assert!((-0.55..-0.52).contains(&low) && high > 0.1, "{low} {high}");
        assert!(!verdict.beyond_error);
        let verdict = only(&[300, 500], &shares(300.0, 1_000.0)).unwrap();
        let (low, high) = verdict.interval.unwrap();
        assert!(verdict.beyond_error && low > -0.54 && high < -0.45, "{low} {high}");
        // All of both: there is nothing else that it could be a share of.
        let verdict = only(&[3, 1_000], &shares(3.0, 1_000.0)).unwrap();
        assert!(!verdict.beyond_error, "{verdict:?}");
    }

    #[test]
    fn a_frame_with_all_samples_of_a_small_side_has_a_wide_interval() {
        let totals = vec![3.0, 3.0, 3.0, 3.0, 100.0, 100.0, 100.0, 100.0];
        let exposure = Exposure { shares: true, ..Exposure::new(totals.clone(), totals, 4) };
        let verdict = only(&[3, 3, 3, 3, 80, 81, 79, 80], &exposure).unwrap();
        let (low, high) = verdict.interval.unwrap();
        assert!(high - low > 0.1, "{low} {high}");
    }

    #[test]
    fn small_shares_are_not_tested_and_small_effects_are_not_reported() {
        let exposure = equal_work(4, 4);
        let wide = Exposure::new(vec![1.0; 8], vec![1e9; 8], 4);
        assert_eq!(only(&[100, 101, 99, 100, 900, 901, 899, 900], &wide), None);
        let certain: Vec<u64> = [1_000_000; 4].into_iter().chain([1_050_000; 4]).collect();
        let verdict = only(&certain, &exposure).unwrap();
        assert!(verdict.beyond_error && !verdict.significant, "5 % is under the floor");
        assert!(verdict.p.unwrap() <= FALSE_ALARM);
    }

    #[test]
    fn a_change_is_not_significant_when_trials_disagree() {
        let exposure = equal_work(5, 5);
        let calm = [100, 102, 98, 101, 99, 150, 152, 148, 151, 149];
        let wild = [20, 220, 40, 180, 40, 30, 330, 60, 270, 60];
        // Of 252 deals, what happened and its mirror image show as much.
        assert_eq!(only(&calm, &exposure).unwrap().p, Some(2.0 / 252.0));
        assert!(only(&calm, &exposure).unwrap().significant);
        assert!(!only(&wild, &exposure).unwrap().significant);
    }

    #[test]
    fn new_and_vanished_frames_can_be_significant() {
        let exposure = equal_work(4, 4);
        for counts in [[0, 0, 0, 0, 50, 52, 48, 49], [50, 52, 48, 49, 0, 0, 0, 0]] {
            let verdict = only(&counts, &exposure).unwrap();
            assert!(verdict.significant && verdict.interval.is_none(), "{verdict:?}");
        }
    }

    #[test]
    fn with_few_trials_there_is_an_interval_and_no_verdict() {
        let verdict = only(&[100, 101, 99, 900, 901, 899], &equal_work(3, 3)).unwrap();
        assert!(verdict.beyond_error && verdict.p.is_none() && !verdict.significant);
        let can = [[2, 5], [2, 6], [3, 4], [4, 4], [10, 2], [500, 500]];
        assert!(can.into_iter().all(enough));
        assert!(![[1, 1], [1, 40], [2, 4], [3, 3]].into_iter().any(enough));
    }

    #[test]
    fn the_share_of_the_root_has_no_error() {
        let exposure = Exposure { shares: true, ..equal_work(4, 4) };
        let verdict = only(&[2_000; 8], &exposure).unwrap();
        assert_eq!((verdict.significant, verdict.interval), (false, Some((0.0, 0.0))));
    }
}
