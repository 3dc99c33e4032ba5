//! The rule for frames that moved, on simulated trials: how often it cries wolf, and what it finds.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use lab_flame::diff::{Diff, Name, Normalise, TrialStacks, diff};
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

/// By how much more than by sampling a frame's count varies between two trials.
type Dispersion = [f64; 12];

/// Every frame alike.
const fn even(dispersion: f64) -> Dispersion {
    [dispersion; 12]
}

/// Three frames vary five times as much as the others: one that waits, one that allocates.
const UNEVEN: Dispersion = [1.3, 6.5, 1.3, 1.3, 1.3, 6.5, 1.3, 1.3, 6.5, 1.3, 1.3, 1.3];
/// As a server's: most frames little more than by sampling, a few twice and three times.
const MIXED: Dispersion = [1.3, 1.1, 2.9, 1.001, 1.2, 1.5, 1.1, 1.001, 2.0, 1.2, 1.1, 1.001];

/// One side-blind recipe of a trial: how many samples, and how much they vary.
#[derive(Clone, Copy)]
struct Recipe {
    trials: usize,
    samples: f64,
    dispersion: Dispersion,
}

/// One trial: counts vary as much as the recipe says, and with it each trial's load by some percent.
fn trial(recipe: &Recipe, hot: f64, rng: &mut Rng) -> TrialStacks {
    let load = Gamma::new(400.0, 1.0 / 400.0).unwrap().sample(rng);
    let mut text = String::new();
    for ((stack, share), dispersion) in FRAMES.into_iter().zip(recipe.dispersion) {
        let share = if stack.ends_with("hot") { share * hot } else { share };
        let mean = recipe.samples * share * load;
        // A gamma mean of 1 and variance (dispersion - 1) / mean makes the count negative binomial.
        let shape = mean / (dispersion - 1.0);
        let factor = Gamma::new(shape, 1.0 / shape).unwrap().sample(rng);
        let count = Poisson::new((mean * factor).max(1e-9)).unwrap().sample(rng) as u64;
        text += &format!("{stack} {count}\n");
    }
    TrialStacks {
        stacks: Folded::parse("in", text).unwrap(),
        requests: Some((REQUESTS as f64 * load) as u64),
    }
}

