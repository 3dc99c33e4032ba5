//! What a reader of a run is asked to try next.

use serde::{Deserialize, Serialize};

use crate::knob::Knobs;

/// One thing to try, of which the reader predicts the result first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// Knobs to turn: with them the finding is another.
    pub set: Knobs,
    /// What the reader is asked to predict.
    pub ask: String,
}
