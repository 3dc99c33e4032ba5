//! A whole comparison, as `comparison.json` records it.
//!
//! The file is a function of the plan and the trials alone: it has no time and no path, so judging
//! the same trials again writes the same bytes. Its schema is `perf-lab.comparison/2`; a reader
//! refuses any other major by name.

use lab_record::{Limit, Standing};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::looks::Looks;
use crate::method::Method;
use crate::scenario::Scenario;
use crate::verdict::Verdict;

/// The schema of `comparison.json`.
pub const SCHEMA: &str = "perf-lab.comparison/2";

/// Two sides, every scenario, and the outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the comparison may decide.
    pub kind: Kind,
    /// The side that is compared with.
    pub base: SideName,
    /// The side that is judged.
    pub new: SideName,
    /// Seed of orders and arrivals, if we planned them.
    pub seed: Option<u64>,
    /// What counted as slower.
    pub method: Method,
    /// When the evidence was judged, and at which level.
    pub looks: Looks,
    /// The outcome of all scenarios, which decides the exit code.
    pub outcome: ComparisonOutcome,
    /// Warnings that decide nothing: soft differences, and what could not be checked.
    pub warnings: Vec<String>,
    /// Every scenario, in the order of the plan.
    pub scenarios: Vec<Scenario>,
}

/// What a comparison may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Interleaved trials that we ran: a gate.
    Gate,
    /// The same side twice, to calibrate a machine.
    Aa,
    /// Recorded interleaved trials, judged again.
    Replay,
    /// Simulated trials, which have no noise.
    Exact,
    /// Two stored live runs. They were not interleaved, so nothing is judged.
    Advisory,
}

/// One side as the user named it and as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SideName {
    /// As the user named it.
    pub name: String,
    /// Full commit id, with `+dirty` if the working tree differed; `None` for a recorded side.
    pub revision: Option<String>,
}

impl SideName {
    /// A side without a revision.
    pub fn new(name: impl Into<String>) -> SideName {
        SideName { name: name.into(), revision: None }
    }
}

/// The comparison in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparisonOutcome {
    /// At least one gate or guard regressed.
    Regressed,
    /// A scenario allows no verdict.
    Invalid,
    /// The pairs ran out before every gate was decided.
    Inconclusive,
    /// Simulated trials differ, and no gate says whether that is worse or better.
    Changed,
    /// Nothing regressed, and a gate improved.
    Improved,
    /// Every gate lies within its margin.
    Equivalent,
    /// Nothing that is built differs between the sides, so nothing was measured.
    Unchanged,
    /// Not judged.
    Advisory,
}

impl ComparisonOutcome {
    /// As the terminal, the page and JUnit print it.
    pub fn name(self) -> &'static str {
        match self {
            ComparisonOutcome::Regressed => "regressed",
            ComparisonOutcome::Invalid => "invalid",
            ComparisonOutcome::Inconclusive => "inconclusive",
            ComparisonOutcome::Changed => "changed",
            ComparisonOutcome::Improved => "improved",
            ComparisonOutcome::Equivalent => "equivalent",
            ComparisonOutcome::Unchanged => "unchanged",
            ComparisonOutcome::Advisory => "advisory",
        }
    }

    /// The exit code: 0 fine, 3 regression, 4 inconclusive or changed (only if a decision is
    /// required), 6 invalid.
    pub fn exit_code(self, require_decision: bool) -> u8 {
        match self {
            ComparisonOutcome::Regressed => 3,
            ComparisonOutcome::Invalid => 6,
            ComparisonOutcome::Inconclusive | ComparisonOutcome::Changed if require_decision => 4,
            ComparisonOutcome::Inconclusive
            | ComparisonOutcome::Changed
            | ComparisonOutcome::Improved
            | ComparisonOutcome::Equivalent
            | ComparisonOutcome::Unchanged
            | ComparisonOutcome::Advisory => 0,
        }
    }
}

