//! A figure that a check found, compared with its prediction; or why there is none.

use lab_stats::wilson;

/// What a check returns.
pub type Judged = Result<Finding, Gap>;

/// Why there is no figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// There is no such trial, or it has too few samples.
    Unavailable(String),
    /// There is a figure, but it must not be used, and why.
    Invalid(String),
}

/// A measured figure, with a 95 % confidence interval where the trials give one.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Pooled over trials for proportions, else their mean.
    pub value: f64,
    /// Wilson's for proportions, Student's over two or more trials, else none.
    pub interval: Option<(f64, f64)>,
    /// Unit of the value.
    pub unit: String,
}

/// A figure compared with a prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Whether they agree.
    pub holds: bool,
    /// What was expected, where it is one figure.
    pub predicted: Option<f64>,
    /// What was found.
    pub figure: Figure,
    /// What was required of it.
    pub required: String,
}

impl Figure {
    /// A figure without an interval, such as that of a formula.
    pub fn exact(value: f64, unit: &str) -> Self {
        Self { value, interval: None, unit: unit.into() }
    }

    /// A proportion with its Wilson interval.
    ///
    /// # Errors
    /// The sample size is zero.
    pub fn proportion(hits: u64, of: u64) -> Result<Self, Gap> {
        if of == 0 {
            return Err(Gap::Unavailable("a share of nothing".into()));
        }
        let interval = Some(wilson(hits, of));
        Ok(Self { value: hits as f64 / of as f64, interval, unit: "ratio".into() })
    }

    /// The ratio of this to `below`. Its interval divides the ends of both intervals: wider than
    /// needed, so safe.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        let interval = match (self.interval, below.interval) {
            (Some((low, high)), Some((below_low, below_high))) if below_low > 0.0 => {
                Some((low / below_high, high / below_low))
            }
            _ => None,
        };
        Self { value: self.value / below.value, interval, unit: "times".into() }
    }

    /// Within `tolerance`, in the figure's own unit, of the prediction.
    pub fn near(self, predicted: f64, tolerance: f64) -> Judged {
        let holds = (self.value - predicted).abs() <= tolerance;
        let required = format!("{} ± {}", self.amount(predicted), self.amount(tolerance));
        Ok(Finding { holds, predicted: Some(predicted), figure: self, required })
    }

    /// Within a share `tolerance` of the prediction: 0.05 is 5 %.
    pub fn near_relative(self, predicted: f64, tolerance: f64) -> Judged {
        let holds = (self.value - predicted).abs() <= tolerance * predicted.abs();
        let required = format!("{} ± {} %", self.amount(predicted), short(tolerance * 100.0));
        Ok(Finding { holds, predicted: Some(predicted), figure: self, required })
    }

    /// At least `bound`.
    pub fn at_least(self, bound: f64) -> Judged {
        let holds = self.value >= bound;
        let required = format!("≥ {}", self.amount(bound));
        Ok(Finding { holds, predicted: None, figure: self, required })
    }

    /// At most `bound`.
    pub fn at_most(self, bound: f64) -> Judged {
        let holds = self.value <= bound;
        let required = format!("≤ {}", self.amount(bound));
        Ok(Finding { holds, predicted: None, figure: self, required })
    }

    /// Between the bounds, both included; `predicted` is what the source prints.
    pub fn between(self, low: f64, high: f64, predicted: Option<f64>) -> Judged {
        let holds = (low..=high).contains(&self.value);
        let required = format!("{} to {}", self.amount(low), self.amount(high));
        Ok(Finding { holds, predicted, figure: self, required })
    }

    /// A value of this figure's unit, for people: milliseconds rather than nanoseconds.
    fn amount(&self, value: f64) -> String {
        if self.unit == "ns" { format!("{} ms", short(value / 1e6)) } else { short(value) }
    }
}

impl Finding {
    /// Requires `other` as well. Shows the figure of the first that fails, else this one's.
    pub fn and(self, other: Judged) -> Judged {
        let other = other?;
        let required = format!("{}; {}", self.required, other.required);
        let shown = if self.holds && !other.holds { &other } else { &self };
        Ok(Self { holds: self.holds && other.holds, required, ..shown.clone() })
    }

    /// Says what was required in words, before the bounds.
    pub fn because(mut self, words: &str) -> Judged {
        self.required = format!("{words}: {}", self.required);
        Ok(self)
    }
}

/// The number of statements that hold. All must; the first that does not is named.
pub fn statements(statements: &[(&str, bool)]) -> Judged {
    let hold = statements.iter().filter(|(_, holds)| *holds).count();
    let broken = statements.iter().find(|(_, holds)| !holds);
    let says: Vec<&str> = statements.iter().map(|(says, _)| *says).collect();
    let words = broken.map_or_else(|| says.join(", "), |(says, _)| format!("not so: {says}"));
    Figure::exact(hold as f64, "statements").near(statements.len() as f64, 0.0)?.because(&words)
}

/// Four significant digits, without trailing zeros.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value.abs() < 1e-6 {
        return format!("{value:.1e}");
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64) -> Figure {
        Figure::exact(value, "ratio")
    }

    #[test]
    fn a_statement_that_does_not_hold_is_named() {
        let finding = statements(&[("one", true), ("two", false)]).unwrap();
        assert!(!finding.holds && finding.required.starts_with("not so: two"), "{finding:?}");
        assert!(statements(&[("one", true)]).unwrap().holds);
    }

    #[test]
    fn each_requirement_can_fail() {
        let holds = |judged: Judged| judged.unwrap().holds;
        assert!(holds(figure(0.63).near(0.634, 0.03)) && !holds(figure(0.60).near(0.634, 0.03)));
        assert!(holds(figure(104.0).near_relative(100.0, 0.05)));
        assert!(!holds(figure(106.0).near_relative(100.0, 0.05)));
        assert!(holds(figure(50.0).at_least(50.0)) && !holds(figure(49.9).at_least(50.0)));
        assert!(holds(figure(1.0).at_most(1.0)) && !holds(figure(1.1).at_most(1.0)));
        assert!(!holds(figure(0.2).between(0.3, 0.45, None)));
        assert!(!holds(figure(f64::NAN).near(0.5, 1.0)), "not a number agrees with nothing");
    }

    #[test]
    fn two_requirements_show_the_one_that_fails() {
        let both = figure(1.0).at_least(0.5).unwrap().and(figure(9.0).at_most(2.0)).unwrap();
        assert!(!both.holds);
        assert_eq!(both.figure.value, 9.0);
        assert_eq!(both.required, "≥ 0.5; ≤ 2");
    }

    #[test]
    fn figures_are_written_short() {
        let written: Vec<String> =
            [0.6339, 1_800.0, 73.6, 1e-5, 1e-9, 0.0, 2.0].map(short).to_vec();
        assert_eq!(written, ["0.6339", "1800", "73.6", "0.00001", "1.0e-9", "0", "2"]);
    }
}
