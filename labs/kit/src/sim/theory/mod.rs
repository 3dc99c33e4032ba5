//! What queueing theory says: formulas to hold a simulation, or a machine, against.
//!
//! Times are in any one unit, nanoseconds say, and rates in arrivals per that unit.

mod closed;
mod order;
mod queues;
mod scaling;

pub use closed::{Closed, mean_value_analysis};
pub use order::kth_is_late;
pub use queues::{MM1K, MMc, Single, md1_wait_quantile};
pub use scaling::{Usl, amdahl};

/// How many are there on average: arrivals times the mean time that each stays (Little, Operations
/// Research 1961). It holds for anything that is left as often as it is entered.
pub fn little(arrivals: f64, time: f64) -> f64 {
    arrivals * time
}
