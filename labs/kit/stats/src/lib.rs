//! The statistics that labs, runner and report share: one function for each, with one convention.

mod fit;
mod interval;
mod order;
mod random;
mod student;

pub use fit::{Estimate, fit_curve, least_squares};
pub use interval::{batch_means, binomial_error, mean_interval, wilson};
pub use order::{median, median_of_counts, median_of_sorted, quantile_of_sorted};
pub use random::splitmix64;
pub use student::Student;
