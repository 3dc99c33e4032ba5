//! The calibrated service times of the studies, drawn for one copy of a request; the calibration
//! and its sources are in `theory`.

use lab_kit::seed;

use crate::slowness::Copy;
use crate::theory::{bigtable, mixture, table1, table2};

/// Purposes of draws, apart from those of `slowness`.
const TIME: u64 = 20;
const KIND: u64 = 21;
const WHICH_PAUSE: u64 = 23;
const PAUSE_START: u64 = 24;

/// A leaf of the paper's BigTable benchmark.
pub fn bigtable(copy: Copy) -> f64 {
    bigtable::LEAF.quantile(copy.own(TIME))
}

/// Brooker's leaf: 99 % around 10 ms, 1 % around 100 ms.
pub fn mixture(copy: Copy) -> f64 {
    mixture::leaf_ms(copy.own(KIND), seed::unit_normal(copy.own(TIME))).max(0.0)
}

/// Table 1 with independent leaves.
pub fn table1_independent(copy: Copy) -> f64 {
    table1::INDEPENDENT.quantile(copy.own(TIME))
}

/// Table 1 with an intermediate server that holds answers back for all its leaves.
pub fn table1_shared(copy: Copy) -> f64 {
    // Pauses take turns through their distribution by the golden ratio, so that a trial meets its
    // rare ones as often as it should; the first turn is random.
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let start = Copy { id: 0, ..copy }.of_request(PAUSE_START);
    let how_long = (start + GOLDEN * copy.id as f64).fract();
    let pause = table1::pause(copy.of_request(WHICH_PAUSE), how_long);
    table1::shared_ms(pause, copy.shard, copy.own(TIME))
}

/// The same without that server: the counter-experiment.
pub fn table1_own(copy: Copy) -> f64 {
    table1::OWN.quantile(copy.own(TIME))
}

/// Table 2: what a request needs, the same at both replicas.
pub fn table2(copy: Copy) -> f64 {
    table2::service_ms(copy.of_both(TIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(draw: fn(Copy) -> f64, count: u64) -> impl Iterator<Item = f64> {
        (0..count).map(move |id| draw(Copy { seed: 1, id, shard: 3, replica: 0 }))
    }

    #[test]
    fn the_mixture_has_its_mean_and_variance() {
        let count = 200_000;
        let mean = draws(mixture, count).sum::<f64>() / count as f64;
        let variance =
            draws(mixture, count).map(|t| (t - mean).powi(2)).sum::<f64>() / count as f64;
        assert!((mean - mixture::mean_ms(mixture::SLOW)).abs() < 0.1, "{mean}");
        assert!((variance / mixture::variance_ms2(mixture::SLOW) - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn both_copies_of_a_table_2_request_need_the_same_work() {
        let time = |replica| table2(Copy { seed: 1, id: 9, shard: 0, replica });
        assert_eq!(time(0), time(1));
        let independent = |replica| bigtable(Copy { seed: 1, id: 9, shard: 0, replica });
        assert_ne!(independent(0), independent(1));
    }

    #[test]
    fn pauses_come_at_the_rate_of_their_distribution() {
        let long = (0..2_000).filter(|id| {
            (0..16).any(|shard| table1_shared(Copy { seed: 1, id: *id, shard, replica: 0 }) >= 32.0)
        });
        // 5.15 % of pauses last 32 ms; a leaf's own service rarely does.
        let share = long.count() as f64 / 2_000.0;
        assert!((share - 0.0515 - 16.0 * 1e-3).abs() < 0.012, "{share}");
    }
}
