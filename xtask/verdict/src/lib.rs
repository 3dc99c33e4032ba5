//! The method of `cargo xtask compare`: which of two sides is slower, decided from paired trials.
//!
//! Everything here is pure. Trials go in as values, a [`comparison::Comparison`] comes out as a
//! value, and the same trials give byte-identical JSON; processes, files and time belong to the
//! verb on top. In the order in which a comparison uses them:
//!
//! - [`comparable`]: may these two sides be compared at all?
//! - [`looks`]: when the evidence is judged, and at what level, so that looking early costs
//!   nothing;
//! - [`order`]: which side runs when, with which arrival seed;
//! - [`trial`], [`pair`], [`validity`]: what a trial found, its pairs, and whether it counts;
//! - [`metric`], [`signed_rank`]: a difference for each pair, an estimate and an interval for all;
//! - [`answered`]: whether the new side answers as many requests as the base;
//! - [`limit`]: whether the figures of a side keep their limits;
//! - [`verdict`], [`scenario`], [`comparison`]: the judgement, for one metric, one scenario, the
//!   whole;
//! - [`exact`]: simulated trials, which have no noise;
//! - [`advisory`]: two stored runs, shown but not judged; [`calibrate`]: what a machine can detect;
//! - [`replay`]: the same from recorded trials; [`render`]: the table, Markdown, JUnit and JSON.

pub mod advisory;
pub mod answered;
pub mod calibrate;
pub mod comparable;
pub mod comparison;
pub mod exact;
pub mod limit;
pub mod looks;
pub mod method;
pub mod metric;
pub mod order;
pub mod pair;
pub mod render;
pub mod replay;
pub mod scenario;
pub mod signed_rank;
pub mod trial;
pub mod validity;
pub mod verdict;
