//! Pairs of trials: one of the base and one of the new side, adjacent in time, with the same
//! arrivals.

use std::collections::BTreeMap;

use crate::trial::TrialRecord;

/// Two halves of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The trial of the base side.
    pub base: TrialRecord,
    /// The trial of the new side.
    pub new: TrialRecord,
}

impl Pair {
    /// `AB` when the base ran first.
    pub fn order(&self) -> &'static str {
        if self.base.position < self.new.position { "AB" } else { "BA" }
    }
}

/// The complete pairs in the order in which they ran, and the reasons why trials are unpaired.
///
/// The trials are of one scenario; `base` names the variant of the base side, any other is the new
/// one.
pub fn pair_up<'a>(
    trials: impl IntoIterator<Item = &'a TrialRecord>,
    base: &str,
) -> (Vec<Pair>, Vec<String>) {
    let mut halves: BTreeMap<(u32, u8), Vec<&TrialRecord>> = BTreeMap::new();
    for trial in trials {
        halves.entry((trial.quad, trial.position / 2)).or_default().push(trial);
    }
    let mut pairs = Vec::new();
    let mut refused = Vec::new();
    for ((quad, half), trials) in halves {
        match couple(&trials, base) {
            Ok(pair) => pairs.push(pair),
            Err(reason) => refused.push(format!("quad {quad}, pair {half}: {reason}")),
        }
    }
    (pairs, refused)
}

fn couple(trials: &[&TrialRecord], base: &str) -> Result<Pair, String> {
    let (of_base, of_new): (Vec<&TrialRecord>, Vec<&TrialRecord>) =
        trials.iter().partition(|t| t.variant == base);
    let ([base], [new]) = (&of_base[..], &of_new[..]) else {
        return Err(format!(
            "unequal trial counts, {} of the base and {} of the new side",
            of_base.len(),
            of_new.len()
        ));
    };
    if base.seed != new.seed {
        return Err(format!(
            "its halves have different arrival seeds, {} and {}",
            base.seed, new.seed
        ));
    }
    Ok(Pair { base: (*base).clone(), new: (*new).clone() })
}
