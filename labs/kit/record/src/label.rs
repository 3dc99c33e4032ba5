//! Labels: the names under which a summary files the figures of trials. A label is the name of the
//! variant, or `fan-out@simulated` for the simulated companion of a live trial.

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, de::DeserializeOwned};

use crate::name::check_name;

/// The ending of the label of a simulated companion.
pub const SIMULATED: &str = "@simulated";

/// What [`SIMULATED`] was until November 2026.
const SIMULATED_BEFORE: &str = "@virtual";

/// The label of the simulated companion of a variant's live trials.
pub fn simulated_label(variant: &str) -> String {
    format!("{variant}{SIMULATED}")
}

/// The variant that a label names.
pub fn variant_of(label: &str) -> &str {
    label.strip_suffix(SIMULATED).unwrap_or(label)
}

/// The label as it is written today.
fn current(label: String) -> String {
    label.strip_suffix(SIMULATED_BEFORE).map(simulated_label).unwrap_or(label)
}

/// Reads a label that becomes part of a file's name.
pub(crate) fn checked<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let label = String::deserialize(from)?;
    check_name("label", &label).map_err(D::Error::custom)?;
    Ok(current(label))
}

/// Reads a label.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(current)
}

/// Reads a map whose keys are labels.
pub(crate) fn keys<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let by_label = BTreeMap::<String, T>::deserialize(from)?;
    Ok(by_label.into_iter().map(|(label, of_it)| (current(label), of_it)).collect())
}
