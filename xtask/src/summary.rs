//! The summary of a run: the results of its trials, combined by label.
//!
//! Only finished trials that were not profiled enter a figure. Histograms are added, proportions
//! pooled, and every other metric is the median over the trials of its label. Nothing here depends
//! on the time or the machine, so that a simulated run summarises to the same bytes each time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lab_record::probe::{ProbeRecord, ProbeStacks};
use lab_record::{
    Accounting, Claims, Curve, CurveKind, CurveSummary, FinishedTrial, Metric, ProbeSummary,
    Profile, ProfileQuality, ProfileSummary, Requests, Run, SeriesFacts, SeriesSummary, State,
    Summary, TrialSummary, hlog, read_json,
};
use lab_stats::median;

use crate::flame::{graph_of, graph_of_probe};

/// Summarises a run. `name` is the run directory as people should read it.
///
/// # Errors
/// A log or a profile of a finished trial is missing, damaged or cut off; the error names it.
pub(crate) fn summarize(run: &Run, judged: Claims, name: &Path) -> anyhow::Result<Summary> {
    let counted = by_label(run);
    let mut series = BTreeMap::new();
    for (label, trials) in &counted {
        series.insert((*label).to_owned(), merged_series(trials)?);
    }
    let metrics = counted.iter().map(|(l, trials)| ((*l).to_owned(), merged_metrics(trials)));
    let curves = counted.iter().flat_map(|(label, trials)| merged_curves(label, trials));
    let requests = counted
        .iter()
        .filter_map(|(label, trials)| Some(((*label).to_owned(), summed_requests(trials)?)));
    let invalid_reasons = invalid_reasons(run);
    let (probes, stacks) = probes(run)?;
    let profiles = [profiles(run)?, stacks].concat();
    Ok(Summary {
        lab: run.plan.description.name.clone(),
        run: name.display().to_string(),
        mode: run.plan.mode,
        valid: invalid_reasons.is_empty(),
        invalid_reasons,
        notes: notes(run)?,
        trials: trials(run),
        requests: requests.collect(),
        series,
        metrics: metrics.collect(),
        curves: curves.collect(),
        claims: judged.claims,
        story: judged.story,
        limits: Vec::new(),
        artifacts: profiles.iter().filter_map(|profile| profile.svg.clone()).collect(),
        profiles,
        probes,
    })
}

/// The trials that count, by the label of their figures.
fn by_label(run: &Run) -> BTreeMap<&str, Vec<&FinishedTrial>> {
    let mut labels: BTreeMap<&str, Vec<&FinishedTrial>> = BTreeMap::new();
    for finished in run.finished.iter().filter(|finished| finished.trial.is_timed()) {
        labels.entry(&finished.trial.label).or_default().push(finished);
    }
    labels
}

/// How the requests of these trials ended; `None` if none was offered.
fn summed_requests(trials: &[&FinishedTrial]) -> Option<Requests> {
    let mut sum = Accounting::default();
    trials.iter().for_each(|finished| sum += finished.metrics.accounting);
    (sum.offered > 0).then(|| sum.into())
}

fn merged_series(trials: &[&FinishedTrial]) -> anyhow::Result<BTreeMap<String, SeriesSummary>> {
    let names = trials.iter().flat_map(|finished| finished.metrics.series.keys());
    let mut merged = BTreeMap::new();
    for name in names {
        if merged.contains_key(name) {
            continue;
        }
        let mut histogram = hlog::histogram();
        let mut facts = SeriesFacts::default();
        for finished in trials {
            if let Some(own) = finished.metrics.series.get(name) {
                facts = facts.merged(*own);
                let total = finished.series(name)?.total();
                histogram.add(total).context("all logs have the same bounds")?;
            }
        }
        merged.insert(name.clone(), SeriesSummary::new(&histogram, facts));
    }
    Ok(merged)
}

fn merged_metrics(trials: &[&FinishedTrial]) -> BTreeMap<String, f64> {
    let mut found: BTreeMap<&String, Vec<&Metric>> = BTreeMap::new();
    for (name, metric) in trials.iter().flat_map(|finished| &finished.metrics.metrics) {
        found.entry(name).or_default().push(metric);
    }
    let merged =
        found.into_iter().filter_map(|(name, values)| Some((name.clone(), merge(&values)?)));
    merged.collect()
}

/// Pooled if every trial has the counts, else the median.
fn merge(metrics: &[&Metric]) -> Option<f64> {
    let counts: Option<Vec<(u64, u64)>> = metrics.iter().map(|metric| metric.of).collect();
    if let Some(counts) = counts {
        let hits: u64 = counts.iter().map(|(hits, _)| hits).sum();
        let all: u64 = counts.iter().map(|(_, all)| all).sum();
        return (all > 0).then(|| hits as f64 / all as f64);
    }
    median(metrics.iter().map(|metric| metric.value))
}

/// Curves of one name over the same x are the median at each x; else the first stands alone.
fn merged_curves(label: &str, trials: &[&FinishedTrial]) -> Vec<CurveSummary> {
    let mut found: BTreeMap<(&str, bool), Vec<&Curve>> = BTreeMap::new();
    for curve in trials.iter().flat_map(|finished| &finished.metrics.curves) {
        let theory = curve.kind == CurveKind::Theory;
        found.entry((&curve.name, theory)).or_default().push(curve);
    }
    found.into_values().map(|curves| merged_curve(label, &curves)).collect()
}

