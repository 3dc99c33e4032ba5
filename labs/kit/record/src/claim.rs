//! A claim, judged: predicted, measured, and what follows.

use serde::{Deserialize, Serialize};

use crate::schema::Schema;

/// `claims.json`: every check of every claim, in the order of the lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// One row for each way that a claim is checked.
    pub claims: Vec<Judgement>,
}

/// One claim checked in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Such as `TAS-2`.
    pub id: String,
    /// One sentence, in our own words.
    pub says: String,
    /// The source's short name.
    pub source: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The figure that was expected; `None` for an order rather than a figure.
    pub predicted: Option<f64>,
    /// The figure that was found.
    pub measured: Option<f64>,
    /// Lower end of the measured figure's 95 % interval, where there is one.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// Of the four figures.
    pub unit: String,
    /// By which way it was checked.
    pub how: How,
    /// What was required, or why there is no answer.
    pub reason: String,
}

/// What came of checking a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The evidence agrees within the stated tolerance.
    Reproduced,
    /// The evidence is sound and disagrees.
    NotReproduced,
    /// The evidence must not be used: the generator or the machine disturbed it.
    Invalid,
    /// There is no evidence here: not run, or too few samples.
    Unavailable,
}

/// By which way a claim was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// From a formula: truth.
    ClosedForm,
    /// From a simulation with a seed: exactness.
    Virtual,
    /// From this machine: realism.
    Live,
    /// From what an eBPF probe saw of a trial on this machine.
    Probe,
}

impl How {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::ClosedForm => "closed form",
            Self::Virtual => "virtual",
            Self::Live => "live",
            Self::Probe => "probe",
        }
    }
}

impl Schema for Claims {
    const NAME: &'static str = "perf-lab.claims";
}
