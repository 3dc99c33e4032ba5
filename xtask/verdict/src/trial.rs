//! What judging needs from one finished trial, and how it is recorded.
//!
//! On disk: JSON lines, one trial a line, in the order in which they ran. A lab's trial has the
//! quantiles of its requests, in nanoseconds from the intended start of a request; a command's has
//! `values`, each in the unit of its metric. `trials.jsonl` of a comparison directory is such a
//! file, and `--replay` judges any other.
//!
//! ```json
//! {"trial":0,"quad":0,"position":0,"variant":"A","seed":1002,"count":1591,"p50_ns":288609,"p99_ns":1143076,
//!  "p999_ns":1721416,"max_ns":3045162,"slice_p99_ns":[1545482,783318,935235,1129282,958247,1129426,1255940,1537714,893867,1162850]}
//! {"trial":1,"quad":0,"position":1,"variant":"B","seed":1002,"values":{"memory":7372800.0,"wall":251860120.0}}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The schema that our own trial lines carry; foreign lines may leave it out.
pub const SCHEMA: &str = "perf-lab.trials/1";

/// One fresh process that ran one side once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// [`SCHEMA`], in our own records.
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
    /// What a command's trial measured, by metric name; a lab's trial has requests instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, f64>,
    /// Requests answered correctly and in time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    /// Median of the response times, in nanoseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub p50_ns: u64,
    /// 99th percentile of the response times, in nanoseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub p99_ns: u64,
    /// 99.9th percentile of the response times, in nanoseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub p999_ns: u64,
    /// The longest response time, in nanoseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_ns: u64,
    /// The p99 of each of ten equal time slices, in nanoseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slice_p99_ns: Vec<u64>,
    /// The number of requests in each slice; unknown in foreign records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slice_counts: Vec<u64>,
    /// The measured span, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure_ms: Option<u64>,
    /// Requests in the percentiles, where those that were never answered have the time they waited.
    /// `None`: only those that were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<u64>,
    /// The shortest of those waits, in nanoseconds: a percentile at or above it is a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub censored_from_ns: Option<u64>,
    /// Requests that should have been sent; like the next three, unknown in foreign records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<u64>,
    /// Offered requests that ended in another way that the experiment expects: an overloaded server
    /// should refuse some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// Requests that were answered wrongly, where the experiment does not expect it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// 99th percentile of the generator's lateness, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_p99_ns: Option<u64>,
    /// The share of the machine's CPU time that other programs used meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_cpu_ratio: Option<f64>,
    /// Why the lab itself calls the trial invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid_reasons: Vec<String>,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl TrialRecord {
    /// Whether it has requests rather than a command's values.
    pub fn has_requests(&self) -> bool {
        self.values.is_empty()
    }

    /// The number of requests in the percentiles.
    pub fn requests(&self) -> u64 {
        self.recorded.unwrap_or(self.count)
    }

    /// Requests that were answered, or ended in another way that the experiment expects.
    pub fn ended_as_meant(&self) -> u64 {
        self.count.saturating_add(self.expected.unwrap_or(0))
    }

    /// The share of the offered requests that were answered, if known.
    pub fn answered_ratio(&self) -> Option<f64> {
        self.offered
            .filter(|&offered| offered > 0)
            .map(|offered| self.count as f64 / offered as f64)
    }

    /// Why these figures cannot be those of any trial.
    ///
    /// # Errors
    /// The trial has neither requests nor values, a lower percentile above a higher one, or more
    /// answers than requests.
    pub fn check(&self) -> Result<(), String> {
        if self.has_requests() && self.slice_p99_ns.is_empty() {
            return Err("neither requests, with slice_p99_ns, nor values".to_owned());
        }
        let slice = self.slice_p99_ns.iter().copied().max().unwrap_or(0);
        // A percentile is the upper end of its histogram bucket, the maximum is exact.
        let max = self.max_ns.saturating_add(self.max_ns.div_ceil(BUCKETS));
        let rising = [
            (("p50_ns", self.p50_ns), ("p99_ns", self.p99_ns)),
            (("p99_ns", self.p99_ns), ("p999_ns", self.p999_ns)),
            (("p999_ns", self.p999_ns), ("max_ns", max)),
            (("slice_p99_ns", slice), ("max_ns", max)),
        ];
        if let Some(((low, is), (high, than))) = rising.into_iter().find(|(a, b)| a.1 > b.1) {
            return Err(format!("{low} is {is}, above {high}, {than}"));
        }
        match self.offered {
            Some(offered) if self.count > offered => {
                Err(format!("{} requests were answered of {offered} offered", self.count))
            }
            Some(offered) if self.ended_as_meant() > offered => {
                let ended = self.ended_as_meant();
                Err(format!("{ended} requests ended as was expected of {offered} offered"))
            }
            _ => Ok(()),
        }
    }
}

/// Histogram buckets are at least this much narrower than their values: three significant digits.
const BUCKETS: u64 = 1_000;
