//! The calibrated service times of the studies, drawn for one copy of a request; the calibration
//! and its sources are in `theory`.

use crate::slowness::Copy;
use crate::theory::{bigtable, table1, table2};

/// Purposes of draws, apart from those of `slowness`.
const TIME: u64 = 20;
const WHICH_PAUSE: u64 = 23;
const PAUSE_START: u64 = 24;

/// A leaf of the paper's BigTable benchmark.
pub(crate) fn bigtable(copy: Copy) -> f64 {
    bigtable::LEAF.quantile(copy.own(TIME))
}

/// Table 1 with independent leaves.
pub(crate) fn table1_independent(copy: Copy) -> f64 {
    table1::INDEPENDENT.quantile(copy.own(TIME))
}

/// Table 1 with an intermediate server that holds back the answers of all its leaves.
pub(crate) fn table1_shared(copy: Copy) -> f64 {
    // Pauses step through their distribution by the golden ratio from a random start, so that a
    // trial has its rare pauses as often as it should.
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let start = Copy { id: 0, ..copy }.of_request(PAUSE_START);
    let how_long = (start + GOLDEN * copy.id as f64).fract();
    let pause = table1::pause(copy.of_request(WHICH_PAUSE), how_long);
    table1::shared_ms(pause, copy.shard, copy.own(TIME))
}

/// Table 1 without that server: the counter-experiment.
pub(crate) fn table1_own(copy: Copy) -> f64 {
    table1::OWN.quantile(copy.own(TIME))
}

/// Table 2: a request's service time, the same at both replicas.
pub(crate) fn table2(copy: Copy) -> f64 {
    table2::service_ms(copy.of_both(TIME))
}

#[cfg(test)]
mod tests {
    use super::*;

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
