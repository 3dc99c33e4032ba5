//! Which frames moved: a quasi-Poisson test whose dispersion is moderated over all frames.
//!
//! Between two runs of one build a frame's count varies up to four times as much as sampling
//! explains, so a test on pooled samples finds changes everywhere. The variance between trials
//! tells, but a handful of trials tells it badly for one frame; so each frame's dispersion is
//! shrunk towards the median of all (with the weight of [`PRIOR_DF`] trials), never below that of
//! sampling itself. The idea is that of moderated tests on gene counts (Smyth 2004; Lund et al.
//! 2012); Benjamini and Hochberg (1995) bound the share of false frames among those found.
//!
//! What it can see (simulated: twelve frames, ten trials a side): +25 % in a 7 % frame is found in
//! about 80 of 100 comparisons where a trial has 1,000 samples for each unit of dispersion. At 1,000
//! samples and a dispersion of 1.2, 1.35 and 1.5 it is 78, 76 and 67. The dispersion is the
//! program's, not the sampler's: a program whose functions keep their shares had 0.7 to 0.8 between
//! ten trials (sampling by the clock is more even than by chance), one that reads and allocates much
//! had 2.3. So samples buy power. A heavier prior does not: where three of the frames vary five times
//! as much as the others, weights of 8, 16 and 32 flag 7, 10 and 16 of 100 comparisons of five trials
//! of one build with itself.
//!
//! Frames explain a verdict and are never one.

use std::ops::Range;

/// The weight of the common dispersion, in degrees of freedom.
pub const PRIOR_DF: usize = 8;
/// The share of false findings among the frames found.
pub const FALSE_DISCOVERY: f64 = 0.05;
/// Frames below this share of both sides are not tested.
pub const MIN_SHARE: f64 = 0.01;
/// A smaller relative change is not reported, however certain.
pub const MIN_EFFECT: f64 = 0.10;

/// With one trial a side, the share under which no error is worked out: no graph draws it.
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
    /// How many of the trials are before.
    before: usize,
    /// The divisors and all counts of a side, together.
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
    /// trial a side it is the error of sampling alone, which is too narrow.
    pub interval: Option<(f64, f64)>,
    /// Whether that interval, or with one side empty the same test, excludes no change.
    pub beyond_error: bool,
    /// The false discovery rate at which the frame is found; `None` with one trial on a side.
    pub q: Option<f64>,
    /// `q` within [`FALSE_DISCOVERY`] and the effect at least [`MIN_EFFECT`].
    pub significant: bool,
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
        tested.iter().map(|counts| sampling_error(*counts, exposure)).collect()
    };
    frames.into_iter().zip(verdicts).collect()
}

