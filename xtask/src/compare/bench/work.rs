//! What a comparison of benchmarks runs.

use serde::{Deserialize, Serialize};

use crate::compare::command::work::Revisions;

/// Two revisions of a workspace, and its benchmarks to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::compare) struct BenchWork {
    pub(in crate::compare) revisions: Revisions,
    /// A regular expression, as for criterion; empty for all benchmarks.
    pub(super) filter: String,
    /// The benchmarks that both sides have.
    pub(super) names: Vec<String>,
    /// How long each benchmark warms up in a trial.
    pub(super) warm_up_ms: u64,
    /// How long each benchmark is then measured.
    pub(super) measure_ms: u64,
    /// How long one bench program may run.
    pub(super) deadline_ms: u64,
}
