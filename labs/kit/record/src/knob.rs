//! Knobs: the typed parameters of a lab, and the values that a trial gives them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{bail, ensure};
use lab_text::terminal::plain;
use serde::{Deserialize, Serialize};

/// A parameter of a lab: its name, meaning, default and bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnobSpec {
    /// Kebab-case, as in `--set slow-time=100ms`.
    pub name: String,
    /// What it changes, in a line.
    pub help: String,
    /// The unit of a plain number (`req/s`); empty where the value says it itself.
    pub unit: String,
    /// The default value.
    pub default: KnobValue,
    /// What may be set.
    pub kind: Kind,
}

/// What a knob accepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
#[expect(missing_docs, reason = "the bounds of each kind say what they are")]
pub enum Kind {
    /// A whole number, bounds inclusive.
    Int { min: u64, max: u64 },
    /// A number, bounds inclusive.
    Float { min: f64, max: f64 },
    /// A length of time such as `1500us` or `1s 400ms`, bounds inclusive.
    Duration { min: String, max: String },
    /// One of a few words.
    Choice { options: Vec<String> },
    /// Free text.
    Text,
}

/// A knob's value on disk: a JSON number, or text for durations, choices and free text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "named by their types")]
pub enum KnobValue {
    Int(u64),
    Float(f64),
    Text(String),
}

/// The values of all knobs of a trial, by name.
pub type Knobs = BTreeMap<String, KnobValue>;

/// Knobs as one types them: `--set rate=500 --set stall=1.4s`.
pub fn as_typed(set: &Knobs) -> String {
    let quoted = |text: String| if text.contains(' ') { format!("'{text}'") } else { text };
    let one = |(name, value): (&String, &KnobValue)| quoted(format!("{name}={value}"));
    set.iter().map(|knob| format!("--set {}", one(knob))).collect::<Vec<_>>().join(" ")
}

impl KnobSpec {
    /// Reads what a user typed after `--set name=`.
    ///
    /// # Errors
    /// It is not of this kind, or out of bounds: the message gives the bounds.
    pub fn parse(&self, text: &str) -> anyhow::Result<KnobValue> {
        let value = match &self.kind {
            Kind::Int { .. } => text.replace('_', "").parse().ok().map(KnobValue::Int),
            Kind::Float { .. } => text.parse().ok().map(KnobValue::Float),
            Kind::Duration { .. } | Kind::Choice { .. } | Kind::Text => {
                Some(KnobValue::Text(text.to_owned()))
            }
        };
        let Some(value) = value else {
            bail!("knob `{}` takes {}, not `{text}`", self.name, self.kind);
        };
        self.check(&value)?;
        Ok(value)
    }

    /// Checks a value, whether typed or read from a file.
    ///
    /// # Errors
    /// As [`KnobSpec::parse`].
    pub fn check(&self, value: &KnobValue) -> anyhow::Result<()> {
        let fits = match (&self.kind, value) {
            (Kind::Int { min, max }, KnobValue::Int(v)) => (min..=max).contains(&v),
            (Kind::Float { min, max }, KnobValue::Float(v)) => (min..=max).contains(&v),
            // JSON does not distinguish 1 and 1.0.
            (Kind::Float { min, max }, KnobValue::Int(v)) => (*min..=*max).contains(&(*v as f64)),
            (Kind::Duration { min, max }, KnobValue::Text(v)) => {
                let value = parse_duration(v)?;
                (parse_duration(min)?..=parse_duration(max)?).contains(&value)
            }
            (Kind::Choice { options }, KnobValue::Text(v)) => options.contains(v),
            // Control characters would be read back from a file as other text.
            (Kind::Text, KnobValue::Text(text)) => plain(text).is_none(),
            _ => false,
        };
        ensure!(fits, "knob `{}` takes {}, not `{value}`", self.name, self.kind);
        Ok(())
    }
}

/// Reads a length of time: `250us`, `1500ms`, `1.4s`, `2m`, `1s 400ms`.
///
/// # Errors
/// The text is not a length of time, or has no unit.
pub fn parse_duration(text: &str) -> anyhow::Result<Duration> {
    if let Some(decimal) = parse_decimal_duration(text) {
        return Ok(decimal);
    }
    humantime::parse_duration(text).map_err(|_| {
        anyhow::anyhow!(
            "`{text}` is not a length of time: write one such as 250us, 20ms, 1.4s or 2m"
        )
    })
}

/// `1.4s`: a decimal number and one unit, which people write and humantime does not read.
fn parse_decimal_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    if !number.contains('.') {
        return None;
    }
    let unit_ns = humantime::parse_duration(&format!("1{unit}")).ok()?.as_nanos() as f64;
    let ns = number.parse::<f64>().ok()? * unit_ns;
    (ns < u64::MAX as f64).then(|| Duration::from_nanos(ns.round() as u64))
}

impl fmt::Display for KnobValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Float { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Duration { min, max } => write!(f, "a length of time from {min} to {max}"),
            Self::Choice { options } => write!(f, "one of {}", options.join(", ")),
            Self::Text => f.write_str("text without control characters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knob(kind: Kind, default: KnobValue) -> KnobSpec {
        KnobSpec { name: "k".into(), help: String::new(), unit: String::new(), default, kind }
    }

    #[test]
    fn a_value_out_of_bounds_says_the_bounds() {
        let rate = knob(Kind::Int { min: 1, max: 1_000 }, KnobValue::Int(10));
        assert_eq!(rate.parse("1_000").unwrap(), KnobValue::Int(1_000));
        let message = rate.parse("0").unwrap_err().to_string();
        assert_eq!(message, "knob `k` takes a whole number from 1 to 1000, not `0`");
        assert!(rate.parse("ten").is_err() && rate.parse("-1").is_err() && rate.parse("").is_err());
    }

    #[test]
    fn durations_keep_their_bounds() {
        let kind = Kind::Duration { min: "1ms".into(), max: "10s".into() };
        let stall = knob(kind, KnobValue::Text("1400ms".into()));
        assert!(stall.parse("1.4s").is_ok() && stall.parse("10s").is_ok());
        assert!(stall.parse("11s").is_err() && stall.parse("10us").is_err());
        assert!(stall.parse("5").unwrap_err().to_string().contains("20ms"), "asks for a unit");
    }

    #[test]
    fn decimal_durations_are_exact_to_the_nanosecond() {
        assert_eq!(parse_duration("1.4s").unwrap(), Duration::from_millis(1_400));
        assert_eq!(parse_duration("0.5us").unwrap(), Duration::from_nanos(500));
        assert_eq!(parse_duration("1s 400ms").unwrap(), Duration::from_millis(1_400));
        for wrong in ["", "s", ".", "1.4.2s", "1.4", "1.4 parsecs", "-1s", "1e3s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn knobs_are_written_as_a_shell_takes_them() {
        let stall = ("stall".to_owned(), KnobValue::Text("1s 400ms".into()));
        let set = Knobs::from([stall, ("rate".to_owned(), KnobValue::Int(5))]);
        assert_eq!(as_typed(&set), "--set rate=5 --set 'stall=1s 400ms'");
    }

    #[test]
    fn nan_is_out_of_every_bound() {
        let fraction = knob(Kind::Float { min: 0.0, max: 1.0 }, KnobValue::Float(0.5));
        assert!(fraction.parse("NaN").is_err() && fraction.parse("1.01").is_err());
        assert!(fraction.check(&KnobValue::Int(1)).is_ok());
    }
}
