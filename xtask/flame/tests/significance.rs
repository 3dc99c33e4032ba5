//! The rule for frames that moved, on simulated trials: how often it cries wolf, and what it finds.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use lab_flame::diff::{Diff, Normalise, Trial, diff};
use lab_flame::folded::Folded;
use rand::SeedableRng as _;
use rand_distr::{Distribution as _, Gamma, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus as Rng;

/// Twelve functions under three callers, shares as of a small server; `hot` has 7 %.
const FRAMES: [(&str, f64); 12] = [
    ("main;read;recv", 0.22),
    ("main;read;poll", 0.13),
    ("main;read;copy", 0.08),
    ("main;read", 0.02),
    ("main;work;parse", 0.15),
    ("main;work;hot", 0.07),
    ("main;work;hash", 0.06),
    ("main;work", 0.03),
    ("main;write;send", 0.12),
    ("main;write;fmt", 0.06),
    ("main;write;flush", 0.04),
    ("main;idle", 0.02),
];
const REQUESTS: u64 = 10_000;

/// One trial of about `samples`; counts vary `dispersion` times as much as sampling makes them,
/// and with it each trial's load varies by some percent.
fn trial(samples: f64, dispersion: f64, hot: f64, rng: &mut Rng) -> Trial {
    let load = Gamma::new(400.0, 1.0 / 400.0).unwrap().sample(rng);
    let mut text = String::new();
    for (stack, share) in FRAMES {
        let share = if stack.ends_with("hot") { share * hot } else { share };
        let mean = samples * share * load;
        // A gamma mean of 1 and variance (dispersion - 1) / mean makes the count negative binomial.
        let shape = mean / (dispersion - 1.0);
        let factor = Gamma::new(shape, 1.0 / shape).unwrap().sample(rng);
        let count = Poisson::new((mean * factor).max(1e-9)).unwrap().sample(rng) as u64;
        text += &format!("{stack} {count}\n");
    }
    Trial {
        stacks: Folded::parse("in", text).unwrap(),
        requests: Some((REQUESTS as f64 * load) as u64),
    }
}

fn compare(
    trials: usize,
    samples: f64,
    dispersion: f64,
    hot: f64,
    normalise: Normalise,
    rng: &mut Rng,
) -> Diff {
    let mut side =
        |hot| (0..trials).map(|_| trial(samples, dispersion, hot, rng)).collect::<Vec<_>>();
    let (before, after) = (side(1.0), side(hot));
    diff(&before, &after, normalise, "samples").unwrap()
}

/// Whether anything at all is called significant: by name or by path, inclusive or self.
fn any_flag(diff: &Diff) -> bool {
    let names = diff.names.iter().flat_map(|name| [&name.inclusive, &name.own]);
    let paths = diff.paths.iter().flat_map(|path| [&path.inclusive, &path.own]);
    names.chain(paths).any(|change| change.significant())
}

fn share_of(rounds: usize, mut holds: impl FnMut() -> bool) -> f64 {
    (0..rounds).filter(|_| holds()).count() as f64 / rounds as f64
}

#[test]
fn the_same_build_is_rarely_flagged() {
    let mut rng = Rng::seed_from_u64(20_111_222);
    for (trials, dispersion) in [(5, 1.3), (5, 2.9), (5, 3.8), (10, 2.9)] {
        for normalise in [Normalise::Requests, Normalise::Samples] {
            let flagged = share_of(400, || {
                any_flag(&compare(trials, 1_500.0, dispersion, 1.0, normalise, &mut rng))
            });
            println!(
                "same build, {trials} trials, dispersion {dispersion}, {normalise:?}: {flagged:.3}"
            );
            assert!(flagged <= 0.05, "{flagged} of comparisons flag a frame that did not move");
        }
    }
}

#[test]
fn a_quarter_more_in_a_seven_percent_frame_is_found() {
    let mut rng = Rng::seed_from_u64(7);
    // About a thousand samples a trial, after division by the dispersion, are needed.
    for (samples, dispersion) in [(1_000.0, 1.05), (1_500.0, 1.5), (2_000.0, 2.0)] {
        let found = share_of(300, || {
            let diff = compare(10, samples, dispersion, 1.25, Normalise::Requests, &mut rng);
            let hot = diff.names.iter().find(|name| name.frame == "hot").unwrap();
            hot.own.significant() && hot.inclusive.significant()
        });
        println!("+25 %, {samples} samples, dispersion {dispersion}: {found:.3}");
        assert!(found >= 0.80, "found in {found}");
    }
}

/// A test on pooled samples, as if they were independent, flags what this rule does not.
#[test]
fn pooled_samples_would_cry_wolf() {
    let mut rng = Rng::seed_from_u64(3);
    let wolf = share_of(200, || {
        let mut side = || {
            let trials: Vec<_> =
                (0..5).map(|_| trial(1_500.0, 2.9, 1.0, &mut rng).stacks).collect();
            [Trial { stacks: Folded::merge(&trials).unwrap(), requests: None }]
        };
        let diff = diff(&side(), &side(), Normalise::Samples, "samples").unwrap();
        diff.names
            .iter()
            .any(|name| name.own.verdict.as_ref().is_some_and(|verdict| verdict.beyond_error))
    });
    println!("pooled: {wolf:.3}");
    assert!(wolf >= 0.40, "{wolf}: then the trials need not be kept apart");
}

/// FG-16: the error of a share is sqrt(s(1-s)/n); 95 % of intervals hold the truth.
#[test]
fn one_trial_knows_its_sampling_error() {
    let mut rng = Rng::seed_from_u64(16);
    let (share, samples) = (0.167, 2_970.0);
    let mut draw = || {
        let mut count = |mean: f64| Poisson::new(mean).unwrap().sample(&mut rng) as u64;
        let text =
            format!("hot {}\nrest {}\n", count(share * samples), count((1.0 - share) * samples));
        [Trial { stacks: Folded::parse("in", text).unwrap(), requests: None }]
    };
    let mut widths = vec![];
    let covered = share_of(2_000, || {
        let diff = diff(&draw(), &draw(), Normalise::Samples, "samples").unwrap();
        let (low, high) = diff.names[0].own.verdict.as_ref().unwrap().interval.unwrap();
        widths.push((high - low) / 2.0);
        low <= 0.0 && 0.0 <= high
    });
    assert!((0.935..=0.965).contains(&covered), "{covered}");
    let relative_error = (share * (1.0 - share) / samples).sqrt() / share * 2.0_f64.sqrt();
    let width = widths.iter().sum::<f64>() / widths.len() as f64;
    assert!((width / (1.96 * relative_error) - 1.0).abs() < 0.02, "{width}");
}
