//! The values of a lab's knobs, read by name.

use std::time::Duration;

use anyhow::Context as _;
use lab_record::{KnobSpec, KnobValue, Knobs, parse_duration};

/// The value of every knob: of a trial, or of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings(Knobs);

impl Settings {
    pub(crate) fn new(knobs: Knobs) -> Self {
        Self(knobs)
    }

    /// A whole-number knob.
    ///
    /// # Panics
    /// The lab has no such knob, or it is of another kind: a mistake of the lab's author.
    pub fn int(&self, knob: &str) -> u64 {
        match self.value(knob) {
            KnobValue::Int(value) => *value,
            other => panic!("knob `{knob}` is not a whole number: {other}"),
        }
    }

    /// A number knob.
    pub fn float(&self, knob: &str) -> f64 {
        match self.value(knob) {
            KnobValue::Float(value) => *value,
            KnobValue::Int(value) => *value as f64,
            KnobValue::Text(text) => panic!("knob `{knob}` is not a number: {text}"),
        }
    }

    /// A duration knob.
    pub fn duration(&self, knob: &str) -> Duration {
        let value = self.value(knob);
        let duration = match value {
            KnobValue::Text(text) => parse_duration(text).ok(),
            KnobValue::Int(_) | KnobValue::Float(_) => None,
        };
        duration.unwrap_or_else(|| panic!("knob `{knob}` is not a duration: {value}"))
    }

    /// A choice or text knob.
    pub fn text(&self, knob: &str) -> &str {
        match self.value(knob) {
            KnobValue::Text(text) => text,
            other => panic!("knob `{knob}` is not text: {other}"),
        }
    }

    fn value(&self, knob: &str) -> &KnobValue {
        self.0.get(knob).unwrap_or_else(|| panic!("the lab has no knob `{knob}`"))
    }
}

/// Knobs as they are typed, parsed and checked.
pub(crate) fn parsed(set: &[(&str, &str)], knobs: &[KnobSpec]) -> anyhow::Result<Knobs> {
    let value = |(name, text): &(&str, &str)| {
        let knob = knobs.iter().find(|knob| knob.name == *name);
        let knob = knob.with_context(|| format!("no knob `{name}`"))?;
        Ok((knob.name.clone(), knob.parse(text)?))
    };
    set.iter().map(value).collect()
}
