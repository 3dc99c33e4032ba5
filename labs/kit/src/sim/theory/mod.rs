//! Queueing theory: formulas to compare a simulation or a machine with.
//!
//! Times are in any one unit, such as nanoseconds, and rates in arrivals per that unit.

mod closed;
mod order;
mod queues;
mod scaling;

pub use closed::{Closed, mean_value_analysis};
pub use order::kth_is_late;
pub use queues::{MM1K, MMc, Single, md1_wait_quantile};
pub use scaling::{Usl, amdahl};

/// The mean number of requests in a system: the arrival rate times the mean time that each stays
/// (Little, Operations Research 1961). It holds for any system that requests leave as often as they
/// enter it.
pub fn little(arrivals: f64, time: f64) -> f64 {
    arrivals * time
}
