//! Claims and their outcomes: predicted, measured, and what follows.

use serde::{Deserialize, Serialize};

use crate::knob::Knobs;
use crate::next::Next;
use crate::schema::Schema;
use crate::trial::Mode;

/// `claims.json`: every check of every claim, in the order of the lab.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// One row for each way that a claim is checked.
    pub claims: Vec<Judgement>,
    /// What the run says in words.
    #[serde(default)]
    pub story: Told,
    /// Its figures for each lesson whose trials were planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<LessonFigures>,
}

/// A run's figures for a lesson's question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LessonFigures {
    /// The claim of the lesson.
    pub claim: String,
    /// What was measured; `None` if the run has no evidence.
    pub measured: Option<f64>,
    /// What theory, or the source, predicts for these knobs.
    pub predicted: Option<f64>,
    /// Why nothing was measured.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether the evidence must not be used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
}

/// What a run says in words, and what to try next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// One sentence with its figures; `None` if the run has no evidence for it.
    pub finding: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What to try, and to predict first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
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
    /// The outcome.
    pub outcome: Outcome,
    /// The figure that was expected; `None` for an order rather than a figure.
    pub predicted: Option<f64>,
    /// The figure that was found.
    pub measured: Option<f64>,
    /// Lower end of the measured figure's 95 % interval, where there is one.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// The unit of the four figures.
    pub unit: String,
    /// How it was checked.
    pub how: How,
    /// What was required, or why there is no answer.
    pub reason: String,
    /// The knobs that take the check's cause away: with them it must not hold.
    #[serde(default, skip_serializing_if = "Knobs::is_empty")]
    pub without: Knobs,
    /// Whether the run was planned to have what the check reads: false if its variants were not
    /// chosen.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub chosen: bool,
}

impl Judgement {
    /// An outcome without figures and without words, of a check that the run was to have.
    pub fn bare(id: &str, how: How, outcome: Outcome) -> Self {
        Self {
            id: id.to_owned(),
            says: String::new(),
            source: String::new(),
            outcome,
            predicted: None,
            measured: None,
            low: None,
            high: None,
            unit: String::new(),
            how,
            reason: String::new(),
            without: Knobs::new(),
            chosen: true,
        }
    }
}

fn yes() -> bool {
    true
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The evidence agrees within the stated tolerance.
    Reproduced,
    /// The check agrees, and confirms nothing that the source found: a model that was fitted to the
    /// printed figures, an identity, a table put in order.
    Calibrated,
    /// The evidence is sound and disagrees.
    NotReproduced,
    /// The evidence must not be used: the generator or the machine disturbed it.
    Invalid,
    /// There is no evidence here: not run, or too few samples.
    Unavailable,
}

/// How a claim is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By a formula.
    ClosedForm,
    /// By a simulation with a seed.
    #[serde(alias = "virtual")]
    Simulated,
    /// By a measurement on this machine.
    Live,
    /// By an eBPF probe that observed a trial on this machine.
    Probe,
}

impl How {
    /// The mode of the trials that such a check reads.
    pub fn mode(self) -> Mode {
        if self == Self::Simulated { Mode::Simulated } else { Mode::Live }
    }

    /// As tables and pages print it.
    pub fn words(self) -> &'static str {
        match self {
            Self::ClosedForm => "closed form",
            Self::Simulated => "simulated",
            Self::Live => "live",
            Self::Probe => "probe",
        }
    }
}

impl Outcome {
    /// Every outcome, in the order in which a tally counts them.
    pub const ALL: [Self; 5] =
        [Self::Reproduced, Self::Calibrated, Self::NotReproduced, Self::Invalid, Self::Unavailable];

    /// As tables and pages print it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Calibrated => "calibrated",
            Self::NotReproduced => "not reproduced",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether the check agrees with its claim.
    pub fn agrees(self) -> bool {
        matches!(self, Self::Reproduced | Self::Calibrated)
    }
}

/// `falsification.json`: every check with its cause and without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Falsification {
    /// The lab.
    pub lab: String,
    /// The directory with the trials of both.
    pub run: String,
    /// In the order of the lab.
    pub checks: Vec<Falsified>,
}

/// A check with its cause and without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Falsified {
    /// What follows from both.
    pub verdict: Verdict,
    /// With the cause.
    pub with: Judgement,
    /// Without it.
    pub without: Judgement,
}

/// What follows from a check and its counter-experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds with its cause, and fails without.
    CanFail,
    /// It holds without its cause, too: it shows nothing.
    CannotFail,
    /// It does not hold with its cause.
    NotReproduced,
    /// One of the two has no evidence here.
    NotTested,
}

impl Verdict {
    /// What follows from both outcomes.
    pub fn of(with: Outcome, without: Outcome) -> Self {
        match (with, without) {
            (_, without) if without.agrees() => Self::CannotFail,
            (Outcome::NotReproduced, _) => Self::NotReproduced,
            (with, Outcome::NotReproduced) if with.agrees() => Self::CanFail,
            _ => Self::NotTested,
        }
    }

    /// As the terminal prints it.
    pub fn words(self) -> &'static str {
        match self {
            Self::CanFail => "can fail",
            Self::CannotFail => "CANNOT FAIL",
            Self::NotReproduced => "not reproduced",
            Self::NotTested => "not tested",
        }
    }
}

impl Schema for Falsification {
    const NAME: &'static str = "perf-lab.falsification";
}

impl Schema for Claims {
    const NAME: &'static str = "perf-lab.claims";
}
