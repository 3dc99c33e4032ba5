//! A typed parameter of a lab.

use lab_record::{Kind, KnobSpec, KnobValue};

/// A typed parameter: made by [`Knob::int`] and its siblings.
#[derive(Debug, Clone, Copy)]
pub struct Knob {
    name: &'static str,
    help: &'static str,
    kind: KnobKind,
}

#[derive(Debug, Clone, Copy)]
enum KnobKind {
    Int { default: u64, min: u64, max: u64, unit: &'static str },
    Float { default: f64, min: f64, max: f64, unit: &'static str },
    Duration { default: &'static str, min: &'static str, max: &'static str },
    Choice { options: &'static [&'static str] },
    Text { default: &'static str },
}

impl Knob {
    /// A whole number; bounds are inclusive.
    pub const fn int(
        name: &'static str,
        default: u64,
        unit: &'static str,
        bounds: [u64; 2],
        help: &'static str,
    ) -> Self {
        let [min, max] = bounds;
        Self { name, help, kind: KnobKind::Int { default, min, max, unit } }
    }

    /// A number; bounds are inclusive.
    pub const fn float(
        name: &'static str,
        default: f64,
        unit: &'static str,
        bounds: [f64; 2],
        help: &'static str,
    ) -> Self {
        let [min, max] = bounds;
        Self { name, help, kind: KnobKind::Float { default, min, max, unit } }
    }

    /// A length of time, written as people do: `1.4s`, `250us`; bounds are inclusive.
    pub const fn duration(
        name: &'static str,
        default: &'static str,
        bounds: [&'static str; 2],
        help: &'static str,
    ) -> Self {
        let [min, max] = bounds;
        Self { name, help, kind: KnobKind::Duration { default, min, max } }
    }

    /// One of a few words, the first by default.
    pub const fn choice(
        name: &'static str,
        options: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, help, kind: KnobKind::Choice { options } }
    }

    /// Free text.
    pub const fn text(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: KnobKind::Text { default } }
    }

    /// The knob as data.
    pub(crate) fn spec(&self) -> KnobSpec {
        let (default, unit, kind) = match self.kind {
            KnobKind::Int { default, min, max, unit } => {
                (KnobValue::Int(default), unit, Kind::Int { min, max })
            }
            KnobKind::Float { default, min, max, unit } => {
                (KnobValue::Float(default), unit, Kind::Float { min, max })
            }
            KnobKind::Duration { default, min, max } => {
                let kind = Kind::Duration { min: min.into(), max: max.into() };
                (KnobValue::Text(default.into()), "", kind)
            }
            KnobKind::Choice { options } => {
                let kind = Kind::Choice { options: owned(options) };
                (KnobValue::Text(options[0].into()), "", kind)
            }
            KnobKind::Text { default } => (KnobValue::Text(default.into()), "", Kind::Text),
        };
        KnobSpec {
            name: self.name.into(),
            help: self.help.into(),
            unit: unit.into(),
            default,
            kind,
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
