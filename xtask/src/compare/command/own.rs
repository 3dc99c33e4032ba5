//! A program's own numbers, found in what it prints.
//!
//! `NAME=json:$.latency.p99` takes a number from JSON, `NAME=regex:(\d+) req/s` the match of the
//! first group, or of the whole if there is no group. Of several JSON lines or matches the last
//! counts, since a program ends with its result.

use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use lab_verdict::metric::Metric;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metrics::metrics;

/// The most bytes of output that are searched for numbers.
pub(super) const MOST_BYTES: usize = 16 << 20;
/// Suffixes of names that are units.
const UNITS: [&str; 5] = ["ns", "us", "ms", "s", "bytes"];

/// A number that a program prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::compare) struct Own {
    pub(in crate::compare) name: String,
    source: Source,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    /// The path as typed, and its steps from the outermost value.
    Json(String, Vec<Step>),
    Regex(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Own {
    /// The metric; its unit is the suffix of its name, as in `p99_ns`.
    pub(in crate::compare) fn metric(&self, higher_is_better: bool) -> Metric {
        let end = self.name.rsplit_once('_').map_or("", |(_, end)| end);
        let unit = UNITS.into_iter().find(|unit| *unit == end).unwrap_or("");
        Metric::named(&self.name, unit, higher_is_better)
    }

    /// The number in what a command printed.
    ///
    /// # Errors
    /// There is no number, or it is not finite.
    pub(super) fn find(&self, printed: &str) -> anyhow::Result<f64> {
        let (name, source) = (&self.name, self.source.typed());
        let found = match &self.source {
            Source::Json(_, steps) => in_json(printed, steps),
            Source::Regex(pattern) => in_text(printed, pattern),
        };
        let text = found.with_context(|| format!("metric {name}: {source}"))?;
        let number: f64 = text.replace(',', "").parse().map_err(|_| {
            anyhow::anyhow!("metric {name}: {source} finds `{text}`, which is no number")
        })?;
        ensure!(number.is_finite(), "metric {name}: {source} finds `{text}`, which is no number");
        Ok(number)
    }
}

impl Source {
    fn typed(&self) -> String {
        match self {
            Self::Json(path, _) => format!("json:{path}"),
            Self::Regex(pattern) => format!("regex:{pattern}"),
        }
    }
}

fn in_text(printed: &str, pattern: &str) -> anyhow::Result<String> {
    let pattern = Regex::new(pattern)?;
    let found = pattern.captures_iter(printed).last().context("matches nothing of the output")?;
    let group = found.iter().skip(1).flatten().next().or_else(|| found.get(0));
    Ok(group.map_or("", |group| group.as_str()).trim().to_owned())
}

fn in_json(printed: &str, steps: &[Step]) -> anyhow::Result<String> {
    let last = printed.trim().lines().last().unwrap_or_default();
    let parsed = serde_json::from_str(printed).or_else(|_| serde_json::from_str(last));
    let value: Value = parsed.context("neither the output nor its last line is JSON")?;
    let mut at = &value;
    for step in steps {
        let next = match step {
            Step::Key(key) => at.get(key),
            Step::Index(index) => at.get(index),
        };
        at = next.with_context(|| match step {
            Step::Key(key) => format!("there is no `{key}`"),
            Step::Index(index) => format!("there is no [{index}]"),
        })?;
    }
    match at {
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(text.clone()),
        other => bail!("finds {other}, which is no number"),
    }
}

/// Reads `$.a.b[0]`; the `$` may be left out.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let wrong = || format!("`{path}` is no path into JSON: write $.latency.p99 or $.runs[0].ms");
    let mut steps = Vec::new();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']').ok_or_else(wrong)?;
            let quoted =
                index.strip_prefix(['\'', '"']).and_then(|key| key.strip_suffix(['\'', '"']));
            steps.push(match quoted {
                Some(key) => Step::Key(key.to_owned()),
                None => Step::Index(index.parse().map_err(|_| wrong())?),
            });
            rest = after;
        } else {
            let key = rest.strip_prefix('.').unwrap_or(rest);
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end == 0 {
                return Err(wrong());
            }
            steps.push(Step::Key(key[..end].to_owned()));
            rest = &key[end..];
        }
    }
    Ok(steps)
}

