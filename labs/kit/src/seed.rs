//! Random choices that repeat: everything follows from a trial's seed and what the choice is for.

use lab_stats::splitmix64;
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

/// One step of SplitMix64.
fn mix(state: u64) -> u64 {
    splitmix64(state, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
