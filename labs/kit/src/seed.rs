//! Repeatable random choices: each follows from the trial's seed and the purpose of the choice.
//!
//! They are the same on every machine: integers, exact arithmetic, and logarithms from the `libm`
//! crate, since those of C libraries differ in the last bit.

use lab_stats::splitmix64;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::sim::standard_normal;

/// The random number generator of one purpose.
pub type Generator = Xoshiro256PlusPlus;

/// A generator for one purpose, named by `path`, such as `[SLOWNESS, request, leaf]`. Two purposes
/// never share a stream, and a choice does not depend on the order in which others were made:
/// a live trial and its simulation, or two variants of one seed, draw the same numbers.
pub fn rng(seed: u64, path: &[u64]) -> Generator {
    Generator::seed_from_u64(key(seed, path))
}

/// One uniform draw in [0, 1) for one purpose, at the cost of a few multiplications.
#[inline]
pub fn uniform(seed: u64, path: &[u64]) -> f64 {
    unit(mix(key(seed, path)))
}

/// Random bits as a number in [0, 1).
#[inline]
pub fn unit(bits: u64) -> f64 {
    // The upper 53 bits fill a double's mantissa.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// An exponential time of mean 1 from a uniform number in [0, 1), by inversion.
#[inline]
pub fn unit_exponential(uniform: f64) -> f64 {
    -libm::log1p(-uniform)
}

/// A standard normal number from a uniform number in [0, 1), by inversion.
pub fn unit_normal(uniform: f64) -> f64 {
    standard_normal(uniform)
}

#[inline]
fn key(seed: u64, path: &[u64]) -> u64 {
    path.iter().fold(mix(seed), |key, part| mix(key ^ mix(*part)))
}

/// One step of SplitMix64.
#[inline]
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