/// By the variance between trials.
fn between_trials(tested: &[Counts<'_>], exposure: &Exposure) -> Vec<Verdict> {
    let df = exposure.divisors.len() - 2;
    let raw: Vec<Option<f64>> = tested.iter().map(|counts| exposure.dispersion(*counts)).collect();
    let common = median(raw.iter().flatten().copied().collect()).unwrap_or(1.0).max(1.0);
    let moderated = raw.iter().map(|raw| {
        let own = raw.unwrap_or(common);
        ((PRIOR_DF as f64 * common + df as f64 * own) / (PRIOR_DF + df) as f64).max(1.0)
    });

    let student = Student { df: PRIOR_DF + df };
    let quantile = student.quantile_95();
    let effects: Vec<Effect> = tested
        .iter()
        .zip(moderated)
        .map(|(counts, phi)| Effect::of(*counts, exposure, phi))
        .collect();
    let p: Vec<f64> = effects.iter().map(|effect| student.two_sided(effect.z())).collect();
    let verdict = |(effect, q): (&Effect, f64)| {
        let large = !effect.both_sides || effect.log_ratio.exp_m1().abs() >= MIN_EFFECT;
        Verdict {
            interval: effect.interval(quantile),
            beyond_error: effect.z().abs() > quantile,
            q: Some(q),
            significant: q <= FALSE_DISCOVERY && large,
        }
    };
    effects.iter().zip(benjamini_hochberg(&p)).map(verdict).collect()
}

fn sampling_error(counts: Counts<'_>, exposure: &Exposure) -> Verdict {
    let effect = Effect::of(counts, exposure, 1.0);
    Verdict {
        interval: effect.interval(NORMAL_95),
        beyond_error: effect.z().abs() > NORMAL_95,
        q: None,
        significant: false,
    }
}

/// A log ratio of rates and its standard error.
struct Effect {
    log_ratio: f64,
    error: f64,
    both_sides: bool,
}

impl Effect {
    fn of(counts: Counts<'_>, exposure: &Exposure, dispersion: f64) -> Effect {
        let [before, after] = exposure.sides(counts);
        let both_sides = before.count > 0.0 && after.count > 0.0;
        // Half a sample on each side where one has none: the logarithm wants something.
        let extra = if both_sides { 0.0 } else { 0.5 };
        let rate = |side: Side| (side.count + extra) / side.divisor;
        let variance = |side: Side| exposure.room(side.count / side.total) / (side.count + extra);
        Effect {
            log_ratio: (rate(after) / rate(before)).ln(),
            error: (dispersion * (variance(before) + variance(after))).sqrt(),
            both_sides,
        }
    }

    fn z(&self) -> f64 {
        // A frame that is all of both sides has no error, and no change either.
        if self.error > 0.0 { self.log_ratio / self.error } else { 0.0 }
    }

    fn interval(&self, quantile: f64) -> Option<(f64, f64)> {
        let reach = quantile * self.error;
        self.both_sides
            .then(|| ((self.log_ratio - reach).exp_m1(), (self.log_ratio + reach).exp_m1()))
    }
}

#[derive(Debug, Clone, Copy)]
struct Side {
    count: f64,
    divisor: f64,
    total: f64,
}

impl Exposure {
    /// From what each trial's counts are divided by and all its counts; the first `before` trials
    /// are before.
    pub fn new(divisors: Vec<f64>, totals: &[f64], before: usize) -> Self {
        let side = |trials: Range<usize>| Side {
            count: 0.0,
            divisor: divisors[trials.clone()].iter().sum(),
            total: totals[trials].iter().sum(),
        };
        let sides = [side(0..before), side(before..divisors.len())];
        Exposure { divisors, before, sides, shares: false, sampled: true }
    }

    /// All counts and all divisors of each side, whose ratio is its weight: so long trials weigh more.
    pub fn sums(&self, counts: Counts<'_>) -> [(f64, f64); 2] {
        self.sides(counts).map(|side| (side.count, side.divisor))
    }

    fn sides(&self, Counts(counts): Counts<'_>) -> [Side; 2] {
        let (before, after) = counts.split_at(self.before);
        let of = |counts: &[u64], side| Side { count: counts.iter().sum::<u64>() as f64, ..side };
        let [total_before, total_after] = self.sides;
        [of(before, total_before), of(after, total_after)]
    }

    /// The larger of the frame's shares before and after.
    fn share(&self, counts: Counts<'_>) -> f64 {
        let [before, after] = self.sides(counts).map(|side| side.count / side.total);
        before.max(after)
    }

    /// The variance between trials as a multiple of what sampling gives (Pearson's); `None` where
    /// sampling gives none.
    fn dispersion(&self, counts: Counts<'_>) -> Option<f64> {
        let [before, after] = self.sides(counts);
        let pearson = |trial: usize, &count: &u64| {
            let side = if trial < self.before { before } else { after };
            let expected = side.count / side.divisor * self.divisors[trial];
            let variance = expected * self.room(side.count / side.total);
            if variance > 0.0 { (count as f64 - expected).powi(2) / variance } else { 0.0 }
        };
        let varies = [before, after]
            .iter()
            .any(|side| side.count * self.room(side.count / side.total) > 0.0);
        let sum: f64 =
            counts.0.iter().enumerate().map(|(trial, count)| pearson(trial, count)).sum();
        varies.then(|| sum / (counts.0.len() - 2) as f64)
    }

    /// 1 for rates (Poisson); for shares what is left of the whole (binomial).
    fn room(&self, share: f64) -> f64 {
        if self.shares { 1.0 - share } else { 1.0 }
    }
}

/// For each p-value the false discovery rate at which it would be found.
fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut q = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (above, &index) in order.iter().enumerate() {
        let rank = p.len() - above;
        least = least.min(p[index] * p.len() as f64 / rank as f64);
        q[index] = least;
    }
    q
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    Some(match values.len() {
        0 => return None,
        even if even % 2 == 0 => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    })
}

/// Student's distribution with whole degrees of freedom.
struct Student {
    df: usize,
}

