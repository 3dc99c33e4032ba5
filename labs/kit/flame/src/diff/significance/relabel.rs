//! What chance alone would show: the same trials, dealt to the two sides in other ways.
//!
//! Where nothing changed, each way to deal the trials is as likely as the one that happened. So the
//! share of deals in which any frame stands out as far is the chance of a false alarm, for any
//! counts' distribution, and however frames depend on each other (Westfall & Young 1993, step-down
//! maxT).

use lab_stats::splitmix64;

/// The most deals that are looked at. If there are more, this many are drawn, always the same ones.
const MOST_DEALS: usize = 1_000;
/// Any number does.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which trials are before, in each deal. The first is the one that happened: it counts too, so a
/// chance is never 0.
pub(super) fn deals(trials: usize, before: usize) -> Vec<Vec<usize>> {
    let happened: Vec<usize> = (0..before).collect();
    if distinct_deals(trials, before) <= MOST_DEALS {
        return std::iter::successors(Some(happened), |deal| next(deal, trials)).collect();
    }
    let mut random = (0..).map(|n| splitmix64(SEED, n));
    let drawn = (1..MOST_DEALS).map(|_| draw(trials, before, &mut random));
    std::iter::once(happened).chain(drawn).collect()
}

/// How many deals differ in what they show. With as many trials before as after a deal shows the
/// same as its mirror image.
pub(super) fn outcomes(trials: usize, before: usize) -> usize {
    let deals = distinct_deals(trials, before);
    if 2 * before == trials { deals / 2 } else { deals }
}

/// For each frame the share of deals in which it, or any that stood out less, stands out as far as it
/// did; and never less than for a frame that stood out more. `scores` has the frames' distances from
/// no change, deal by deal, the one that happened first.
pub(super) fn chances(scores: &[Vec<f64>]) -> Vec<f64> {
    let happened = &scores[0];
    let mut order: Vec<usize> = (0..happened.len()).collect();
    order.sort_by(|&a, &b| happened[a].total_cmp(&happened[b]));
    let mut as_far = vec![0_usize; happened.len()];
    for deal in scores {
        let mut farthest = 0.0_f64;
        for &frame in &order {
            farthest = farthest.max(deal[frame]);
            // The mirror image of what happened must not be missed by a rounding error.
            as_far[frame] += usize::from(farthest >= happened[frame] * (1.0 - 1e-9));
        }
    }
    let mut chances = vec![0.0; happened.len()];
    let mut most = 0.0_f64;
    for &frame in order.iter().rev() {
        most = most.max(as_far[frame] as f64 / scores.len() as f64);
        chances[frame] = most;
    }
    chances
}

/// The binomial coefficient, where it is small enough to matter.
fn distinct_deals(trials: usize, before: usize) -> usize {
    (0..before.min(trials - before))
        .try_fold(1_usize, |deals, taken| Some(deals.checked_mul(trials - taken)? / (taken + 1)))
        .unwrap_or(usize::MAX)
}

/// The next deal in the order of a dictionary.
fn next(deal: &[usize], trials: usize) -> Option<Vec<usize>> {
    let before = deal.len();
    let place = (0..before).rev().find(|&place| deal[place] + before - place < trials)?;
    let stay = deal[..place].iter().copied();
    Some(stay.chain(deal[place] + 1..).take(before).collect())
}

/// A deal at random (Fisher & Yates, as far as needed).
fn draw(trials: usize, before: usize, random: &mut impl Iterator<Item = u64>) -> Vec<usize> {
    let mut all: Vec<usize> = (0..trials).collect();
    for (place, random) in (0..before).zip(random) {
        let rest = (trials - place) as u64;
        all.swap(place, place + (random % rest) as usize);
    }
    all.truncate(before);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_deal_is_listed_once_with_the_actual_one_first() {
        for (trials, before, count) in [(10, 5, 252), (6, 2, 15), (12, 6, 924), (4, 1, 4)] {
            let deals = deals(trials, before);
            assert_eq!((deals.len(), distinct_deals(trials, before)), (count, count));
            assert_eq!(deals[0], (0..before).collect::<Vec<_>>());
            let distinct: BTreeSet<_> = deals.iter().collect();
            assert_eq!(distinct.len(), count);
            assert!(deals.iter().flatten().all(|&trial| trial < trials));
        }
        assert_eq!((outcomes(10, 5), outcomes(6, 2)), (126, 15));
    }

    #[test]
    fn of_many_deals_a_thousand_are_drawn_evenly() {
        let many = deals(20, 10);
        assert_eq!(many.len(), MOST_DEALS);
        assert_eq!(many, deals(20, 10), "always the same");
        for trial in 0..20 {
            let dealt = many.iter().filter(|deal| deal.contains(&trial)).count();
            // Half of a thousand, within five standard errors.
            assert!((420..=580).contains(&dealt), "{trial}: {dealt}");
        }
        assert_eq!(distinct_deals(200, 100), usize::MAX);
        assert_eq!(deals(200, 100).len(), MOST_DEALS);
    }

    #[test]
    fn chances_match_those_computed_by_hand() {
        // Three frames in four deals.
        let scores =
            [vec![3.0, 2.0, 0.5], vec![1.0, 2.5, 0.1], vec![0.5, 0.1, 2.0], vec![0.1, 0.2, 0.3]];
        // As far as 3: only what happened. As far as 2, the first aside: in three. As far as 0.5, of
        // the last alone: in two, but no less than for a frame that stood out more.
        assert_eq!(chances(&scores), [0.25, 0.75, 0.75]);
    }
}
