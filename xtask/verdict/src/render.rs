//! A comparison as people and other systems read it.

mod figures;
mod human;
mod junit;
pub mod lines;
mod markdown;

pub use figures::{interval, latency, percent};
pub use human::{human, taken_again};
pub use junit::junit;
pub use markdown::markdown;
