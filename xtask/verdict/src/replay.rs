//! Judges recorded trials with the shipped method: for tests, and for readers who doubt a verdict.
//!
//! The record is JSON lines in the format of [`crate::trial`]. Each new side in it is judged
//! against the base as a comparison of its own, in the order in which its pairs ran, stopping at
//! the look where a live comparison would have stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use lab_text::terminal::one_line;
use thiserror::Error;

use crate::comparison::{Comparison, Kind, ReadError, SideName, check_schema};
use crate::looks::LooksError;
use crate::method::Method;
use crate::pair::pair_up;
use crate::render::count;
use crate::scenario::{self, Scenario};
use crate::trial::{self, TrialRecord};
use crate::validity;

/// The names that a base side has unless the user names the two sides.
const BASES: [&str; 2] = ["base", "A"];

/// Judges a record. `sides` are the variants to take as base and new; without, the base is `base`
/// or `A` and every other variant is judged against it.
pub fn replay(
    record: &str,
    sides: Option<(&str, &str)>,
    method: &Method,
) -> Result<Comparison, ReplayError> {
    let trials = read(record)?;
    let variants: BTreeSet<&str> = trials.iter().map(|t| t.variant.as_str()).collect();
    let (base, news) = choose(&variants, sides)?;
    let names: BTreeSet<Option<&str>> = trials.iter().map(|t| t.scenario.as_deref()).collect();
    let looks = method.looks(names.len())?;
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut unchecked = BTreeSet::new();
    for name in names {
        for &new in &news {
            let (pairs, refused) = pair_up(quads_of(&trials, name, base, new), base);
            if pairs.is_empty() && refused.is_empty() {
                continue;
            }
            unchecked.extend(validity::unchecked(&pairs));
            let name = name.unwrap_or(new);
            scenarios.push(scenario::judge(name, (base, new), &pairs, &refused, method, &looks));
        }
    }
    let side = SideName::new(if let [new] = news[..] { new.to_owned() } else { news.join(", ") });
    let mut comparison = Comparison::new(
        Kind::Replay,
        (SideName::new(base), side),
        method.clone(),
        looks,
        scenarios,
    );
    comparison.warnings = warnings(&unchecked, news.len());
    let alone = in_quads_of_one_side(&trials);
    if alone > 0 {
        let trials = count(alone, "trial");
        let said = format!("left out, since the other side is not in their quad: {trials}");
        comparison.warnings.push(said);
    }
    Ok(comparison)
}

/// The names of the scenarios that [`replay`] makes of a record.
pub fn scenarios(record: &str, sides: Option<(&str, &str)>) -> Result<Vec<String>, ReplayError> {
    let trials = read(record)?;
    let variants: BTreeSet<&str> = trials.iter().map(|t| t.variant.as_str()).collect();
    let (_, news) = choose(&variants, sides)?;
    let of_news = trials.iter().filter(|trial| news.contains(&trial.variant.as_str()));
    let names: BTreeSet<&str> =
        of_news.map(|trial| trial.scenario.as_deref().unwrap_or(&trial.variant)).collect();
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Reads JSON lines; blank ones are skipped.
pub fn read(record: &str) -> Result<Vec<TrialRecord>, ReplayError> {
    let mut trials: Vec<TrialRecord> = Vec::new();
    let mut places = BTreeMap::new();
    for (n, line) in record.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |reason: String| ReplayError::BadLine { line: n + 1, reason };
        let mut trial: TrialRecord = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        make_plain(&mut trial);
        if let Some(schema) = &trial.schema {
            check_schema(schema, trial::SCHEMA)
                .map_err(|source| ReplayError::Schema { line: n + 1, source })?;
        }
        if trial.position > 3 {
            return Err(bad(format!("position {} in a quad of four", trial.position)));
        }
        trial.check().map_err(bad)?;
        if let Some(before) = places.insert(place(&trial), n + 1) {
            let (quad, position) = (trial.quad, trial.position);
            return Err(bad(format!("quad {quad}, position {position} is also line {before}")));
        }
        trials.push(trial);
    }
    if trials.is_empty() { Err(ReplayError::Empty) } else { Ok(trials) }
}

