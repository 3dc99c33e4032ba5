//! Random choices that repeat: everything follows from a trial's seed and what the choice is for.

use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A generator for one purpose. `path` names it: `[SLOWNESS, request, leaf]`, say. Two purposes
/// never share a stream, and a choice does not depend on the order in which others were made:
/// a live trial and its simulation, or two variants of one seed, meet the same luck.
pub fn rng(seed: u64, path: &[u64]) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(key(seed, path))
}

/// One uniform draw in [0, 1) for one purpose, at the cost of a few multiplications.
pub fn uniform(seed: u64, path: &[u64]) -> f64 {
    // The upper 53 bits fill a double's mantissa.
    (mix(key(seed, path)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn key(seed: u64, path: &[u64]) -> u64 {
    path.iter().fold(mix(seed), |key, part| mix(key ^ mix(*part)))
}

/// SplitMix64 (Steele, Lea & Flood, OOPSLA 2014): the step and its finaliser.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_agrees_with_its_reference() {
        // The first outputs of the published generator for the seed 1234567.
        assert_eq!(mix(1_234_567), 6_457_827_717_110_365_317);
        assert_eq!(
            mix(1_234_567_u64.wrapping_add(0x9e37_79b9_7f4a_7c15)),
            3_203_168_211_198_807_973
        );
    }

    #[test]
    fn draws_are_uniform_and_independent_of_their_neighbours() {
        let draws: Vec<f64> = (0..100_000).map(|i| uniform(1, &[3, i / 100, i % 100])).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.004, "{mean}");
        let below = draws.iter().filter(|u| **u < 0.01).count();
        assert!((850..=1_150).contains(&below), "{below}");
        let pairs = draws.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>();
        assert!((pairs / draws.len() as f64).abs() < 0.001);
    }
}
