//! Limits: `hedged.p99 < 80ms`, judged by the interval of the median over the trials.
//!
//! Signed ranks assume that the difference of a pair is symmetric if both sides are equal. A single
//! figure has no such symmetry, so its interval assumes less: each independent trial is above the
//! median with probability one half. The ends are order statistics (Hollander, Wolfe & Chicken,
//! section 3.6), and with few trials the smallest and the largest of them.

use std::str::FromStr;

use lab_record::{Limit, Standing};
use lab_stats::median;
use serde::{Deserialize, Serialize};

use crate::looks::Looks;
use crate::metric::Metric;
use crate::order::Side;
use crate::pair::Pair;

/// A limit as typed: its figure, and the number with its unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The limit as typed.
    pub typed: String,
    /// The figure, before the comparison sign: `hedged.p99`.
    pub of: String,
    relation: Relation,
    number: f64,
    unit: String,
}

/// A limit on figures of one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The limit as typed.
    pub typed: String,
    relation: Relation,
    /// The number, in the unit of the figures.
    at: f64,
}

/// A limit on a metric of one side of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideLimit {
    /// The limit.
    #[serde(flatten)]
    pub rule: Rule,
    /// The name of the scenario.
    pub scenario: String,
    /// The side of the figures.
    pub side: Side,
    /// The metric that is limited.
    #[serde(flatten)]
    pub metric: Metric,
}

/// How a figure must relate to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Relation {
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

/// Longer signs first, since `<=` begins with `<`.
const RELATIONS: [(&str, Relation); 4] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Below),
    (">", Relation::Above),
];

/// The dimension of each unit, and its size in the smallest one.
const UNITS: [(&str, char, f64); 17] = [
    ("ns", 't', 1.0),
    ("us", 't', 1e3),
    ("µs", 't', 1e3),
    ("μs", 't', 1e3),
    ("ms", 't', 1e6),
    ("s", 't', 1e9),
    ("min", 't', 60e9),
    ("bytes", 'b', 1.0),
    ("B", 'b', 1.0),
    ("kB", 'b', 1e3),
    ("KB", 'b', 1e3),
    ("MB", 'b', 1e6),
    ("GB", 'b', 1e9),
    ("KiB", 'b', 1024.0),
    ("MiB", 'b', 1024.0 * 1024.0),
    ("GiB", 'b', 1024.0 * 1024.0 * 1024.0),
    ("%", '%', 0.01),
];

/// One trial's value of a limited figure, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value.
    pub value: f64,
    /// Whether it lies among requests that were never answered: the true value is this or higher.
    pub is_bound: bool,
}

impl FromStr for Ask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write WHAT < NUMBER UNIT, such as 'hedged.p99 < 80ms' (or <=, >, >=)";
        let at = text.find(['<', '>']).ok_or(form)?;
        let (sign, relation) =
            RELATIONS.into_iter().find(|(sign, _)| text[at..].starts_with(sign)).ok_or(form)?;
        let (of, limit) = (text[..at].trim(), text[at + sign.len()..].trim());
        if of.is_empty() || limit.is_empty() {
            return Err(form.to_owned());
        }
        let digits = |c: char| c.is_ascii_digit() || "+-.eE_".contains(c);
        let most = limit.find(|c| !digits(c)).unwrap_or(limit.len());
        // Tries longer numbers first: `2e3 B` has an exponent.
        let parsed = (1..=most).rev().find_map(|end| {
            let number: f64 = limit[..end].replace('_', "").parse().ok()?;
            number.is_finite().then_some((number, limit[end..].trim()))
        });
        let (number, unit) =
            parsed.ok_or_else(|| format!("`{limit}` does not begin with a number; {form}"))?;
        if unit.contains(['<', '>', '=']) || unit.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("`{limit}` is no number with a unit; {form}"));
        }
        let (typed, of, unit) = (text.trim().to_owned(), of.to_owned(), unit.to_owned());
        Ok(Self { typed, of, relation, number, unit })
    }
}

