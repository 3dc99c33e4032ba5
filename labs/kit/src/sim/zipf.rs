//! Zipf's distribution: few keys are asked for often.

use anyhow::{Context as _, ensure};
use rand::Rng;
use rand_distr::Distribution as _;
use rand_distr::weighted::WeightedAliasIndex;

/// Keys from 0 on, key k with a weight of (k + 1)^−exponent: Zipf's distribution over a bounded
/// number of keys. A draw costs the same for any number of them (Walker's alias method, from
/// `rand_distr`, whose own Zipf takes its powers from the platform); the table takes 12 bytes a
/// key.
#[derive(Debug, Clone)]
pub struct Zipf(WeightedAliasIndex<f64>);

impl Zipf {
    /// A distribution over `keys` keys; with exponent 0 all are equally likely.
    ///
    /// # Errors
    /// `keys` is 0, or the exponent is negative or not finite.
    pub fn new(keys: u32, exponent: f64) -> anyhow::Result<Self> {
        ensure!(keys > 0, "Zipf's distribution over {keys} keys");
        ensure!(exponent >= 0.0 && exponent.is_finite(), "a Zipf exponent of {exponent}");
        let weights = (1..=keys).map(|rank| libm::pow(f64::from(rank), -exponent)).collect();
        Ok(Self(WeightedAliasIndex::new(weights).context("weigh the keys")?))
    }

    /// Draws a key.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        self.0.sample(rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    fn counts(keys: u32, exponent: f64) -> Vec<f64> {
        let (zipf, mut rng) = (Zipf::new(keys, exponent).unwrap(), seed::rng(1, &[]));
        let mut counts = vec![0.0; keys as usize];
        (0..400_000).for_each(|_| counts[zipf.draw(&mut rng)] += 1.0);
        counts
    }

    #[test]
    fn keys_are_drawn_by_their_weight() {
        for exponent in [0.0, 0.8, 1.2] {
            let weights: Vec<f64> = (1..=50).map(|k| f64::from(k).powf(-exponent)).collect();
            let total: f64 = weights.iter().sum();
            for (key, count) in counts(50, exponent).iter().enumerate() {
                let expected = 400_000.0 * weights[key] / total;
                let off = (count - expected).abs() / expected.sqrt();
                assert!(off < 4.5, "key {key} at {exponent}: {count}, not {expected}");
            }
        }
    }

    #[test]
    fn zero_keys_and_a_negative_exponent_are_refused() {
        for (refused, value) in [(Zipf::new(0, 1.0), "0 keys"), (Zipf::new(5, -1.5), "-1.5")] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }
}