impl From<&Scenario> for ComparisonOutcome {
    fn from(scenario: &Scenario) -> ComparisonOutcome {
        match scenario.verdict {
            None => ComparisonOutcome::Invalid,
            Some(Verdict::Regressed) => ComparisonOutcome::Regressed,
            Some(Verdict::Changed) => ComparisonOutcome::Changed,
            Some(Verdict::Improved) => ComparisonOutcome::Improved,
            Some(Verdict::Equivalent) => ComparisonOutcome::Equivalent,
            Some(Verdict::Advisory) => ComparisonOutcome::Advisory,
            Some(Verdict::TooFew | Verdict::Inconclusive | Verdict::Quiet | Verdict::Shown) => {
                ComparisonOutcome::Inconclusive
            }
        }
    }
}

impl Comparison {
    /// Combines judged scenarios. The whole is as bad as its worst scenario; a regression in a
    /// valid scenario stands even if another scenario is invalid.
    pub fn new(
        kind: Kind,
        sides: (SideName, SideName),
        method: Method,
        looks: Looks,
        scenarios: Vec<Scenario>,
    ) -> Comparison {
        let outcome = scenarios
            .iter()
            .map(ComparisonOutcome::from)
            .min()
            .unwrap_or(ComparisonOutcome::Invalid);
        let (base, new) = sides;
        let (seed, warnings) = (None, Vec::new());
        Comparison {
            schema: SCHEMA.to_owned(),
            kind,
            base,
            new,
            seed,
            method,
            looks,
            outcome,
            warnings,
            scenarios,
        }
    }

    /// Every limit of the comparison.
    pub fn limits(&self) -> impl Iterator<Item = &Limit> {
        self.scenarios.iter().flat_map(|scenario| &scenario.limits)
    }

    /// The outcome, and the state of the limits: `equivalent, and a limit is broken`.
    pub fn words(&self) -> String {
        let outcome = self.outcome.name();
        let standings = || self.limits().map(|limit| limit.standing);
        let words = match standings().min() {
            None => return outcome.to_owned(),
            Some(Standing::Kept) => ", within its limits".to_owned(),
            Some(worst) => match standings().filter(|standing| *standing == worst).count() {
                1 => format!(", and a limit is {}", worst.name()),
                many => format!(", and {many} limits are {}", worst.name()),
            },
        };
        format!("{outcome}{words}")
    }

    /// The exit code: as [`ComparisonOutcome::exit_code`], and 3 if a limit is broken, 4 if one is
    /// undecided and a decision is required.
    pub fn exit_code(&self, require_decision: bool) -> u8 {
        let worst = self.limits().map(|limit| limit.standing).min();
        match (self.outcome.exit_code(require_decision), worst) {
            (_, Some(Standing::Broken)) => 3,
            (0, Some(Standing::Undecided)) if require_decision => 4,
            (code, _) => code,
        }
    }

    /// The text of `comparison.json`.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a comparison has string keys and finite figures");
        text.push('\n');
        text
    }

    /// Reads what [`Comparison::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Comparison, ReadError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let head: Head = serde_json::from_str(text)?;
        check_schema(&head.schema, SCHEMA)?;
        Ok(serde_json::from_str(text)?)
    }
}

/// Refuses a schema of another kind or major than ours; `…/1.2` is a later minor of `…/1`.
pub fn check_schema(found: &str, ours: &'static str) -> Result<(), ReadError> {
    let minor = found.strip_prefix(ours);
    if minor.is_some_and(|minor| minor.is_empty() || minor.starts_with('.')) {
        Ok(())
    } else {
        Err(ReadError::Schema { found: found.to_owned(), ours })
    }
}

/// Why a file is not one that this version can judge.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It has another schema.
    #[expect(missing_docs, reason = "its schema, and this version's")]
    #[error("its schema is `{found}`, and this version reads `{ours}`")]
    Schema { found: String, ours: &'static str },
    /// It is not JSON, or lacks a member.
    #[error("it is no comparison: {0}")]
    Json(#[from] serde_json::Error),
}