impl Student {
    /// The chance of a value at least as far from 0 (Abramowitz and Stegun 26.7.3 and 26.7.4).
    fn two_sided(&self, t: f64) -> f64 {
        let theta = (t.abs() / (self.df as f64).sqrt()).atan();
        let cos2 = theta.cos().powi(2);
        let odd = self.df % 2 == 1;
        let (mut term, mut sum) = (1.0, 0.0);
        for step in (if odd { 1..self.df } else { 0..self.df }).step_by(2) {
            sum += term;
            term *= cos2 * (step + 1) as f64 / (step + 2) as f64;
        }
        let within = if odd {
            (theta + theta.sin() * theta.cos() * sum) * std::f64::consts::FRAC_2_PI
        } else {
            theta.sin() * sum
        };
        (1.0 - within).max(0.0)
    }

    /// The value that 95 % lie within, by bisection.
    fn quantile_95(&self) -> f64 {
        let (mut low, mut high) = (1.9, 13.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.two_sided(middle) > 0.05 { low = middle } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_as_in_the_tables() {
        for (df, quantile) in
            [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (16, 2.1199), (26, 2.0555)]
        {
            let found = Student { df }.quantile_95();
            assert!((found - quantile).abs() < 1e-4, "{df}: {found}");
        }
        assert!((Student { df: 5 }.two_sided(2.0) - 0.101_939).abs() < 1e-6);
        assert!((Student { df: 16 }.two_sided(-3.0) - 0.008_479).abs() < 1e-6);
    }

    #[test]
    fn benjamini_hochberg_by_hand() {
        let q = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.8]);
        let expected = [0.04, 0.16 / 3.0, 0.16 / 3.0, 0.8];
        assert!(q.iter().zip(expected).all(|(q, e)| (q - e).abs() < 1e-12), "{q:?}");
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    fn equal_work(before: usize, after: usize) -> Exposure {
        let trials = before + after;
        Exposure::new(vec![1.0; trials], &vec![2_000.0; trials], before)
    }

    fn only(counts: &[u64], exposure: &Exposure) -> Option<Verdict> {
        judge([Counts(counts)].into_iter(), exposure).pop().map(|(_, verdict)| verdict)
    }

    #[test]
    fn one_trial_has_the_error_of_sampling_and_no_verdict() {
        let verdict = only(&[100, 160], &equal_work(1, 1)).unwrap();
        let (low, high) = verdict.interval.unwrap();
        // ln 1.6 +- 1.96 sqrt(1/100 + 1/160)
        assert!((low - 0.246_29).abs() < 1e-4 && (high - 1.054_13).abs() < 1e-4, "{low} {high}");
        assert!(verdict.beyond_error && !verdict.significant && verdict.q.is_none());
        let bytes = Exposure { sampled: false, ..equal_work(1, 1) };
        assert_eq!(only(&[100, 160], &bytes), None);
    }

    #[test]
    fn small_shares_are_not_tested_and_small_effects_not_reported() {
        let exposure = equal_work(3, 3);
        let wide = Exposure::new(vec![1.0; 6], &[1e9; 6], 3);
        assert_eq!(only(&[100, 101, 99, 900, 901, 899], &wide), None);
        let certain: Vec<u64> = [1_000_000; 3].into_iter().chain([1_050_000; 3]).collect();
        let verdict = only(&certain, &exposure).unwrap();
        assert!(verdict.beyond_error && !verdict.significant, "5 % is under the floor");
    }

    #[test]
    fn trials_that_disagree_are_not_believed() {
        let exposure = equal_work(5, 5);
        let calm = [100, 102, 98, 101, 99, 150, 152, 148, 151, 149];
        let wild = [20, 220, 40, 180, 40, 30, 330, 60, 270, 60];
        assert!(only(&calm, &exposure).unwrap().significant);
        assert!(!only(&wild, &exposure).unwrap().significant);
    }

    #[test]
    fn new_and_vanished_frames_can_be_significant() {
        let exposure = equal_work(3, 3);
        for counts in [[0, 0, 0, 50, 52, 48], [50, 52, 48, 0, 0, 0]] {
            let verdict = only(&counts, &exposure).unwrap();
            assert!(verdict.significant && verdict.interval.is_none());
        }
    }

    #[test]
    fn the_whole_has_no_error_as_a_share() {
        let exposure = Exposure { shares: true, ..equal_work(2, 2) };
        let verdict = only(&[2_000; 4], &exposure).unwrap();
        assert_eq!((verdict.significant, verdict.interval), (false, Some((0.0, 0.0))));
    }
}