impl FromStr for Own {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write NAME=json:PATH or NAME=regex:PATTERN";
        let (name, source) = text.split_once('=').ok_or(form)?;
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(fine) {
            return Err(format!("`{name}` is no name: letters, digits, `_`, `-` and `.`"));
        }
        if metrics().iter().any(|metric| metric.name() == name) {
            return Err(format!("`{name}` is measured anyway: choose another name"));
        }
        let source = match source.split_once(':') {
            Some(("json", path)) => Source::Json(path.to_owned(), steps(path)?),
            Some(("regex", pattern)) => {
                Regex::new(pattern).map_err(|error| format!("`{pattern}`: {error}"))?;
                Source::Regex(pattern.to_owned())
            }
            _ => return Err(form.to_owned()),
        };
        Ok(Self { name: name.to_owned(), source })
    }
}

impl TryFrom<String> for Own {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Own> for String {
    fn from(own: Own) -> Self {
        format!("{}={}", own.name, own.source.typed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(own: &str, printed: &str) -> Result<f64, String> {
        own.parse::<Own>().unwrap().find(printed).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn numbers_are_found_in_json_and_in_text() {
        let json = r#"{"latency": {"p99": 1.5e6}, "runs": [{"ms": "12"}], "a b": 3}"#;
        for (own, printed, number) in [
            ("p99_ns=json:$.latency.p99", json, 1.5e6),
            ("ms=json:runs[0].ms", json, 12.0),
            ("x=json:$['a b']", json, 3.0),
            ("x=json:$.x", "log\n{\"x\":1}\n{\"x\":2}\n", 2.0),
            ("qps=regex:(\\d+) req/s", "10 req/s\n20 req/s", 20.0),
            ("qps=regex:([\\d,.]+) req/s", "12,345.5 req/s", 12_345.5),
            ("all=regex:-?\\d+", "is -7", -7.0),
        ] {
            assert_eq!(find(own, printed), Ok(number), "{own}");
        }
    }

    #[test]
    fn where_there_is_no_number_the_metric_and_the_reason_are_named() {
        for (own, printed, said) in [
            ("qps=regex:(\\S+) req/s", "NaN req/s", "metric qps: regex:(\\S+) req/s finds `NaN`"),
            ("qps=regex:(\\S+) req/s", "inf req/s", "finds `inf`, which is no number"),
            ("qps=regex:(\\d+) req/s", "done", "metric qps: regex:(\\d+) req/s: matches nothing"),
            ("x=json:$.a.b", "{\"a\":{}}", "metric x: json:$.a.b: there is no `b`"),
            ("x=json:$.a[2]", "{\"a\":[1]}", "there is no [2]"),
            ("x=json:$.a", "{\"a\":null}", "finds null, which is no number"),
            ("x=json:$.a", "plain", "neither the output nor its last line is JSON"),
            ("x=json:$.a", "", "neither the output nor its last line is JSON"),
        ] {
            let error = find(own, printed).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_no_metric_is_refused_when_it_is_typed() {
        for (own, said) in [
            ("qps", "write NAME=json:PATH"),
            ("=json:$.x", "is no name"),
            ("wall=json:$.x", "is measured anyway"),
            ("x=xml:/a", "write NAME=json:PATH"),
            ("x=regex:(", "`(`:"),
            ("x=json:$..a", "is no path"),
            ("x=json:$[a", "is no path"),
        ] {
            let error = own.parse::<Own>().unwrap_err();
            assert!(error.contains(said), "{own}: {error}");
        }
        let own: Own = "p99_ns=json:$.p99".parse().unwrap();
        assert_eq!(own.metric(false).unit(), "ns");
        assert_eq!(String::from(own), "p99_ns=json:$.p99", "as it is kept in a plan");
    }
}
