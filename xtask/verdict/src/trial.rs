//! What judging needs of one finished trial, and how it is recorded.
//!
//! On disk: JSON lines, one trial a line, in the order in which they ran. Latencies are in
//! nanoseconds from the intended start of a request. `trials.jsonl` of a comparison directory is
//! such a file, and `--replay` judges any other.
//!
//! ```json
//! {"trial":0,"quad":0,"position":0,"variant":"A","seed":1002,"count":1591,"p50_ns":288609,"p99_ns":1143076,
//!  "p999_ns":1721416,"max_ns":3045162,"slice_p99_ns":[1545482,783318,935235,1129282,958247,1129426,1255940,1537714,893867,1162850]}
//! ```

use serde::{Deserialize, Serialize};

/// The schema that our own trial lines carry; foreign lines may leave it out.
pub const SCHEMA: &str = "perf-lab.trials/1";

/// One fresh process that ran one side once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Number of the trial in its recording.
    pub trial: u64,
    /// Number of the quad, `ABBA` or `BAAB`, that it belongs to.
    pub quad: u32,
    /// 0 to 3: its turn in the quad; turns 0 and 1 are a pair, and 2 and 3.
    pub position: u8,
    /// What is measured, such as `tail-latency/hedged`; absent when the record holds one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The side: `base` and `new` in our own records.
    pub variant: String,
    /// Seed of the arrivals, the same for both halves of a pair.
    pub seed: u64,
    /// Requests completed.
    pub count: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub max_ns: u64,
    /// The p99 of each of ten equal time slices.
    pub slice_p99_ns: Vec<u64>,
    /// Requests that should have been sent; like the next two, unknown in foreign records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<u64>,
    /// Requests that failed or timed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// How late the generator sent, 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_p99_ns: Option<u64>,
    /// The share of the machine's CPU time that other programs took meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_cpu_ratio: Option<f64>,
    /// Why the lab itself calls the trial invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid_reasons: Vec<String>,
}