impl Ask {
    /// The limit, for figures of this unit.
    ///
    /// # Errors
    /// The limit has another unit, or none although there are several.
    pub fn rule(&self, unit: &str) -> Result<Rule, String> {
        let known = |name: &str| UNITS.into_iter().find(|(unit, ..)| *unit == name);
        let Self { typed, of, relation, number, unit: own } = self;
        let at = match (known(own), known(unit)) {
            (Some((_, kind, of_own)), Some((_, of_what, of_unit))) if kind == of_what => {
                number * of_own / of_unit
            }
            (Some((_, '%', hundredth)), None) if ["", "ratio"].contains(&unit) => {
                number * hundredth
            }
            (None, Some((_, kind, _))) if own.is_empty() => {
                let such_as = if kind == 't' { "ms" } else { "MB" };
                return Err(format!("`{typed}`: {number} of what? Write {number}{such_as}, say"));
            }
            _ if own == unit || own.is_empty() => *number,
            _ => {
                let has = if unit.is_empty() { "no unit".to_owned() } else { format!("`{unit}`") };
                return Err(format!("`{typed}`: {of} has {has}, and `{own}` is no unit of it"));
            }
        };
        Ok(Rule { typed: typed.clone(), relation: *relation, at })
    }
}

impl Rule {
    /// Whether a figure of this size keeps it.
    fn holds(&self, figure: f64) -> bool {
        match self.relation {
            Relation::Below => figure < self.at,
            Relation::AtMost => figure <= self.at,
            Relation::Above => figure > self.at,
            Relation::AtLeast => figure >= self.at,
        }
    }

    /// Judges a figure that is the same each time, such as that of a simulated trial.
    pub fn judge_exact(&self, unit: &str, reading: Reading) -> Limit {
        let (low, high) = reading.range();
        self.judged(unit, &[reading], Some((low, high, 1.0)))
    }

    /// Judges the readings of independent trials; the probability that the median lies outside the
    /// interval is at most `alpha`.
    pub fn judge(&self, unit: &str, readings: &[Reading], alpha: f64) -> Limit {
        let interval = cut(readings.len(), alpha).map(|(left_out, missed)| {
            let sorted = |end: fn(&Reading) -> f64| {
                let mut values: Vec<f64> = readings.iter().map(end).collect();
                values.sort_unstable_by(f64::total_cmp);
                values
            };
            let (lows, highs) = (sorted(|r| r.range().0), sorted(|r| r.range().1));
            (lows[left_out], highs[highs.len() - 1 - left_out], 1.0 - missed)
        });
        self.judged(unit, readings, interval)
    }

    fn judged(&self, unit: &str, readings: &[Reading], interval: Option<(f64, f64, f64)>) -> Limit {
        let measured = median(readings.iter().map(|reading| reading.value));
        let below = |reading: &&Reading| measured.is_some_and(|middle| reading.value <= middle);
        Limit {
            measured,
            is_bound: readings.iter().filter(below).any(|reading| reading.is_bound),
            low: interval.map(|(low, ..)| low),
            high: interval.map(|(_, high, _)| high).filter(|high| high.is_finite()),
            level: interval.map(|(.., level)| level),
            trials: readings.len() as u32,
            standing: match interval.map(|(low, high, _)| (self.holds(low), self.holds(high))) {
                Some((true, true)) => Standing::Kept,
                Some((false, false)) => Standing::Broken,
                _ => Standing::Undecided,
            },
            ..undecided(&self.typed, unit, "")
        }
    }
}

impl Reading {
    /// The bounds of the true value.
    fn range(&self) -> (f64, f64) {
        (self.value, if self.is_bound { f64::INFINITY } else { self.value })
    }
}

impl SideLimit {
    /// Judges the trials of judged pairs.
    pub(crate) fn judge(&self, pairs: &[&Pair], is_valid: bool, looks: &Looks) -> Limit {
        let Self { rule, metric, .. } = self;
        let unit = metric.unit();
        if !is_valid {
            return undecided(&rule.typed, unit, "the trials are invalid");
        }
        let reading = |pair: &&Pair| {
            let (own, other) = match self.side {
                Side::Base => (&pair.base, &pair.new),
                Side::New => (&pair.new, &pair.base),
            };
            // A limit needs no ratio, so zero is a valid figure.
            let value = metric.value(own).or_else(|| metric.recorded(own))?;
            Some(Reading { value, is_bound: metric.is_bound(own, other) })
        };
        match pairs.iter().map(reading).collect::<Option<Vec<Reading>>>() {
            Some(readings) => {
                let limit = rule.judge(unit, &readings, looks.alpha_each);
                let why = match limit.level {
                    Some(_) => String::new(),
                    None => "too few trials for an interval".to_owned(),
                };
                Limit { why, ..limit }
            }
            None if pairs.iter().all(|pair| pair.base.has_requests()) => {
                undecided(&rule.typed, unit, "a trial has too few requests for this percentile")
            }
            None => undecided(&rule.typed, unit, format!("a trial has no {metric}")),
        }
    }