fn merged_curve(label: &str, curves: &[&Curve]) -> CurveSummary {
    let first = curves[0];
    let xs = |curve: &Curve| curve.points.iter().map(|(x, _)| *x).collect::<Vec<_>>();
    let alike: Vec<&Curve> =
        curves.iter().copied().filter(|curve| xs(curve) == xs(first)).collect();
    let median_at = |i: usize| median(alike.iter().map(|curve| curve.points[i].1));
    let points = first.points.iter().enumerate();
    let intervals = match alike.len() {
        1 => first.intervals.clone(),
        _ => (0..first.points.len()).filter_map(|i| reach(&alike, i)).collect(),
    };
    CurveSummary {
        name: first.name.clone(),
        variant: label.to_owned(),
        kind: first.kind,
        x_unit: first.x_unit.clone(),
        y_unit: first.y_unit.clone(),
        points: points.map(|(i, (x, y))| (*x, median_at(i).unwrap_or(*y))).collect(),
        intervals,
    }
}

/// The lowest and the highest of the curves' values at a point; `None` for a formula.
fn reach(curves: &[&Curve], point: usize) -> Option<(f64, f64)> {
    let measured = curves.iter().filter(|curve| curve.kind == CurveKind::Measured);
    let ys = measured.map(|curve| curve.points[point].1);
    ys.map(|y| (y, y)).reduce(|(low, high), (y, _)| (low.min(y), high.max(y)))
}

fn invalid_reasons(run: &Run) -> Vec<String> {
    let counted = || run.finished.iter().filter(|finished| finished.trial.is_timed());
    if counted().next().is_none() {
        return vec!["no trial finished".into()];
    }
    let of_trial = |finished: &FinishedTrial| {
        let id = finished.trial.id.clone();
        let reasons = finished.metrics.invalid_reasons.clone();
        reasons.into_iter().map(move |reason| format!("{id}: {reason}"))
    };
    counted().flat_map(of_trial).collect()
}

/// The notes of trials and profiles, each sentence once, in the order of the trials.
fn notes(run: &Run) -> anyhow::Result<Vec<String>> {
    let mut notes: Vec<String> = Vec::new();
    for finished in &run.finished {
        let mut said = finished.metrics.notes.clone();
        let quality = finished.trial.profile.as_ref().map(|profile| quality_of(finished, profile));
        if let Some(quality) = quality.filter(|file| file.is_file()) {
            let of_profile = read_json::<ProfileQuality>(&quality)?.notes;
            let whose = &finished.trial.variant;
            said.extend(of_profile.iter().map(|note| format!("the profile of {whose}: {note}")));
        }
        for note in said {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    Ok(notes)
}

fn trials(run: &Run) -> Vec<TrialSummary> {
    let accounting = |id: &str| {
        let finished = run.finished.iter().find(|finished| finished.trial.id == id);
        finished.map(|finished| finished.metrics.accounting).unwrap_or_default()
    };
    let summary = |(trial, state): (&lab_record::Trial, &State)| TrialSummary {
        id: trial.id.clone(),
        variant: trial.variant.clone(),
        mode: trial.mode,
        seed: trial.seed,
        state: *state,
        profiled: !trial.is_timed(),
        accounting: accounting(&trial.id),
    };
    run.plan.trials.iter().zip(&run.states).map(summary).collect()
}

/// The quality file of a trial's profile.
fn quality_of(finished: &FinishedTrial, profile: &Profile) -> PathBuf {
    finished.dir.join(profile.kind.name()).with_extension("json")
}

/// The profiles of a run; one without samples is left out.
fn profiles(run: &Run) -> anyhow::Result<Vec<ProfileSummary>> {
    let mut profiles = Vec::new();
    for finished in &run.finished {
        let Some(profile) = &finished.trial.profile else { continue };
        let quality = quality_of(finished, profile);
        if !quality.with_extension("folded").is_file() {
            continue;
        }
        let quality: ProfileQuality = read_json(&quality)?;
        let kind = profile.kind.name();
        let svg = graph_of(&finished.trial.variant, kind);
        profiles.push(ProfileSummary {
            variant: finished.trial.variant.clone(),
            kind: quality.kind,
            backend: quality.backend,
            folded: format!("trials/{}/{kind}.folded", finished.trial.id),
            svg: run.dir.join(&svg).is_file().then_some(svg),
            samples: quality.samples,
            requested_hz: quality.requested_hz,
            achieved_hz: quality.achieved_hz,
            lost: quality.lost,
            rootless: quality.rootless,
            kernel: quality.kernel,
        });
    }
    Ok(profiles)
}

/// The records of probes, and the profiles made from their stacks.
fn probes(run: &Run) -> anyhow::Result<(Vec<ProbeSummary>, Vec<ProfileSummary>)> {
    let (mut probes, mut stacks) = (Vec::new(), Vec::new());
    for finished in &run.finished {
        let Some(probe) = &finished.trial.probe else { continue };
        let record = format!("trials/{}/probe/{probe}.json", finished.trial.id);
        let found: ProbeRecord = read_json(&run.dir.join(&record))?;
        let variant = &finished.trial.variant;
        for ProbeStacks { kind, file, rootless, .. } in &found.folded {
            let svg = graph_of_probe(run, variant, kind, probe);
            stacks.push(ProfileSummary {
                variant: variant.clone(),
                kind: kind.clone(),
                backend: "ebpf".to_owned(),
                folded: format!("trials/{}/probe/{file}", finished.trial.id),
                svg: run.dir.join(&svg).is_file().then_some(svg),
                samples: found.cost.events,
                requested_hz: None,
                achieved_hz: None,
                lost: Some(found.losses.total()),
                rootless: Some(*rootless),
                kernel: None,
            });
        }
        probes.push(ProbeSummary {
            variant: variant.clone(),
            probe: probe.clone(),
            record,
            duration_s: found.duration_s,
            lost: found.losses.total(),
            cost: found.cost,
        });
    }
    Ok((probes, stacks))
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
