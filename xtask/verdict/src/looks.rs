//! When the evidence is judged, and at which level.
//!
//! A comparison looks at its pairs a few times and stops at the first decision. Every look is one
//! more chance of a false alarm, so each spends its own alpha, and the confidence level of the
//! whole is one minus their sum.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::signed_rank::{self, MOST_PAIRS, fewest_pairs};

/// One pair in this many may be repeated. If the generator is late more often, the machine is too
/// busy or the load too high for it.
const SPARE_OF: u32 = 4;

/// The planned looks of one comparison, checked: every look can reject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Looks {
    /// Numbers of pairs at which the evidence is judged: rising and even.
    pub pairs: Vec<u32>,
    /// Two-sided alpha of one look, before the tests share it.
    pub alpha: f64,
    /// Tests that share it: gated metrics × scenarios, and limits.
    pub tests: u32,
    /// Two-sided alpha of one test at one look: its share.
    pub alpha_each: f64,
    /// The confidence level of one metric's interval wherever the comparison stops: one minus the
    /// sum of the exact probabilities of missing at each look. Only with a single look is it the
    /// level of that look.
    pub level: f64,
}

impl Looks {
    /// Shares `alpha` among the tests and checks that each look can reject.
    pub fn plan(pairs: &[u32], alpha: f64, tests: Tests) -> Result<Looks, LooksError> {
        check_shape(pairs)?;
        if !(alpha > 0.0 && alpha < 0.5) {
            return Err(LooksError::Alpha(alpha));
        }
        let of = tests;
        let tests = of.count();
        let alpha_each = alpha / f64::from(tests);
        let missed: Option<f64> = pairs.iter().map(|&n| signed_rank::missed(n, alpha_each)).sum();
        match missed {
            Some(missed) => {
                Ok(Looks { pairs: pairs.to_vec(), alpha, tests, alpha_each, level: 1.0 - missed })
            }
            None => Err(cannot_reject(pairs, alpha_each, of)),
        }
    }

    /// The one look of an exact comparison: there is nothing to test.
    pub(crate) fn exact() -> Looks {
        Looks { pairs: vec![1], alpha: 0.0, tests: 0, alpha_each: 0.0, level: 1.0 }
    }

    /// The last look: the most pairs that are judged.
    pub fn last(&self) -> u32 {
        self.pairs.last().copied().unwrap_or(0)
    }

    /// The number of disturbed pairs that may be repeated before the comparison is invalid.
    pub fn spare(&self) -> u32 {
        self.last() / SPARE_OF
    }

    /// The most quads that a scenario runs: those of the last look, and of every spare pair.
    pub fn quads(&self) -> u32 {
        (self.last() + self.spare()).div_ceil(2)
    }
}

/// The tests that share alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tests {
    /// Gated metrics.
    pub gates: usize,
    /// Scenarios, of which each has every gate.
    pub scenarios: usize,
    /// Limits on single figures.
    pub limits: usize,
}

impl Tests {
    /// The number of tests.
    pub fn count(self) -> u32 {
        (self.gates * self.scenarios + self.limits).max(1) as u32
    }
}

impl fmt::Display for Tests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gates, scenarios, limits } = self;
        write!(f, "{gates} gated metric(s) × {scenarios} scenario(s)")?;
        if *limits > 0 { write!(f, " and {limits} limit(s)") } else { Ok(()) }
    }
}

/// Why looks cannot be planned in this way, and what to change.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LooksError {
    /// There is no look.
    #[error("no look is planned; --looks takes numbers of pairs, such as 8,12,16,24")]
    None,
    /// A look has no more pairs than the one before: both numbers, the later first.
    #[error("looks must rise: {0} comes after {1}")]
    NotRising(u32, u32),
    /// A look has an odd number of pairs.
    #[error(
        "a look at {0} pairs cuts a quad in half: a quad (ABBA or BAAB) gives two pairs, so looks \
         are even"
    )]
    Odd(u32),
    /// A look has more than [`MOST_PAIRS`].
    #[error(
        "a look at {0} pairs is past the {MOST_PAIRS} that the exact distribution is computed for"
    )]
    TooMany(u32),
    /// The level is out of range.
    #[error("alpha {0} is not between 0 and 0.5")]
    Alpha(f64),
    /// The first look has too few pairs for its share of the level.
    #[expect(missing_docs, reason = "the figures of its message")]
    #[error(
        "the first look, at {first} pairs, can never reject: {tests} leave alpha {alpha_each:.2e} a test, and the smallest p-value of {first} \
         pairs is 2^(1-{first}) = {smallest:.2e}. Start later (--looks {suggested}), gate fewer \
         metrics (--gate METRIC), or compare fewer labs and variants at once"
    )]
    CannotReject { first: u32, tests: Tests, alpha_each: f64, smallest: f64, suggested: String },
}

