//! What a lab replies to a learner who says what is wrong with a black box: `LAB answer`.
//!
//! The reply leads the dialogue: it asks for one part after the other, and for the next one only if
//! all before it fit the evidence. So the question for the count may speak of what was found.

use serde::{Deserialize, Serialize};

use crate::schema::Schema;

/// What may be short, the same list for every black box. `none`: no resource is, and the program
/// waits for something else.
pub const RESOURCES: [&str; 6] = ["cpu", "memory", "disk", "network", "lock", "none"];

/// A reply, on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Reply {
    /// What was said so far fits the evidence; this part is missing.
    Asks {
        /// The part.
        part: Part,
        /// The question.
        ask: String,
        /// What a count counts, such as `threads`; empty for the other parts.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        of: String,
    },
    /// This part does not fit the evidence; those before it do.
    Wrong {
        /// The part.
        part: Part,
        /// Where to look, without the answer.
        says: String,
    },
    /// All three parts fit.
    Right {
        /// What it was.
        says: String,
    },
    /// The run shows nothing of the box, and why.
    NoEvidence {
        /// Why.
        reason: String,
    },
}

/// A part of what is wrong, in the order in which they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// One of [`RESOURCES`].
    Resource,
    /// The function at fault.
    Function,
    /// A number that the run measured.
    Count,
}

impl Part {
    /// `resource`, `function` or `count`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Function => "function",
            Self::Count => "count",
        }
    }
}

impl Schema for Reply {
    const NAME: &'static str = "perf-lab.reply";
}
