//! Which side runs when: randomised quads, `ABBA` or `BAAB`.
//!
//! Within a quad each side has the same mean position, so a machine that slows down evenly favours
//! neither; a coin decides the next order, so nothing periodic can favour one either. Both halves
//! of a pair have the same arrivals.

use lab_stats::splitmix64;
use serde::{Deserialize, Serialize};

/// One of the two sides of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The side that is compared with.
    Base,
    /// The side that is judged.
    New,
}

impl Side {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::New => "new",
        }
    }
}

/// One trial to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The quad that it belongs to, from 0.
    pub quad: u32,
    /// Its place in the quad, 0 to 3.
    pub position: u8,
    /// The side that runs.
    pub side: Side,
    /// Seed of the arrivals, below 2^53 so that every JSON reader keeps it exact.
    pub seed: u64,
}

/// The four turns of quad `quad` of the comparison with `seed`: a pure function of both, so a
/// comparison can be resumed or repeated turn by turn.
pub fn quad(seed: u64, quad: u32) -> [Turn; 4] {
    use Side::{Base, New};
    let base_outside = splitmix64(seed, 3 * u64::from(quad)) & 1 == 0;
    let sides = if base_outside { [Base, New, New, Base] } else { [New, Base, Base, New] };
    [0_u8, 1, 2, 3].map(|position| {
        let pair = u64::from(position) / 2;
        let seed = splitmix64(seed, 3 * u64::from(quad) + 1 + pair) >> 11;
        Turn { quad, position, side: sides[usize::from(position)], seed }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_quad_is_balanced_and_its_pairs_share_a_seed() {
        for turns in (0..100).map(|q| quad(7, q)) {
            let base: u8 = turns.iter().filter(|t| t.side == Side::Base).map(|t| t.position).sum();
            assert_eq!(base, 3, "both sides have the mean position 1.5");
            for pair in turns.chunks(2) {
                assert_ne!(pair[0].side, pair[1].side);
                assert_eq!(pair[0].seed, pair[1].seed);
            }
        }
    }

    #[test]
    fn seeds_differ_and_orders_are_a_fair_coin() {
        let quads: Vec<_> = (0..1_000).map(|q| quad(1, q)).collect();
        let seeds: BTreeSet<u64> = quads.iter().flatten().map(|t| t.seed).collect();
        assert_eq!(seeds.len(), 2_000);
        assert!(seeds.iter().all(|&s| s < 1 << 53));
        let base_first = quads.iter().filter(|q| q[0].side == Side::Base).count();
        assert!((440..=560).contains(&base_first), "{base_first} of 1000");
    }

    #[test]
    fn another_seed_is_another_order() {
        let order = |seed| (0..64).map(|q| quad(seed, q)[0].side).collect::<Vec<_>>();
        assert_ne!(order(1), order(2));
        assert_eq!(order(1), order(1));
    }
}
