//! Renders a comparison for people and other systems.

mod figures;
mod human;
mod junit;
pub mod lines;
mod markdown;
mod notes;

pub use figures::{count, interval, latency, median};
pub use human::{human, level, limit};
pub use junit::junit;
pub use markdown::markdown;
pub use notes::{answered, notes};