    /// Judges the figure of a simulated trial; `None` where there is none that counts.
    pub(crate) fn judge_exact(&self, figure: Option<Reading>) -> Limit {
        let Self { rule, metric, .. } = self;
        match figure {
            Some(reading) => rule.judge_exact(metric.unit(), reading),
            None => undecided(
                &rule.typed,
                metric.unit(),
                format!("the trial is invalid, or has no {metric}"),
            ),
        }
    }
}

/// An undecided limit, and why.
pub fn undecided(typed: &str, unit: &str, why: impl Into<String>) -> Limit {
    Limit {
        limit: typed.to_owned(),
        unit: unit.to_owned(),
        measured: None,
        is_bound: false,
        low: None,
        high: None,
        level: None,
        trials: 0,
        standing: Standing::Undecided,
        why: why.into(),
    }
}

/// How many of `n` values to leave out at either end of their median's interval, and the
/// probability that the interval misses the median.
fn cut(n: usize, alpha: f64) -> Option<(usize, f64)> {
    let mut kept = None;
    let mut probability = 0.5_f64.powi(n as i32);
    let mut tail = 0.0;
    for left_out in 0..n.div_ceil(2) {
        tail += probability;
        if 2.0 * tail > alpha {
            break;
        }
        kept = Some((left_out, 2.0 * tail));
        probability *= (n - left_out) as f64 / (left_out + 1) as f64;
    }
    kept
}

#[cfg(test)]
mod tests {
    use lab_stats::splitmix64;

    use super::*;

    fn rule(typed: &str, unit: &str) -> Result<Rule, String> {
        typed.parse::<Ask>()?.rule(unit)
    }

    fn judge(typed: &str, values: &[f64]) -> Limit {
        let readings: Vec<Reading> =
            values.iter().map(|value| Reading { value: *value, is_bound: false }).collect();
        rule(typed, "ms").unwrap().judge("ms", &readings, 0.05)
    }

    #[test]
    fn a_limit_is_read_in_the_unit_of_the_figure() {
        for (typed, unit, at) in [
            ("hedged.p99 < 80ms", "ns", 80e6),
            ("a<=1.2 s", "ns", 1.2e9),
            ("a > 2e3µs", "ns", 2e6),
            ("x >= 1.2 s", "ms", 1_200.0),
            ("b.memory < 64 MiB", "bytes", 67_108_864.0),
            ("b.memory < 1_000 kB", "bytes", 1e6),
            ("a.amplification < 1.5", "times", 1.5),
            ("a.loss < 2%", "ratio", 0.02),
            ("a.goodput > 900 req/s", "req/s", 900.0),
            ("a.qps > 900", "", 900.0),
        ] {
            assert_eq!(rule(typed, unit).unwrap().at, at, "{typed}");
        }
    }

    #[test]
    fn what_is_no_limit_is_refused_with_the_form_or_the_unit() {
        for (typed, unit, said) in [
            ("p99", "ns", "write WHAT < NUMBER UNIT"),
            ("p99 = 80ms", "ns", "write WHAT < NUMBER UNIT"),
            ("< 80ms", "ns", "write WHAT < NUMBER UNIT"),
            ("p99 <", "ns", "write WHAT < NUMBER UNIT"),
            ("p99 < fast", "ns", "does not begin with a number"),
            ("p99 < NaN", "ns", "does not begin with a number"),
            ("p99 < inf", "ns", "does not begin with a number"),
            ("p99 < 1 < 2", "ns", "is no number with a unit"),
            ("p99 < 80 90", "ns", "is no number with a unit"),
            ("p99 < 80", "ns", "80 of what? Write 80ms"),
            ("memory < 80", "bytes", "80 of what? Write 80MB"),
            ("p99 < 80MB", "ns", "p99 has `ns`, and `MB` is no unit of it"),
            ("qps > 80ms", "", "qps has no unit, and `ms` is no unit of it"),
            ("goodput > 9 req/min", "req/s", "and `req/min` is no unit of it"),
        ] {
            let refused = rule(typed, unit).unwrap_err();
            assert!(refused.contains(said), "{typed}: {refused}");
        }
    }

