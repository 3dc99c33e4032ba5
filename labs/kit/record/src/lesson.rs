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
    /// What is to be predicted.
    pub ask: String,
    /// How the answer is written.
    pub answer: Answer,
    /// From the first nudge to nearly the answer; shown one by one, if asked for.
    pub hints: Vec<String>,
    /// Why it came out so.
    pub because: String,
    /// The knobs that take the cause away.
    pub without: Knobs,
    /// What they change, and the question again.
    pub away: String,
    /// What follows.
    pub so: String,
}

/// What kind of figure answers a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Answer {
    /// From 0 to 1, written in percent.
    Share,
    /// In nanoseconds, written with a unit.
    Time,
    /// How many times as much.
    Times,
    /// A number of these.
    Count {
        /// Such as `wake-ups`.
        of: String,
    },
    /// One of a few: each is a range of the measured figure.
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

/// An answer to choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// In a few words.
    pub says: String,
    /// Right where the measured figure is at least this,
    pub from: f64,
    /// and less than this.
    pub below: f64,
}

/// `answers.json`: what somebody predicted, and saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The lab.
    pub lab: String,
    /// In the order in which they were given.
    pub answers: Vec<Answered>,
}

/// One prediction, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The claim of the lesson.
    pub claim: String,
    /// The knobs that took its cause away; none in the first run.
    #[serde(default, skip_serializing_if = "Knobs::is_empty")]
    pub without: Knobs,
    /// As it was typed.
    pub typed: String,
    /// As it was understood: in the unit of the measured figure, or the place of a choice from 0.
    pub value: f64,
    /// How many hints were read before.
    pub hints: usize,
    /// What theory, or the source, has.
    pub predicted: Option<f64>,
    /// What was measured; `None` where the run was ended, or had no evidence.
    pub measured: Option<f64>,
    /// The run, beside this file.
    pub run: String,
}

impl Schema for Answers {
    const NAME: &'static str = "perf-lab.answers";
}
