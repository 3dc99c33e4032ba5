//! Whether two sides may be compared at all.
//!
//! A hard difference could by itself explain any change of latency, so the comparison is refused
//! with the key's name (exit 5) unless `--allow-diff KEY` says that it is intended. A soft
//! difference gives a warning. What only one side has is named too. Readings that vary by
//! themselves (bogomips, MHz) are not keys. Schemas and histogram bounds are checked where files
//! are read: different ones cannot be compared.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

/// What is known about one side: values by key, as text.
pub type Facts = BTreeMap<String, String>;

/// Keys in which differences are refused.
pub const HARD: [&str; 16] = [
    "lab",
    "labs",
    "variants",
    "benches",
    "scenario",
    "arch",
    "cpu-model",
    "cores",
    "virtualisation",
    "kernel",
    "rustc",
    "profile",
    "rustflags",
    "features",
    "clock-source",
    "harness",
];

/// Keys in which differences give a warning. The last two are readings, which differ when they are
/// further apart than their tolerance.
pub const SOFT: [&str; 5] = ["governor", "thp", "microcode", "load-average", "steal"];

/// How far apart two load averages (processes) or shares of stolen time (ratio) may be.
fn tolerance(key: &str) -> Option<f64> {
    match key {
        "load-average" => Some(0.5),
        "steal" => Some(0.01),
        _ => None,
    }
}

/// Compares the facts of both sides; `allowed` are the hard keys that may differ. Returns warnings.
pub fn compare(
    base: &Facts,
    new: &Facts,
    allowed: &[String],
) -> Result<Vec<String>, NotComparable> {
    let (waived, refused): (Vec<Difference>, Vec<Difference>) = HARD
        .iter()
        .filter_map(|key| difference(key, base, new))
        .partition(|d| allowed.iter().any(|allowed| allowed == d.key()));
    if !refused.is_empty() {
        return Err(NotComparable { differences: refused });
    }
    let soft = SOFT.iter().filter_map(|key| difference(key, base, new));
    Ok(waived
        .iter()
        .map(|d| format!("{d}, as --allow-diff says"))
        .chain(soft.map(|d| d.to_string()))
        .collect())
}

/// Checks that a key given to `--allow-diff` exists.
pub fn check_key(key: &str) -> Result<(), UnknownKey> {
    if HARD.contains(&key) || SOFT.contains(&key) {
        Ok(())
    } else {
        Err(UnknownKey(key.to_owned()))
    }
}

/// What only one side has cannot be compared. Anything new on the new side gives a warning;
/// anything gone from it is refused, unless `allowed` says that this is intended.
///
/// `key` is `labs` or `variants`, and `names` are what each side has of them.
pub fn left_out(
    key: &str,
    base: &BTreeSet<String>,
    new: &BTreeSet<String>,
    allowed: &[String],
) -> Result<Vec<String>, NotComparable> {
    let only = [("base", base - new), ("new", new - base)];
    let is_allowed = allowed.iter().any(|allowed| allowed == key);
    let [said_of_base, said_of_new] = only.map(|(side, names)| only_in(side, &names));
    match said_of_base {
        Some(said) if !is_allowed => {
            let difference = Difference::LeftOut { key: key.to_owned(), said };
            Err(NotComparable { differences: vec![difference] })
        }
        said_of_base => Ok(said_of_base.into_iter().chain(said_of_new).collect()),
    }
}

/// As [`left_out`], but also refuses what only the new side has: a benchmark that one side lacks
/// has usually been renamed.
pub fn one_sided(
    key: &str,
    base: &BTreeSet<String>,
    new: &BTreeSet<String>,
    allowed: &[String],
) -> Result<Vec<String>, NotComparable> {
    let said: Vec<String> = [only_in("base", &(base - new)), only_in("new", &(new - base))]
        .into_iter()
        .flatten()
        .collect();
    if said.is_empty() || allowed.iter().any(|allowed| allowed == key) {
        return Ok(said);
    }
    let left_out = |said| Difference::LeftOut { key: key.to_owned(), said };
    Err(NotComparable { differences: said.into_iter().map(left_out).collect() })
}

/// A sentence about what is not compared because the other side lacks it; `None` if there is
/// nothing.
pub(crate) fn only_in(side: &str, names: &BTreeSet<String>) -> Option<String> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("only in {side}, so not compared: {}", names.join(", ")))
}

/// One key in which the sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Difference {
    /// Both sides have the key, with different values.
    #[expect(missing_docs, reason = "the key, and its value on each side")]
    #[error("{key} differs: `{base}` in the base, `{new}` in the new side")]
    Value { key: String, base: String, new: String },
    /// The new side lacks labs or variants that the base side has.
    #[expect(missing_docs, reason = "`labs` or `variants`, and which of them")]
    #[error("{said}")]
    LeftOut { key: String, said: String },
}

impl Difference {
    /// The name of the key.
    pub fn key(&self) -> &str {
        match self {
            Self::Value { key, .. } | Self::LeftOut { key, .. } => key,
        }
    }
}

/// The sides differ in hard keys. Exit code 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotComparable {
    /// The differences, at least one.
    pub differences: Vec<Difference>,
}

impl std::error::Error for NotComparable {}

impl std::fmt::Display for NotComparable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "not comparable:")?;
        for difference in &self.differences {
            writeln!(f, "  {difference}")?;
        }
        write!(f, "where the difference is the point: --allow-diff {}", self.differences[0].key())
    }
}

/// A key that does not exist. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no key `{0}`; a comparison may be allowed to differ in {keys}", keys = HARD.join(", "))]
pub struct UnknownKey(pub String);

fn difference(key: &str, base: &Facts, new: &Facts) -> Option<Difference> {
    let (base, new) = (base.get(key), new.get(key));
    let said = |value: Option<&String>| value.cloned().unwrap_or_else(|| "unknown".to_owned());
    let differ = match (tolerance(key), base, new) {
        (Some(tolerance), Some(a), Some(b)) => match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() > tolerance,
            _ => a != b,
        },
        _ => base != new,
    };
    differ.then(|| Difference::Value { key: key.to_owned(), base: said(base), new: said(new) })
}