    #[test]
    fn a_limit_is_broken_or_kept_by_the_whole_interval_and_undecided_within_it() {
        let six = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
        for (typed, standing) in [
            ("x < 16ms", Standing::Kept),
            ("x < 15ms", Standing::Undecided),
            ("x <= 15ms", Standing::Kept),
            ("x < 10ms", Standing::Broken),
            ("x <= 10ms", Standing::Undecided),
            ("x <= 9.9ms", Standing::Broken),
            ("x > 9ms", Standing::Kept),
            ("x > 10ms", Standing::Undecided),
            ("x >= 10ms", Standing::Kept),
            ("x > 15ms", Standing::Broken),
            ("x >= 15ms", Standing::Undecided),
        ] {
            let found = judge(typed, &six);
            assert_eq!((found.standing, found.trials), (standing, 6), "{typed}");
            assert_eq!(
                (found.measured, found.low, found.high),
                (Some(12.5), Some(10.0), Some(15.0))
            );
        }
        // 2^(1-5) is more than one in twenty.
        let five = judge("x < 99ms", &six[..5]);
        assert_eq!((five.standing, five.level), (Standing::Undecided, None));
        // Of nine, the second and the eighth: 20 of 512 miss.
        let nine = judge("x < 8.5ms", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(
            (nine.low, nine.high, nine.level),
            (Some(2.0), Some(8.0), Some(1.0 - 20.0 / 512.0))
        );
    }

    #[test]
    fn a_bound_can_break_an_upper_limit_and_never_keep_one() {
        let with_bounds = |typed: &str, bounds: usize| {
            let reading = |n: usize| Reading { value: 10.0 + n as f64, is_bound: n >= 6 - bounds };
            let readings: Vec<Reading> = (0..6).map(reading).collect();
            rule(typed, "ms").unwrap().judge("ms", &readings, 0.05)
        };
        let open = with_bounds("x < 99ms", 1);
        assert_eq!((open.standing, open.high, open.is_bound), (Standing::Undecided, None, false));
        let all = with_bounds("x < 99ms", 6);
        assert_eq!((all.standing, all.is_bound, all.low), (Standing::Undecided, true, Some(10.0)));
        assert_eq!(with_bounds("x < 10ms", 6).standing, Standing::Broken);
        assert_eq!(with_bounds("x > 9ms", 6).standing, Standing::Kept);
        let exact = |typed: &str| {
            let bound = Reading { value: 10.0, is_bound: true };
            rule(typed, "ms").unwrap().judge_exact("ms", bound).standing
        };
        assert_eq!((exact("x < 99ms"), exact("x < 9ms")), (Standing::Undecided, Standing::Broken));
    }

    #[test]
    fn the_interval_misses_the_median_as_rarely_as_it_says_whatever_the_distribution() {
        // A limit at the true median of a long tail: either decision is an error.
        let trials = 12;
        let (_, missed) = cut(trials, 0.05).unwrap();
        let rule = rule("x < 1ms", "ms").unwrap();
        let wrong = (0..20_000_u64).filter(|n| {
            let reading = |i: usize| {
                let u = (splitmix64(*n, i as u64) >> 11) as f64 / (1_u64 << 53) as f64;
                Reading { value: (0.5 / (1.0 - u)).powi(3), is_bound: false }
            };
            let readings: Vec<Reading> = (0..trials).map(reading).collect();
            rule.judge("ms", &readings, 0.05).standing != Standing::Undecided
        });
        let share = wrong.count() as f64 / 20_000.0;
        assert!((share - missed).abs() < 0.004, "{share} for {missed}");
    }
}
