//! A trial: one fresh process running one variant, the smallest thing that is ever measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::knob::Knobs;
use crate::profile::Profile;
use crate::schema::Schema;

/// Everything a trial needs, in `trial.json` before its process starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its directory under `trials/`: `003-fan-out`.
    #[serde(deserialize_with = "crate::name::id")]
    pub id: String,
    /// The lab.
    #[serde(deserialize_with = "crate::name::lab")]
    pub lab: String,
    /// The variant.
    #[serde(deserialize_with = "crate::name::variant")]
    pub variant: String,
    /// The name under which a summary files its figures: the variant, or `fan-out@simulated` for
    /// the simulated companion of a live trial.
    #[serde(deserialize_with = "crate::label::checked")]
    pub label: String,
    /// Real time or simulated time.
    pub mode: Mode,
    /// The seed of all random choices of the trial.
    pub seed: u64,
    /// Load before the measured span; tagged `warm-up` in the logs and in no figure.
    pub warmup_ms: u64,
    /// The measured span.
    pub measure_ms: u64,
    /// The length of one interval in the logs; it divides `measure_ms`.
    pub interval_ms: u64,
    /// The runner kills the trial when it has lasted this long, in real time.
    pub deadline_ms: u64,
    /// The value of every knob.
    pub knobs: Knobs,
    /// Set in a trial that is profiled, whose latencies enter no figure.
    pub profile: Option<Profile>,
    /// The eBPF probe that observes it, in a trial of its own, whose latencies enter no figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "crate::name::probe")]
    pub probe: Option<String>,
    /// A known slowness, to see whether a comparison finds it; absent in every other trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Inject>,
}

impl Trial {
    /// Whether it is neither profiled nor probed: only then do its latencies enter a figure.
    pub fn is_timed(&self) -> bool {
        self.profile.is_none() && self.probe.is_none()
    }

    /// Load before the measured span.
    pub fn warmup(&self) -> Duration {
        Duration::from_millis(self.warmup_ms)
    }

    /// The measured span.
    pub fn measure(&self) -> Duration {
        Duration::from_millis(self.measure_ms)
    }

    /// The length of one interval in the logs.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}

/// The clock of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Real time and real sockets.
    Live,
    /// Simulated time: exact and repeatable for a seed.
    #[serde(alias = "virtual")]
    Simulated,
}

/// Answers that are made to look slower than they were, by a known amount.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Inject {
    /// Only answers at or above this quantile of the trial's response times; 0 for all.
    pub from_quantile: f64,
    /// How much longer they take: 0.1 is 10 %.
    pub ratio: f64,
}

/// How a trial's process ended, in `exit.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// The outcome.
    pub state: State,
    /// The exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// How long the process lived.
    pub lived_ms: u64,
    /// The share of the CPU time that other programs took meanwhile; `None` if the machine does
    /// not report it, or the process was too short-lived.
    #[serde(default)]
    pub others_cpu_ratio: Option<f64>,
}

/// The outcome of a planned trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It wrote its metrics and exited with 0.
    Finished,
    /// It was ended from outside, by Ctrl-C or another signal.
    Killed,
    /// It failed, or its directory lacks `metrics.json`.
    Crashed,
    /// It reached its deadline.
    TimedOut,
    /// It was planned and never started.
    NotRun,
}

impl Schema for Trial {
    const NAME: &'static str = "perf-lab.trial";
}

impl Schema for Exit {
    const NAME: &'static str = "perf-lab.exit";
}

/// Trials that a check reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reads {
    /// Trials of this variant.
    pub variant: String,
    /// Trials that this probe observed; `None` for those without a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
}
