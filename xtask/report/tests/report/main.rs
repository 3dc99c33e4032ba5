//! Pages of made-up runs: read back, attacked, starved, overfed, and used in a real browser.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browser;
mod comparisons;
mod fixture;
mod in_browser;
mod on_disk;
