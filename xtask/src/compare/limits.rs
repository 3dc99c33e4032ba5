//! `--assert 'b.wall < 1.2 s'`: finds the metric, side and scenario of a limit.
//!
//! A name is `[SIDE.][SCENARIO.]METRIC`. The default side is the new one, since a gate is about
//! what is new; a single scenario need not be named.

use std::collections::BTreeMap;

use lab_verdict::limit::{Ask, SideLimit};
use lab_verdict::metric::Metric;
use lab_verdict::order::Side;

use crate::exit::usage;
use crate::nearest;

/// The most names that a message lists.
const MOST_NAMES: usize = 12;

/// A scenario and its names.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    /// Its name in the comparison.
    pub(super) scenario: String,
    /// A shorter name, if only this scenario has it.
    pub(super) short: Option<String>,
    /// Names of the sides besides `a` or `base`, and `b` or `new`.
    pub(super) sides: Option<[String; 2]>,
}

impl Named {
    /// A scenario without other names.
    pub(super) fn plain(scenario: impl Into<String>) -> Self {
        Self { scenario: scenario.into(), ..Self::default() }
    }
}

/// Refuses a limit on an unknown metric, before anything is built.
pub(super) fn check_metrics(asks: &[Ask], known: &[Metric]) -> anyhow::Result<()> {
    for ask in asks {
        let ends = |metric: &&Metric| {
            ask.of
                .strip_suffix(metric.name())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let Some(metric) = known.iter().find(ends) else {
            let typed = ask.of.rsplit_once('.').map_or(ask.of.as_str(), |(_, last)| last);
            let unknown = nearest::unknown("metric", typed, known.iter().map(Metric::name));
            return Err(usage(format!("--assert `{}`: {unknown}", ask.typed)));
        };
        ask.rule(metric.unit()).map_err(|error| usage(format!("--assert {error}")))?;
    }
    Ok(())
}

/// The limits on the metrics of these scenarios.
///
/// # Errors
/// A usage error: there is no such figure; the error names the nearest.
pub(super) fn resolve(
    asks: &[Ask],
    scenarios: &[Named],
    known: &[Metric],
) -> anyhow::Result<Vec<SideLimit>> {
    let names = names(scenarios, known);
    let limit = |ask: &Ask| {
        let Some((scenario, side, metric)) = names.get(ask.of.as_str()) else {
            return Err(unknown(ask, scenarios, known, &names));
        };
        let rule = ask.rule(metric.unit()).map_err(|error| usage(format!("--assert {error}")))?;
        Ok(SideLimit {
            rule,
            scenario: (*scenario).to_owned(),
            side: *side,
            metric: (*metric).clone(),
        })
    };
    asks.iter().map(limit).collect()
}

type Names<'a> = BTreeMap<String, (&'a str, Side, &'a Metric)>;

/// Every name that a limit may begin with. Of two equal names the first counts.
fn names<'a>(scenarios: &'a [Named], known: &'a [Metric]) -> Names<'a> {
    let mut names = Names::new();
    for named in scenarios {
        let scenario = named.scenario.as_str();
        let places = [Some(scenario), named.short.as_deref(), (scenarios.len() == 1).then_some("")];
        for (side, words) in [(Side::Base, ["base", "a"]), (Side::New, ["new", "b"])] {
            let own = named.sides.as_ref().map(|sides| sides[side as usize].as_str());
            let unnamed = (side == Side::New).then_some("");
            for place in places.into_iter().flatten() {
                for word in words.into_iter().chain(own).chain(unnamed) {
                    for metric in known {
                        let parts = [word, place, metric.name()];
                        let parts: Vec<&str> =
                            parts.into_iter().filter(|it| !it.is_empty()).collect();
                        names.entry(parts.join(".")).or_insert((scenario, side, metric));
                    }
                }
            }
        }
    }
    names
}

fn unknown(ask: &Ask, scenarios: &[Named], known: &[Metric], names: &Names<'_>) -> anyhow::Error {
    let Ask { typed, of, .. } = ask;
    if let Some(near) = nearest::nearest(of, names.keys().map(String::as_str)) {
        return usage(format!("--assert `{typed}`: no figure `{of}`: did you mean `{near}`?"));
    }
    let place = |named: &Named| named.short.as_ref().unwrap_or(&named.scenario).clone();
    let each = scenarios.iter().flat_map(|named| {
        known.iter().map(move |metric| match scenarios.len() {
            1 => format!("b.{metric}"),
            _ => format!("{}.{metric}", place(named)),
        })
    });
    let all: Vec<String> = each.collect();
    let more = match all.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = all[..all.len().min(MOST_NAMES)].join(", ");
    usage(format!(
        "--assert `{typed}`: no figure `{of}`: there are {shown}{more}; `a.` or `base.` before one is the base side's"
    ))
}

#[cfg(test)]
mod tests {
    use lab_verdict::metric::{GATES, GUARDS};

    use super::*;

    fn resolve_one(of: &str, scenarios: &[Named]) -> Result<(String, Side, String), String> {
        let known = [GATES, GUARDS].concat();
        let ask: Ask = format!("{of} < 80ms").parse().unwrap();
        let mut found = resolve(&[ask], scenarios, &known).map_err(|error| error.to_string())?;
        let SideLimit { scenario, side, metric, .. } = found.remove(0);
        Ok((scenario, side, metric.name().to_owned()))
    }

    fn two() -> [Named; 2] {
        let named = |variant: &str| Named {
            scenario: format!("tail-latency/{variant}"),
            short: Some(variant.to_owned()),
            sides: None,
        };
        [named("hedged"), named("single")]
    }

    #[test]
    fn a_figure_is_named_by_side_scenario_and_metric_and_is_the_new_sides_unless_said() {
        let hedged =
            |side, metric: &str| Ok(("tail-latency/hedged".to_owned(), side, metric.to_owned()));
        for (of, side, metric) in [
            ("hedged.p99", Side::New, "p99"),
            ("hedged.p99.9", Side::New, "p99.9"),
            ("tail-latency/hedged.p50", Side::New, "p50"),
            ("b.hedged.p99i", Side::New, "p99i"),
            ("base.hedged.p99", Side::Base, "p99"),
            ("a.tail-latency/hedged.p99", Side::Base, "p99"),
        ] {
            assert_eq!(resolve_one(of, &two()), hedged(side, metric), "{of}");
        }
        let alone = [Named {
            sides: Some(["single".into(), "hedged".into()]),
            ..Named::plain("tail-latency/single → hedged")
        }];
        for (of, side) in [
            ("p99", Side::New),
            ("a.p99", Side::Base),
            ("single.p99", Side::Base),
            ("hedged.p99", Side::New),
        ] {
            assert_eq!(resolve_one(of, &alone).unwrap().1, side, "{of}");
        }
    }

    #[test]
    fn an_unknown_figure_names_the_nearest_or_those_that_there_are() {
        let said = |of: &str| resolve_one(of, &two()).unwrap_err();
        assert!(said("hedgd.p99").contains("did you mean `hedged.p99`?"), "{}", said("hedgd.p99"));
        let none = said("elephant.p99");
        assert!(none.contains("there are hedged.p50, hedged.p99i"), "{none}");
        assert!(said("p99").contains("no figure `p99`"), "which of two scenarios?");
        let known = [GATES, GUARDS].concat();
        let check =
            |of: &str| check_metrics(&[of.parse().unwrap()], &known).map_err(|e| e.to_string());
        assert_eq!(check("any.p99.9 < 1s"), Ok(()));
        let said = check("hedged.p9 < 1s").unwrap_err();
        assert!(said.contains("no metric `p9`: did you mean `p99`?"), "{said}");
        assert!(check("hedged.p99 < 1").unwrap_err().contains("1 of what?"));
    }
}
