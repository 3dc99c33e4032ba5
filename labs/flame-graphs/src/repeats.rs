//! The same program profiled thirty times: how far do the shares scatter?

use std::hint::black_box;
use std::time::Duration;

use lab_kit::{Ctx, CurveKind, sample, spin};

/// How many profiles.
pub(crate) const PROFILES: u32 = 30;
/// How often the program runs the rare function.
pub(crate) const SHARE: f64 = 1.0 / 6.0;
/// The curve of the shares that the profiles show.
pub(crate) const SHARE_BY_PROFILE: &str = "share by profile";
/// Between two samples the program changes functions a dozen times or more.
const PERIOD: Duration = Duration::from_micros(503);

/// Takes the profiles, one after the other.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let stay = ctx.int("stay");
    let span = ctx.timeline().measure / PROFILES;
    let mut draws = (0_u64..).map(|draw| lab_kit::seed::uniform(ctx.seed(), &[draw]));
    let mut choose = || {
        let rare_one = draws.next().is_some_and(|draw| draw < SHARE);
        black_box(if rare_one { rare(stay) } else { common(stay) });
    };
    let mut profiles = Vec::new();
    for _ in 0..PROFILES {
        let ((), samples) = sample(PERIOD, || spin::repeat(span, &mut choose))?;
        let rare = samples.stacks.iter().filter(|stack| stack.ends_with("rare")).count();
        profiles.push((rare as u64, samples.stacks.len() as u64));
    }
    file(ctx, &profiles);
    Ok(())
}

#[inline(never)]
fn rare(steps: u64) -> u64 {
    spin::steps(steps, 8)
}

#[inline(never)]
fn common(steps: u64) -> u64 {
    spin::steps(steps, 9)
}

fn file(ctx: &mut Ctx, profiles: &[(u64, u64)]) {
    let (rare, all) = profiles.iter().fold((0, 0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
    ctx.proportion("rare_ratio", rare, all);
    ctx.metric("dispersion", dispersion(profiles), "times");
    let shares = profiles.iter().map(|(rare, all)| *rare as f64 / (*all).max(1) as f64);
    let points = (1_u32..).map(f64::from).zip(shares).collect();
    ctx.curve(SHARE_BY_PROFILE, CurveKind::Measured, ["profile", "ratio"], points);
}

/// Pearson's chi-square over its degrees of freedom: 1 where counts of (hits, of) scatter as
/// draws of one common share.
pub(crate) fn dispersion(counts: &[(u64, u64)]) -> f64 {
    let (hits, all) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let share = hits as f64 / all as f64;
    let term = |(hits, of): &(u64, u64)| {
        let expected = *of as f64 * share;
        (*hits as f64 - expected).powi(2) / (expected * (1.0 - share))
    };
    counts.iter().map(term).sum::<f64>() / (counts.len() as f64 - 1.0)
}

/// Between these the dispersion of [`PROFILES`] profiles lies in 998 of 1,000 experiments
/// (Wilson & Hilferty 1931: the cube root of a chi-square is all but normal).
pub(crate) fn dispersion_bounds() -> (f64, f64) {
    const Z: f64 = 3.090_232;
    let spread = 2.0 / (9.0 * f64::from(PROFILES - 1));
    let bound = |z: f64| (1.0 - spread + z * spread.sqrt()).powi(3);
    (bound(-Z), bound(Z))
}

/// How many samples in a row see the same function, of a program that stays in one for `stay` steps
/// of a nanosecond or two: 1 where it changes between any two samples.
pub(crate) fn samples_alike(stay: u64) -> f64 {
    (stay as f64 / PERIOD.as_nanos() as f64).max(1.0)
}

/// The standard error of a share, from the distribution of all that `of` draws may give.
pub(crate) fn exact_error(share: f64, of: u64) -> f64 {
    let (mut probability, mut variance) = ((1.0 - share).powi(of as i32), 0.0);
    for hits in 0..=of {
        variance += probability * (hits as f64 / of as f64 - share).powi(2);
        probability *= (of - hits) as f64 / (hits + 1) as f64 * share / (1.0 - share);
    }
    variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispersion_distinguishes_scatter_from_sampling_error() {
        assert!((dispersion(&[(40, 100), (60, 100)]) - 8.0).abs() < 1e-12);
        assert_eq!(dispersion(&[(50, 100); 9]), 0.0);
    }

    #[test]
    fn dispersion_bounds_match_published_tables() {
        // Chi-square with 29 degrees of freedom: 10.986 and 58.301 at 0.001 and 0.999.
        let (low, high) = dispersion_bounds();
        assert!((low * 29.0 - 10.986).abs() < 0.15 && (high * 29.0 - 58.301).abs() < 0.15);
    }
}
