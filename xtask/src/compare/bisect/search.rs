//! A binary search among revisions, some of which may be undecidable.

use std::ops::RangeInclusive;

use serde::Serialize;

/// What a comparison says about a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// It has the regression.
    Has,
    /// It does not have it.
    HasNot,
    /// The evidence does not decide, or there is none, as when it does not build.
    Unknown,
}

/// A search among revisions by index, oldest first. The revision before the first does not have the
/// regression, and the last one does.
#[derive(Debug)]
pub(super) struct Search {
    /// The first candidate: no revision before it has the regression.
    first: usize,
    /// The last candidate, which has the regression.
    last: usize,
    unknown: Vec<bool>,
}

impl Search {
    /// A search among this number of revisions, at least one.
    pub(super) fn among(revisions: usize) -> Self {
        Self { first: 0, last: revisions - 1, unknown: vec![false; revisions] }
    }

    /// The revision to compare next: among the undecided ones that are not known to be undecidable,
    /// the nearest to the middle.
    pub(super) fn next(&self) -> Option<usize> {
        let middle = self.first + (self.last - self.first) / 2;
        let untried = (self.first..self.last).filter(|at| !self.unknown[*at]);
        untried.min_by_key(|at| at.abs_diff(middle))
    }

    /// Records the answer for the revision at `at`.
    pub(super) fn learn(&mut self, at: usize, answer: Answer) {
        match answer {
            Answer::Has => self.last = at,
            Answer::HasNot => self.first = at + 1,
            Answer::Unknown => self.unknown[at] = true,
        }
    }

    /// The revisions of which one introduced the regression.
    pub(super) fn candidates(&self) -> RangeInclusive<usize> {
        self.first..=self.last
    }
}

/// The most decisions that a search among this number of revisions takes if none is unknown.
pub(super) fn decisions(revisions: usize) -> u32 {
    revisions.next_power_of_two().ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches for `culprit`, where some revisions cannot be decided.
    fn search(revisions: usize, culprit: usize, unknown: &[usize]) -> (RangeInclusive<usize>, u32) {
        let (mut search, mut decided) = (Search::among(revisions), 0);
        while let Some(at) = search.next() {
            let answer = match at {
                at if unknown.contains(&at) => Answer::Unknown,
                at if at >= culprit => Answer::Has,
                _ => Answer::HasNot,
            };
            decided += u32::from(answer != Answer::Unknown);
            search.learn(at, answer);
        }
        (search.candidates(), decided)
    }

    #[test]
    fn each_culprit_is_found_within_the_decisions_that_are_planned() {
        for revisions in 1..70 {
            for culprit in 0..revisions {
                let (found, decided) = search(revisions, culprit, &[]);
                assert_eq!(found, culprit..=culprit, "of {revisions}");
                assert!(decided <= decisions(revisions), "{decided} for {revisions}");
            }
        }
    }

    #[test]
    fn undecided_revisions_widen_the_answer_and_never_exclude_the_culprit() {
        for unknown in 0..1_u32 << 9 {
            let unknown: Vec<usize> = (0..9).filter(|at| unknown >> at & 1 == 1).collect();
            for culprit in 0..9 {
                let (found, _) = search(9, culprit, &unknown);
                assert!(found.contains(&culprit), "{unknown:?} hide {culprit}: {found:?}");
                // All but the last of those that are left are undecided.
                let hidden = |at: usize| unknown.contains(&at);
                assert!((*found.start()..*found.end()).all(hidden), "{unknown:?}: {found:?}");
            }
        }
    }
}