fn compare(recipe: &Recipe, hot: f64, normalise: Normalise, rng: &mut Rng) -> Diff {
    let mut side = |hot| (0..recipe.trials).map(|_| trial(recipe, hot, rng)).collect::<Vec<_>>();
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

/// Comparisons of a kind: more by `FLAME_ROUNDS`, for figures that are to be quoted.
fn rounds(default: usize) -> usize {
    std::env::var("FLAME_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

/// The standard error of a rate of 5 %.
fn error(rounds: usize) -> f64 {
    (0.05 * 0.95 / rounds as f64).sqrt()
}

#[test]
fn the_same_build_is_rarely_flagged() {
    let mut rng = Rng::seed_from_u64(20_111_222);
    let rounds = rounds(250);
    let mut all = vec![];
    for (trials, name, dispersion) in [
        (4, "uneven", UNEVEN),
        (5, "1.3", even(1.3)),
        (5, "2.9", even(2.9)),
        (5, "mixed", MIXED),
        (5, "uneven", UNEVEN),
        (10, "uneven", UNEVEN),
    ] {
        let recipe = Recipe { trials, samples: 1_000.0, dispersion };
        for normalise in [Normalise::Requests, Normalise::Samples] {
            let flagged =
                share_of(rounds, || any_flag(&compare(&recipe, 1.0, normalise, &mut rng)));
            println!("same build, {trials} trials, dispersion {name}, {normalise:?}: {flagged:.3}");
            all.push(flagged);
        }
    }
    let worst = all.iter().copied().fold(0.0, f64::max);
    assert!(worst <= 0.05 + 3.0 * error(rounds), "{worst} of a kind flag a frame");
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    assert!(mean <= 0.05, "{mean} of comparisons flag a frame that did not move");
}

/// With twelve frames and their callers no test could find more than 76 of 100 at a dispersion of
/// 1.5: at 1,000 samples the change is 3.6 errors, and 5 % shared by sixteen tests leave what is beyond
/// 2.9. So the samples that 80 of 100 take grow with the dispersion.
#[test]
fn a_quarter_more_in_a_seven_percent_frame_is_found() {
    let mut rng = Rng::seed_from_u64(7);
    let rounds = rounds(200);
    for (samples, name, dispersion, least) in [
        (1_000.0, "1.05", even(1.05), 0.80),
        (1_000.0, "1.2", even(1.2), 0.80),
        (1_200.0, "1.5", even(1.5), 0.80),
        (1_600.0, "2", even(2.0), 0.80),
        // Within three errors of the 80, 73 and 83 of 2,000 comparisons.
        (1_000.0, "1.35", even(1.35), 0.71),
        (1_000.0, "mixed", MIXED, 0.64),
        (2_300.0, "2.9", even(2.9), 0.75),
    ] {
        let recipe = Recipe { trials: 10, samples, dispersion };
        let mut others = 0;
        let found = share_of(rounds, || {
            let diff = compare(&recipe, 1.25, Normalise::Requests, &mut rng);
            let moved = |name: &&Name| name.own.significant() || name.inclusive.significant();
            let callers = ["main", "work", "hot"];
            others += diff
                .names
                .iter()
                .filter(moved)
                .filter(|name| !callers.contains(&name.frame.as_str()))
                .count();
            let hot = diff.names.iter().find(|name| name.frame == "hot").unwrap();
            hot.own.significant() && hot.inclusive.significant()
        });
        let others = others as f64 / rounds as f64;
        println!("+25 %, {samples} samples, dispersion {name}: {found:.3}, others {others:.3}");
        assert!(found >= least, "found in {found}");
        assert!(others <= 0.05 + 3.0 * error(rounds), "{others} others in a comparison");
    }
}

/// Where much moved, what moved does not hide what else did.
#[test]
fn many_changes_are_all_found() {
    let mut rng = Rng::seed_from_u64(12);
    let recipe = Recipe { trials: 8, samples: 4_000.0, dispersion: even(1.2) };
    let all_of_work = |side: &mut Vec<TrialStacks>| {
        for trial in side {
            let text: String = trial
                .stacks
                .stacks()
                .map(|stack| {
                    let times = if stack.path().starts_with("main;work;") { 2 } else { 1 };
                    format!("{} {}\n", stack.path(), times * stack.count)
                })
                .collect();
            trial.stacks = Folded::parse("in", text).unwrap();
        }
    };
    let found = share_of(50, || {
        let mut side = || (0..8).map(|_| trial(&recipe, 1.0, &mut rng)).collect::<Vec<_>>();
        let (before, mut after) = (side(), side());
        all_of_work(&mut after);
        let diff = diff(&before, &after, Normalise::Requests, "samples").unwrap();
        ["parse", "hot", "hash", "work"].iter().all(|frame| {
            diff.names.iter().any(|name| name.frame == *frame && name.inclusive.significant())
        })
    });
    assert!(found >= 0.95, "{found}");
}

/// A test on pooled samples, as if they were independent, flags what this rule does not.
#[test]
fn a_test_on_pooled_samples_would_flag_equal_sides() {
    let mut rng = Rng::seed_from_u64(3);
    let recipe = Recipe { trials: 5, samples: 1_500.0, dispersion: even(2.9) };
    let wolf = share_of(200, || {
        let mut side = || {
            let trials: Vec<_> = (0..5).map(|_| trial(&recipe, 1.0, &mut rng).stacks).collect();
            [TrialStacks { stacks: Folded::merge(&trials).unwrap(), requests: None }]
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
        [TrialStacks { stacks: Folded::parse("in", text).unwrap(), requests: None }]
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
