//! Compares labs in simulated time: one trial of each side, with the same seed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::bail;
use lab_record::hlog::{quantile_ns, recorded};
use lab_record::{FinishedTrial, Mode, Run, SeriesFacts, Trial};
use lab_verdict::comparable::{Facts, left_out};
use lab_verdict::comparison::{Comparison, SideName};
use lab_verdict::exact::{Figure, Found, exact};
use lab_verdict::method::Method;
use lab_verdict::order::Side;

use super::args::Args;
use super::directory::Directory;
use super::facts;
use super::labs::{Bench, comparable, side_names};
use super::limits::{self, Named};
use super::measure::SERIES;
use super::pilot::Spans;
use super::plan::LabWork;
use super::progress::Progress;
use super::scenarios;
use crate::exit::usage;
use crate::workspace::shorten;

/// The percentiles of a series that are compared, and their names.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Runs one trial of each scenario on each side, and compares what they found.
pub(super) fn compare(
    args: &Args,
    bench: &Bench,
    mut warnings: Vec<String>,
) -> anyhow::Result<Comparison> {
    let sides = &bench.sides;
    warnings.extend(scenarios::left_out(args, sides)?);
    let planned = scenarios::scenarios(args, sides, None, &Spans::new())?;
    let limits = limits::resolve(&args.limits, &scenarios::names(&planned), &args.known(false))?;
    let method = Method { limits, ..args.method()? };
    warnings.extend(comparable(args, sides, &planned)?);
    let directory = Directory::create(&bench.workspace.runs(), args.out.as_deref())?;
    eprintln!("{}", shorten(&directory.path).display());
    let [base, new] = [Side::Base, Side::New].map(|side| sides.side(side).revision.clone());
    let work = LabWork { base, new, planned, profiled: 0 };
    for (side, lab) in work.runs() {
        let of_lab = work.planned.iter().filter(|planned| planned.lab == lab);
        let trials = of_lab.map(|planned| planned.trials[side as usize].clone()).collect();
        bench.write_plan(&directory, side, lab, Mode::Simulated, args.seed, trials)?;
    }
    let progress = RefCell::new(Progress::start("simulated", 2 * work.planned.len() as u64));
    let mut compared = Vec::new();
    for planned in &work.planned {
        let run = |side: Side| -> anyhow::Result<Found> {
            let trial = &planned.trials[side as usize];
            match bench.execute(&directory, trial, side, planned, &progress)? {
                Some(finished) => found(&finished),
                None => bail!("interrupted: nothing is compared"),
            }
        };
        compared.push((planned.name.clone(), [run(Side::Base)?, run(Side::New)?]));
    }
    drop(progress);
    bench.finish_runs(&work, &directory)?;
    let mut comparison = exact(side_names(args, sides).into(), &compared, &method);
    (comparison.seed, comparison.warnings) = (Some(args.seed), warnings);
    directory.conclude(&comparison, args.require_decision)?;
    directory.write_page();
    Ok(comparison)
}

/// Compares the trials that two stored simulated runs have in common.
///
/// # Errors
/// There are none, they had other knobs, spans or seeds, or they cannot be read.
pub(super) fn stored(
    args: &Args,
    sides: [SideName; 2],
    [base, new]: [&Run; 2],
) -> anyhow::Result<Comparison> {
    let of = |run: &Run| -> anyhow::Result<BTreeMap<String, (Trial, Found)>> {
        let timed = run.finished.iter().filter(|finished| finished.trial.is_timed());
        let name = |trial: &Trial| format!("{}/{}", trial.lab, trial.label);
        timed.map(|it| Ok((name(&it.trial), (it.trial.clone(), found(it)?)))).collect()
    };
    let (base, mut new) = (of(base)?, of(new)?);
    let names = |side: &BTreeMap<String, _>| side.keys().cloned().collect();
    let mut warnings = left_out("variants", &names(&base), &names(&new), &args.allow_diff)?;
    let mut compared = Vec::new();
    for (name, (of_base, in_base)) in base {
        let Some((of_new, in_new)) = new.remove(&name) else { continue };
        if of_base.seed != of_new.seed {
            return Err(usage(format!(
                "{name} ran with different seeds: simulated trials compare exactly only if --seed \
                 is the same"
            )));
        }
        let [mut base_facts, mut new_facts] = [Facts::new(), Facts::new()];
        facts::add_scenario(&mut base_facts, &mut new_facts, [&of_base, &of_new]);
        warnings.extend(facts::check(&base_facts, &new_facts, &args.allow_diff)?);
        compared.push((name, [in_base, in_new]));
    }
    if compared.is_empty() {
        return Err(usage("the runs have no simulated variant in common"));
    }
    warnings.dedup();
    let named: Vec<Named> = compared.iter().map(|(name, _)| Named::plain(name)).collect();
    let args = Args { simulated: true, ..args.clone() };
    let limits = limits::resolve(&args.limits, &named, &args.known(false))?;
    let method = Method { limits, ..args.method()? };
    let mut comparison = exact(sides.into(), &compared, &method);
    comparison.warnings = warnings;
    Ok(comparison)
}

/// Everything that a trial found.
fn found(finished: &FinishedTrial) -> anyhow::Result<Found> {
    let metrics = &finished.metrics;
    let mut found = Found { invalid_reasons: metrics.invalid_reasons.clone(), ..Found::default() };
    for (series, facts) in &metrics.series {
        let total = finished.series(series)?.total();
        let mut add = |name: &str, value: f64, unit: &str, is_bound: bool| {
            let name = if series == SERIES { name.to_owned() } else { format!("{series} {name}") };
            found.figures.insert(name, Figure { value, unit: unit.to_owned(), is_bound });
        };
        let SeriesFacts { count, min_ns, max_ns, mean_ns, .. } = *facts;
        add("count", count as f64, "", false);
        add("mean", mean_ns, "ns", false);
        for (name, ns) in [("min", min_ns), ("max", max_ns)] {
            add(name, ns as f64, "ns", facts.is_bound(ns));
        }
        for (name, quantile) in QUANTILES {
            if let Some(ns) = quantile_ns(&total, quantile) {
                add(name, ns as f64, "ns", facts.is_bound(ns));
            }
        }
        found.rest.insert(format!("histogram `{series}`"), format!("{:?}", recorded(&total)));
    }
    for (name, metric) in &metrics.metrics {
        let figure = Figure { value: metric.value, unit: metric.unit.clone(), is_bound: false };
        found.figures.entry(name.clone()).or_insert(figure);
    }
    let curves =
        metrics.curves.iter().map(|it| (format!("curve `{}`", it.name), format!("{it:?}")));
    let gauges =
        metrics.gauges.iter().map(|(name, it)| (format!("gauge `{name}`"), format!("{it:?}")));
    let grids =
        metrics.grids.iter().map(|(name, it)| (format!("grid `{name}`"), format!("{it:?}")));
    let requests = ("ends of requests".to_owned(), format!("{:?}", metrics.accounting));
    found.rest.extend(curves.chain(gauges).chain(grids).chain([requests]));
    Ok(found)
}
