//! Lessons: what a learner is asked, what is run, and what was answered.

use serde::{Deserialize, Serialize};

use crate::claim::How;
use crate::knob::Knobs;
use crate::schema::Schema;
use crate::trial::Reads;

/// One step of `cargo xtask learn`: a prediction, a short run, and both again without the cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LessonSpec {
    /// The claim that it teaches.
    pub claim: String,
    /// Which of the claim's checks gives the trials and the counter-experiment.
    pub how: How,
    /// The trials of a run.
    pub reads: Vec<Reads>,
    /// The measured span of each trial, in milliseconds.
    pub span_ms: u64,
    /// What is run, in a few sentences.
    pub setup: String,
    /// The question: what is to be predicted.
    pub ask: String,
    /// The kind of answer.
    pub answer: Answer,
    /// Hints, from a first idea to nearly the answer; shown one by one on request.
    pub hints: Vec<String>,
    /// The explanation of the result.
    pub because: String,
    /// The knobs that take the cause away.
    pub without: Knobs,
    /// What those knobs change, and the question again.
    pub away: String,
    /// The conclusion.
    pub so: String,
}

/// The kind of figure that answers a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Answer {
    /// A share from 0 to 1, written in percent.
    Share,
    /// A time in nanoseconds, written with a unit.
    Time,
    /// A factor.
    Times,
    /// A count.
    Count {
        /// Such as `wake-ups`.
        of: String,
    },
    /// A choice: each option is a range of the measured figure.
    Choice {
        /// What is measured: of `ns`, `ratio`, or any other.
        unit: String,
        /// In the order in which they are shown.
        options: Vec<Choice>,
    },
}

impl Answer {
    /// The place of the choice in whose range a figure is, from 0; `None` where there is none.
    pub fn place_of(&self, figure: f64) -> Option<usize> {
        let Self::Choice { options, .. } = self else { return None };
        options.iter().position(|choice| (choice.from..choice.below).contains(&figure))
    }
}

/// An option to choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The option in a few words.
    pub says: String,
    /// Right if the measured figure is at least this,
    pub from: f64,
    /// and less than this.
    pub below: f64,
}

/// `answers.json`: what a learner predicted, and what was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The lab.
    pub lab: String,
    /// In the order in which they were given.
    pub answers: Vec<Answered>,
}

/// One prediction, and the measured figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The claim of the lesson.
    pub claim: String,
    /// The knobs that took its cause away; none in the first run.
    #[serde(default, skip_serializing_if = "Knobs::is_empty")]
    pub without: Knobs,
    /// The answer as typed.
    pub typed: String,
    /// The answer as a number: in the unit of the measured figure, or the place of an option from
    /// 0.
    pub value: f64,
    /// Number of hints shown before the answer.
    pub hints: usize,
    /// What theory, or the source, predicts.
    pub predicted: Option<f64>,
    /// What was measured; `None` where the run was ended, or had no evidence.
    pub measured: Option<f64>,
    /// The run, beside this file.
    pub run: String,
}

impl Schema for Answers {
    const NAME: &'static str = "perf-lab.answers";
}