fn check_shape(pairs: &[u32]) -> Result<(), LooksError> {
    if pairs.is_empty() {
        return Err(LooksError::None);
    }
    if let Some(two) = pairs.windows(2).find(|two| two[0] >= two[1]) {
        return Err(LooksError::NotRising(two[1], two[0]));
    }
    match pairs.iter().find(|&&n| n % 2 == 1 || n > MOST_PAIRS) {
        Some(&n) if n > MOST_PAIRS => Err(LooksError::TooMany(n)),
        Some(&n) => Err(LooksError::Odd(n)),
        None => Ok(()),
    }
}

fn cannot_reject(pairs: &[u32], alpha_each: f64, tests: Tests) -> LooksError {
    let first = pairs[0];
    let enough = fewest_pairs(alpha_each).next_multiple_of(2);
    let suggested: Vec<String> = std::iter::once(enough)
        .chain(pairs.iter().copied().filter(|&n| n > enough))
        .map(|n| n.to_string())
        .collect();
    LooksError::CannotReject {
        first,
        tests,
        alpha_each,
        smallest: 0.5_f64.powi(first as i32 - 1),
        suggested: suggested.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: [u32; 4] = [8, 12, 16, 24];

    fn plan(
        pairs: &[u32],
        alpha: f64,
        [gates, scenarios, limits]: [usize; 3],
    ) -> Result<Looks, LooksError> {
        Looks::plan(pairs, alpha, Tests { gates, scenarios, limits })
    }

    #[test]
    fn alpha_is_shared_by_metrics_scenarios_and_limits() {
        let looks = plan(&DEFAULT, 0.02, [2, 1, 0]).unwrap();
        assert_eq!((looks.tests, looks.alpha_each, looks.last()), (2, 0.01, 24));
        let refused = plan(&DEFAULT, 0.02, [1, 1, 2]).unwrap_err().to_string();
        assert!(refused.contains("1 gated metric(s) × 1 scenario(s) and 2 limit(s)"), "{refused}");
    }

    #[test]
    fn the_level_follows_from_all_looks_together() {
        let fixed = plan(&[10], 0.05, [1, 1, 0]).unwrap();
        assert_eq!(fixed.level, 1.0 - 50.0 / 1024.0);
        let looks = plan(&DEFAULT, 0.02, [1, 1, 0]).unwrap();
        assert!(looks.level > 0.92 && looks.level < 0.94, "{}", looks.level);
    }

    #[test]
    fn a_first_look_that_cannot_reject_says_what_to_change() {
        let refused = plan(&DEFAULT, 0.02, [2, 3, 0]).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("at 8 pairs, can never reject"), "{said}");
        assert!(said.contains("--looks 10,12,16,24"), "{said}");
        assert!(plan(&[10, 12, 16, 24], 0.02, [2, 3, 0]).is_ok());
    }

    #[test]
    fn spare_pairs_come_in_whole_quads() {
        let looks = plan(&DEFAULT, 0.02, [2, 1, 0]).unwrap();
        assert_eq!((looks.spare(), looks.quads()), (6, 15));
        let looks = plan(&[10], 0.02, [1, 1, 0]).unwrap();
        assert_eq!((looks.spare(), looks.quads()), (2, 6));
    }

    #[test]
    fn invalid_looks_are_refused_by_name() {
        let error = |pairs: &[u32]| plan(pairs, 0.02, [1, 1, 0]).unwrap_err();
        assert_eq!(error(&[]), LooksError::None);
        assert_eq!(error(&[8, 8]), LooksError::NotRising(8, 8));
        assert_eq!(error(&[8, 13]), LooksError::Odd(13));
        assert_eq!(error(&[8, 202]), LooksError::TooMany(202));
        for alpha in [0.0, 0.5, -1.0, f64::NAN] {
            assert!(matches!(plan(&[8], alpha, [1, 1, 0]), Err(LooksError::Alpha(_))));
        }
    }
}
