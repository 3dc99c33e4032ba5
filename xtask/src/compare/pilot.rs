//! The default length of trials: long enough for every gated metric at the rate of requests that
//! one short trial of the base finds. That trial enters no figure.

use std::collections::BTreeMap;
use std::time::Duration;

use lab_files::Scratch;
use lab_record::{FinishedTrial, State, read_json};
use lab_verdict::method::Method;
use lab_verdict::metric::{Metric, Shortage};
use lab_verdict::order::{Side, Turn};
use lab_verdict::trial::TrialRecord;

use super::measure::reduce;
use super::plan::Planned;
use super::sides::{Lab, Sides};
use crate::execute::{Programs, execute};
use crate::process::Interrupt;
use crate::workspace::Workspace;

/// The span of the short trial, and of all others if it suffices.
pub(super) const SPAN: Duration = Duration::from_secs(2);

/// The longest span that is chosen: with a longer one, a comparison would take hours.
const LONGEST: Duration = Duration::from_secs(60);

/// By name, the spans of scenarios whose trials must be longer than [`SPAN`].
pub(super) type Spans = BTreeMap<String, Duration>;

/// Runs a short trial of each scenario, and returns the spans that follow.
pub(super) fn spans(
    planned: &[Planned],
    sides: &Sides,
    method: &Method,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Spans> {
    let mut spans = Spans::new();
    for planned in planned {
        let lab = &sides.base.labs[&planned.lab];
        let Some(trial) = short_trial(planned, lab, workspace, interrupt)? else { continue };
        match suffices(&trial, method) {
            Some((metric, span, lack)) if span <= LONGEST => {
                let place = if metric == Metric::P99I { " a slice" } else { "" };
                eprintln!(
                    "{}: trials of {} s: {metric} takes {} requests{place}, and {} s have {}",
                    planned.name,
                    span.as_secs(),
                    lack.needed,
                    SPAN.as_secs(),
                    lack.requests,
                );
                spans.insert(planned.name.clone(), span);
            }
            Some((metric, span, _)) => eprintln!(
                "note: {}: {metric} is not judged: at this rate it takes trials of {s} s \
                 (--duration {s}s)",
                planned.name,
                s = span.as_secs()
            ),
            None => {}
        }
    }
    Ok(spans)
}

/// The gated metric that needs the longest span, that span, and what the trial lacks for it; `None`
/// if it suffices.
fn suffices(trial: &TrialRecord, method: &Method) -> Option<(Metric, Duration, Shortage)> {
    let lacks = method.gates.iter().filter_map(|gate| {
        let lack = gate.metric.shortage(trial)?;
        Some((gate.metric.clone(), Duration::from_secs(lack.suffices_s?), lack))
    });
    lacks.max_by_key(|(_, span, _)| *span)
}

/// A trial of the base; `None` if it does not end well, which the counted trials will report.
fn short_trial(
    planned: &Planned,
    lab: &Lab,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<TrialRecord>> {
    let trial = &planned.trials[Side::Base as usize];
    let scratch = Scratch::new(&workspace.runs(), "pilot")?;
    let dir = scratch.path().join(&trial.id);
    let programs = Programs { lab: lab.binary.clone(), probe: None, observer: None };
    let exit = execute(&programs, &dir, trial, interrupt, |_| ())?;
    if exit.state != State::Finished {
        return Ok(None);
    }
    let metrics = read_json(&dir.join("metrics.json"))?;
    let finished = FinishedTrial { dir, trial: trial.clone(), metrics };
    let turn = Turn { quad: 0, position: 0, side: Side::Base, seed: trial.seed };
    Ok(reduce(&finished, lab.expects(&trial.variant), 0, &planned.name, &turn).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(requests: u64) -> TrialRecord {
        let line = format!(
            r#"{{"trial":0,"quad":0,"position":0,"variant":"base","seed":1,"count":{requests},"p50_ns":1,
               "p99_ns":1,"p999_ns":1,"max_ns":1,"slice_p99_ns":{:?},"measure_ms":2000}}"#,
            [1; 10]
        );
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_span_has_requests_enough_for_every_gated_metric() {
        let method = Method::default();
        assert_eq!(suffices(&trial(20_000), &method), None);
        let (metric, span, lack) = suffices(&trial(196), &method).unwrap();
        assert_eq!((metric, span, lack.requests), (Metric::P99I, Duration::from_secs(16), 19));
        // The number of requests in a trial of that span is enough.
        assert_eq!(suffices(&trial(196 * 16 / 2), &method), None);
        assert!(suffices(&trial(0), &method).unwrap().1 > LONGEST);
        let p50 = Method { gates: vec![method.gates[0].clone()], ..method };
        assert_eq!(suffices(&trial(196), &p50), None);
    }
}