/// Makes the texts of a trial plain, so that none can control a terminal or begin a line.
fn make_plain(trial: &mut TrialRecord) {
    let TrialRecord { schema, scenario, variant, values, invalid_reasons, .. } = trial;
    for text in schema.iter_mut().chain(scenario).chain([variant]).chain(invalid_reasons) {
        *text = one_line(text);
    }
    let named = mem::take(values).into_iter();
    *values = named.map(|(name, value)| (one_line(&name), value)).collect();
}

/// The place of a trial in its record, which must be unique.
fn place(trial: &TrialRecord) -> (Option<String>, u32, u8) {
    (trial.scenario.clone(), trial.quad, trial.position)
}

/// Why a record cannot be judged.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the fields are those of the messages")]
pub enum ReplayError {
    /// It holds no trial.
    #[error("the record holds no trial")]
    Empty,
    /// A line is no trial.
    #[error("line {line}: {reason}")]
    BadLine { line: usize, reason: String },
    /// A line has a schema that this version does not read.
    #[error("line {line}: {source}")]
    Schema { line: usize, source: ReadError },
    /// A side was asked for that no trial has.
    #[error("no variant `{name}` in the record; there are {known}")]
    UnknownVariant { name: String, known: String },
    /// It does not have two variants, and no sides were chosen.
    #[error(
        "two different variants make a comparison; there are {known} (--variants BASE NEW chooses)"
    )]
    NoSides { known: String },
    /// The looks of the method are no plan.
    #[error(transparent)]
    Looks(#[from] LooksError),
}

impl ReplayError {
    /// Whether other arguments would help, rather than another record.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::UnknownVariant { .. } | Self::NoSides { .. } | Self::Looks(_))
    }
}

fn choose<'a>(
    variants: &BTreeSet<&'a str>,
    sides: Option<(&str, &str)>,
) -> Result<(&'a str, Vec<&'a str>), ReplayError> {
    let known = || variants.iter().copied().collect::<Vec<_>>().join(", ");
    let find = |name: &str| {
        let unknown = || ReplayError::UnknownVariant { name: name.to_owned(), known: known() };
        variants.get(name).copied().ok_or_else(unknown)
    };
    let (base, news) = match sides {
        Some((base, new)) => (find(base)?, vec![find(new)?]),
        None => {
            let base = BASES.iter().find_map(|name| variants.get(name).copied());
            let base = base.ok_or_else(|| ReplayError::NoSides { known: known() })?;
            (base, variants.iter().copied().filter(|&v| v != base).collect())
        }
    };
    if news.is_empty() || news.contains(&base) {
        Err(ReplayError::NoSides { known: known() })
    } else {
        Ok((base, news))
    }
}

/// The trials of the quads in which `new` ran against `base`.
fn quads_of<'a>(
    trials: &'a [TrialRecord],
    scenario: Option<&str>,
    base: &str,
    new: &str,
) -> Vec<&'a TrialRecord> {
    let in_scenario = |t: &&TrialRecord| t.scenario.as_deref() == scenario;
    let quads: BTreeSet<u32> =
        trials.iter().filter(in_scenario).filter(|t| t.variant == new).map(|t| t.quad).collect();
    trials
        .iter()
        .filter(in_scenario)
        .filter(|t| quads.contains(&t.quad) && (t.variant == base || t.variant == new))
        .collect()
}

fn in_quads_of_one_side(trials: &[TrialRecord]) -> usize {
    let mut quads: BTreeMap<(Option<&str>, u32), Vec<&str>> = BTreeMap::new();
    for trial in trials {
        quads.entry((trial.scenario.as_deref(), trial.quad)).or_default().push(&trial.variant);
    }
    let of_one = |sides: &&Vec<&str>| sides.iter().all(|side| *side == sides[0]);
    quads.values().filter(of_one).map(Vec::len).sum()
}

fn warnings(unchecked: &BTreeSet<&str>, news: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    if !unchecked.is_empty() {
        let names: Vec<&str> = unchecked.iter().copied().collect();
        warnings.push(format!("not in the record, so not checked: {}", names.join(", ")));
    }
    if news > 1 {
        warnings.push(format!(
            "{news} recorded comparisons, each judged by itself: alpha is not shared among them"
        ));
    }
    warnings
}
