//! What two sampled builds of a program have in common, and what not.

use lab_flame::diff::{Diff, Mark, Name, Normalise, Path, TrialStacks, diff};
use lab_flame::folded::Folded;
use lab_kit::{Ctx, Side, sample_in_turns};

/// Samples the sides in turns; their stacks in the order of the sides.
pub(crate) fn profile<const N: usize>(
    ctx: &mut Ctx,
    sides: [Side<'_>; N],
) -> anyhow::Result<Vec<Folded>> {
    let names = sides.each_ref().map(|side| side.name.to_owned());
    let seen = sample_in_turns(ctx, sides)?;
    names.iter().zip(seen).map(|(name, samples)| Folded::parse(name, samples.folded())).collect()
}

/// The differential of two profiles.
pub(crate) fn compare(
    before: &Folded,
    after: &Folded,
    normalise: Normalise,
) -> anyhow::Result<Diff> {
    let side = |stacks: &Folded| [TrialStacks { stacks: stacks.clone(), requests: None }];
    diff(&side(before), &side(after), normalise, "samples")
}

/// The share of samples that would have to move from one box to another to make one side the
/// other: half of all self deltas. `counts` says which boxes count.
pub(crate) fn moved(diff: &Diff, counts: impl Fn(&Path) -> bool) -> f64 {
    let deltas = diff.paths.iter().filter(|path| counts(path)).map(|path| path.own.delta().abs());
    deltas.sum::<f64>() / 2.0 / diff.paths[0].inclusive.before
}

/// Whether a box has more colour than the error of sampling alone would give it.
pub(crate) fn coloured(path: &Path) -> bool {
    path.own.verdict.as_ref().is_some_and(|verdict| verdict.beyond_error)
}

/// The place of a function among all, by how much its own cost grew: 1 is the first. None where it
/// was never seen.
pub(crate) fn rank(diff: &Diff, function: &str) -> Option<usize> {
    let delta = find(diff, function)?.own.delta();
    Some(1 + diff.names.iter().filter(|name| name.own.delta() > delta).count())
}

/// How many standard errors of sampling a function's own share grew by; of a differential in
/// percent. None where it was never seen.
pub(crate) fn growth_in_errors(diff: &Diff, function: &str) -> Option<f64> {
    let change = &find(diff, function)?.own;
    let variance = |percent: f64, samples: u64| {
        let share = percent / 100.0;
        share * (1.0 - share) / samples as f64
    };
    let [before, after] = diff.totals;
    let error = (variance(change.before, before) + variance(change.after, after)).sqrt();
    Some(change.delta() / 100.0 / error)
}

/// The growth of each function that has its hundredth of the samples, in points of them, numbered
/// by name.
pub(crate) fn growths(diff: &Diff) -> Vec<(f64, f64)> {
    let mut names: Vec<&Name> =
        diff.names.iter().filter(|name| name.own.before.max(name.own.after) >= 1.0).collect();
    names.sort_by(|a, b| a.frame.cmp(&b.frame));
    (1_u32..).map(f64::from).zip(names.iter().map(|name| name.own.delta())).collect()
}

/// Whether a function is on the second side alone.
pub(crate) fn is_new(diff: &Diff, function: &str) -> bool {
    find(diff, function).is_some_and(|name| name.mark == Mark::New)
}

fn find<'a>(diff: &'a Diff, function: &str) -> Option<&'a Name> {
    diff.names.iter().find(|name| name.frame.rsplit("::").next() == Some(function))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(before: &str, after: &str, normalise: Normalise) -> Diff {
        let parse = |text: &str| Folded::parse("in", text).unwrap();
        compare(&parse(before), &parse(after), normalise).unwrap()
    }

    #[test]
    fn the_samples_that_moved_are_half_of_all_deltas() {
        let (before, after) = ("m;a 700\nm;x::b 300\n", "m;a 500\nm;x::b 500\n");
        let diff = of(before, after, Normalise::Samples);
        assert!((moved(&diff, |_| true) - 0.2).abs() < 1e-12);
        assert!((moved(&diff, coloured) - 0.2).abs() < 1e-12);
        let near = of(before, "m;a 705\nm;x::b 295\n", Normalise::Samples);
        assert!(moved(&near, |_| true) > 0.0 && moved(&near, coloured) == 0.0);
    }

    #[test]
    fn growth_is_measured_in_standard_errors_of_both_sides() {
        let diff = of("m;a 5000\nm;b 5000\n", "m;a 4900\nm;b 5100\n", Normalise::Samples);
        // 1 point, of an error of sqrt(2 x 1/4 / 10,000).
        let errors = growth_in_errors(&diff, "b").unwrap();
        assert!((errors - 0.01 / 0.007_070).abs() < 1e-3, "{errors}");
        assert!(growth_in_errors(&diff, "c").is_none());
    }

    #[test]
    fn frames_are_ranked_by_their_plain_name() {
        let diff = of("m;a 9\nm;x::b 1\n", "m;a 5\nm;x::b 5\nm;c 2\n", Normalise::Nothing);
        assert_eq!(["b", "c", "m", "a"].map(|name| rank(&diff, name)), [1, 2, 3, 4].map(Some));
        assert_eq!(rank(&diff, "d"), None);
        assert!(is_new(&diff, "c") && !is_new(&diff, "b"));
    }
}
