//! Exit codes: the contract of every verb with shells and CI.

use std::fmt;
use std::process::ExitCode;

use lab_verdict::comparable::NotComparable;

/// How a verb ended, for the person or script that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Fine = 0,
    Failure = 1,
    Usage = 2,
    Regression = 3,
    Inconclusive = 4,
    NotComparable = 5,
    InvalidRun = 6,
    NotReproduced = 7,
}

/// Every code and what it means, as `--help` prints them.
const MEANINGS: [(Code, &str); 8] = [
    (Code::Fine, "fine"),
    (Code::Failure, "failure: something went wrong; finished trials are kept"),
    (Code::Usage, "usage error: nothing was run"),
    (
        Code::Regression,
        "regression: the new side is worse by more than the noise, or a limit is broken",
    ),
    (Code::Inconclusive, "inconclusive, where a decision was required"),
    (Code::NotComparable, "not comparable"),
    (Code::InvalidRun, "invalid run: the generator or the machine disturbed the figures"),
    (
        Code::NotReproduced,
        "with --strict: a claim was not reproduced; with --falsify: a check cannot fail; answer: a \
         part does not fit",
    ),
];

/// What `--help` says about exit codes.
pub(crate) fn help() -> String {
    let lines = MEANINGS.map(|(code, meaning)| format!("  {}  {meaning}", code as u8));
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// An error in what the user typed.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// A [`UsageError`], for `return Err(usage(…))`.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}

/// The sides of a comparison are in different formats, which no option allows.
#[derive(Debug)]
pub(crate) struct ForeignFormat {
    /// `schema` or `histogram`.
    pub(crate) key: &'static str,
}

impl fmt::Display for ForeignFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not comparable: {} differs from what this version reads", self.key)
    }
}

impl std::error::Error for ForeignFormat {}

/// Two commands' outputs differ although they must be the same.
#[derive(Debug)]
pub(crate) struct Disagreement(pub(crate) String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not comparable: --check: {}", self.0)
    }
}

impl std::error::Error for Disagreement {}

impl Code {
    /// The code of a verb that failed with `error`.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.is::<UsageError>() {
            Self::Usage
        } else if error.is::<NotComparable>()
            || error.is::<ForeignFormat>()
            || error.is::<Disagreement>()
        {
            Self::NotComparable
        } else {
            Self::Failure
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_usage_error_is_known_through_its_context() {
        let error = Err::<(), _>(usage("no such lab")).context("plan").unwrap_err();
        assert_eq!(Code::of(&error), Code::Usage);
        assert_eq!(Code::of(&anyhow::anyhow!("disk full")), Code::Failure);
    }

    #[test]
    fn help_lists_the_codes_in_order() {
        for (number, (code, _)) in MEANINGS.iter().enumerate() {
            assert_eq!(*code as usize, number);
        }
        assert!(help().contains("  7  with --strict"));
    }
}
