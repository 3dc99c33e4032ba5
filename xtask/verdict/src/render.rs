//! A comparison as people and other systems read it.

mod figures;
mod human;
mod junit;
mod markdown;

pub use figures::{interval, latency, percent};
pub use human::{human, row};
pub use junit::junit;
pub use markdown::markdown;
