//! Whether the new side answers as many requests as the base, which met the same arrivals.
//!
//! A request that is never answered is in no percentile of the answers: a side that loses its
//! slowest requests looks faster. So answers are counted, compared within each pair, and shown.

use serde::{Deserialize, Serialize};

use crate::looks::Looks;
use crate::pair::Pair;
use crate::trial::TrialRecord;
use crate::verdict::{Verdict, look};

/// The smallest loss that counts: one request in a thousand moves a p99 by a tenth of its tail.
const FLOOR_RATIO: f64 = 0.001;

/// The answers of all judged pairs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answered {
    /// Requests that the base side answered.
    pub base: u64,
    /// Requests that the new side answered.
    pub new: u64,
    /// Requests that the base side should have been sent; unknown in foreign records.
    pub base_offered: Option<u64>,
    /// The same of the new side.
    pub new_offered: Option<u64>,
    /// The estimated change of the answered share, NEW against BASE: -0.01 is 1 % less.
    pub change_ratio: Option<f64>,
    /// `Regressed` if NEW answers fewer than the noise allows; `None` if the scenario is invalid.
    pub verdict: Option<Verdict>,
}

impl Answered {
    /// Adds the answers up, without a verdict.
    pub fn count<'a>(
        base: impl IntoIterator<Item = &'a TrialRecord>,
        new: impl IntoIterator<Item = &'a TrialRecord>,
    ) -> Answered {
        let ((base, base_offered), (new, new_offered)) = (total(base), total(new));
        Answered { base, new, base_offered, new_offered, change_ratio: None, verdict: None }
    }

    /// Counts and judges the pairs up to the look at which a comparison stopped.
    pub fn judge(pairs: &[&Pair], looks: &Looks) -> Answered {
        let losses: Vec<f64> = pairs.iter().map(|pair| loss(pair)).collect();
        let found = look(&losses, losses.len() as u32, looks.alpha_each);
        let fewer = found.is_some_and(|f| f.low > 0.0 && f.estimate >= FLOOR_RATIO);
        Answered {
            // 0.0 - 0.0 is 0.0, where the opposite of 0.0 is -0.0.
            change_ratio: found.map(|found| (0.0 - found.estimate).exp_m1()),
            verdict: Some(if fewer { Verdict::Regressed } else { Verdict::Quiet }),
            ..Answered::count(pairs.iter().map(|p| &p.base), pairs.iter().map(|p| &p.new))
        }
    }
}

/// `ln(answered of the base) - ln(answered of the new side)`, as shares of the offered requests if
/// these are known: a closed loop offers more if it is answered sooner.
fn loss(pair: &Pair) -> f64 {
    let Pair { base, new } = pair;
    match (base.answered_ratio(), new.answered_ratio()) {
        (Some(base), Some(new)) => ln(base) - ln(new),
        _ => ln(base.count as f64) - ln(new.count as f64),
    }
}

/// A logarithm that is finite even for a side that answers nothing.
fn ln(value: f64) -> f64 {
    value.max(1e-9).ln()
}

fn total<'a>(trials: impl IntoIterator<Item = &'a TrialRecord>) -> (u64, Option<u64>) {
    trials.into_iter().fold((0, Some(0)), |(count, offered), trial| {
        (count + trial.count, offered.zip(trial.offered).map(|(sum, more)| sum + more))
    })
}
