//! What a comparison of benchmarks runs.

use serde::{Deserialize, Serialize};

use crate::compare::command::work::Revisions;

/// Two revisions of a workspace and those of its benchmarks that are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::compare) struct BenchWork {
    pub(in crate::compare) revisions: Revisions,
    /// A regular expression, as criterion takes it; empty for all.
    pub(super) filter: String,
    /// The benchmarks that both sides have.
    pub(super) names: Vec<String>,
    /// How long a benchmark warms up in each trial.
    pub(super) warm_up_ms: u64,
    /// How long it is measured then.
    pub(super) measure_ms: u64,
    /// How long one bench program may run.
    pub(super) deadline_ms: u64,
}
