//! What eBPF probes left in a run's trials: histograms in powers of two, and what each probe cost.
//!
//! A probe's file is read loosely: any list of counts under `histogram`, `buckets` or `slots` is
//! drawn, every figure beside it is shown, and what has neither is linked among the raw files.

use std::fs;
use std::path::Path;

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::load::Loaded;
use crate::page::file_link;
use crate::quantity::number;

/// A bar's widest.
const BAR_PX: f64 = 220.0;

/// The section, or nothing where no probe ran.
pub(crate) fn section(run: &Loaded) -> Markup {
    let found: Vec<_> =
        run.trials.iter().flat_map(|trial| files(&trial.dir, &trial.trial.id)).collect();
    html! {
        @if !found.is_empty() {
            section id="probes" { h2 { "Probes" }
                @for (path, value) in &found { (probe(path, value)) }
            }
        }
    }
}

fn files(dir: &Path, id: &str) -> Vec<(String, Map<String, Value>)> {
    let entries = fs::read_dir(dir.join("probe")).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let value = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Value::Object(members) = value else { return None };
            Some((format!("trials/{id}/probe/{name}"), members))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn probe(path: &str, members: &Map<String, Value>) -> Markup {
    html! {
        figure.probe {
            figcaption { h3 { (file_link(path)) } }
            dl { @for (name, value) in members {
                @if let Some(words) = words(value) { div { dt { (name) } dd { (words) } } }
            } }
            @for (name, value) in members {
                @if let Some(buckets) = buckets(value) { (histogram(name, &buckets)) }
            }
        }
    }
}

/// A figure, a word, or a small object of them.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Number(value) => Some(number(value.as_f64()?)),
        Value::String(text) => Some(text.clone()),
        Value::Bool(is) => Some(if *is { "yes" } else { "no" }.into()),
        Value::Object(members) => {
            let all: Option<Vec<String>> = members
                .iter()
                .map(|(name, value)| Some(format!("{name} {}", words(value)?)))
                .collect();
            all.map(|all| all.join(", "))
        }
        Value::Null | Value::Array(_) => None,
    }
}

/// Buckets as (what they hold, count): `[3, 0, 7]` counts powers of two, objects name their bounds.
fn buckets(value: &Value) -> Option<Vec<(String, f64)>> {
    let list = value.as_array().filter(|list| !list.is_empty())?;
    list.iter().enumerate().map(|(power, item)| bucket(power, item)).collect()
}

fn bucket(power: usize, item: &Value) -> Option<(String, f64)> {
    if let Some(count) = item.as_f64() {
        return Some((format!("2^{power}"), count));
    }
    if let Some([low, high, count]) = item.as_array().map(Vec::as_slice) {
        return Some((format!("{} to {}", words(low)?, words(high)?), count.as_f64()?));
    }
    let members = item.as_object()?;
    let count = members.get("count")?.as_f64()?;
    let bounds = members.iter().filter(|(name, _)| *name != "count");
    let bounds: Option<Vec<String>> =
        bounds.map(|(name, value)| Some(format!("{name} {}", words(value)?))).collect();
    Some((bounds?.join(", "), count))
}

fn histogram(name: &str, buckets: &[(String, f64)]) -> Markup {
    let most = buckets.iter().map(|(_, count)| *count).fold(1.0, f64::max);
    html! {
        table.histogram { caption { (name) } tbody {
            @for (bounds, count) in buckets {
                tr { th scope="row" { (bounds) } td { (number(*count)) }
                    td { svg.bar viewBox=(format!("0 0 {BAR_PX} 12")) aria-hidden="true" {
                        rect height="12" width=(format!("{:.1}", BAR_PX * count / most)) {}
                    } } }
            }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_read_in_each_of_their_shapes() {
        let read = |text: &str| buckets(&serde_json::from_str(text).unwrap());
        assert_eq!(read("[3, 0]").unwrap(), [("2^0".to_owned(), 3.0), ("2^1".to_owned(), 0.0)]);
        assert_eq!(read("[[1, 2, 7]]").unwrap(), [("1 to 2".to_owned(), 7.0)]);
        let named = read(r#"[{"count": 4, "from_us": 1, "to_us": 2}]"#).unwrap();
        assert_eq!(named, [("from_us 1, to_us 2".to_owned(), 4.0)]);
        assert_eq!(read(r#"["no", "histogram"]"#), None);
        assert_eq!(read("[]"), None);
    }
}
