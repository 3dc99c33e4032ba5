//! The data of the script of a run's page: series, charts and flame graphs, within a budget.
//!
//! The budget keeps a page of a hundred trials under 5 MB. What does not fit is left out, the least
//! useful first, and the page says so: a reader must not take a part for the whole.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;
use lab_record::hlog::{self, Log, quantile_ns};
use lab_record::{ChartSpec, Curve, CurveKind, CurveSummary, SeriesFacts, ShownBy, variant_of};
use serde::Serialize;

use crate::bars::{self, Bars};
use crate::flame::Flame;
use crate::heat::ROWS_PER_OCTAVE;
use crate::load::{Loaded, LoadedTrial};
use crate::over_time::{self, Rows, Stack};
use crate::percentiles::{Quantiles, STEPS, quantiles};
use crate::trails::{BINS_PER_OCTAVE, Trail, trail};
use crate::trial_heat::{HICCUP, TrialHeat, trial_heat};

/// Bytes of all heat maps of timed trials together.
const HEAT_BYTES: usize = 1_500_000;
/// The same of the profiled trials, with their samples.
const SAMPLE_BYTES: usize = 800_000;
/// Bytes of all heat maps with named rows together.
const ROW_BYTES: usize = 1_000_000;
/// The most points of a gauge: a screen has no more pixels.
const GAUGE_POINTS: usize = 400;
/// Series that every page shows where a run has them, whether or not the lab names charts of them.
const ALWAYS: [&str; 3] = ["response", "service", "lateness"];

/// Everything that the script draws.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Data {
    /// [`STEPS`].
    pub(crate) steps: u32,
    /// [`ROWS_PER_OCTAVE`].
    pub(crate) rows_per_octave: f64,
    /// [`BINS_PER_OCTAVE`].
    pub(crate) bins_per_octave: f64,
    pub(crate) labels: Vec<Label>,
    /// By series, then by label.
    pub(crate) series: BTreeMap<String, BTreeMap<String, Quantiles>>,
    pub(crate) charts: Vec<Chart>,
    pub(crate) flames: Vec<Flame>,
    /// By trial: how late the generator was at its p99, and the response's p50, in ns.
    #[serde(skip)]
    pub(crate) generators: BTreeMap<String, (Option<u64>, Option<u64>)>,
    /// What was left out or could not be read, in whole sentences.
    #[serde(skip)]
    pub(crate) notes: Vec<String>,
    /// Titles of the lab's charts for which the run has no data.
    #[serde(skip)]
    pub(crate) absent: Vec<String>,
    /// What stands first on the page; `None` in runs of labs without a story.
    #[serde(skip)]
    pub(crate) story: Option<Place>,
}

/// A chart or a flame graph, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Chart(usize),
    Flame(usize),
}

/// A line's name, and the place in the palette that it shares with its simulated companion.
#[derive(Debug, Serialize)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) color: usize,
    pub(crate) simulated: bool,
}

/// One chart; its element on the page has the id `chart-<index>`.
#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    pub(crate) title: String,
    #[serde(flatten)]
    pub(crate) kind: ChartKind,
    /// The claims that it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) claims: Vec<Concerned>,
    /// The variants whose lines are on at first, where there are too many lines to distinguish.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) first: Vec<String>,
}

/// A claim, and the variants to look at for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Concerned {
    pub(crate) id: String,
    pub(crate) variants: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum ChartKind {
    Percentiles {
        series: String,
        theory: Vec<Line>,
    },
    Ecdf {
        series: String,
        theory: Vec<Line>,
    },
    Heat {
        series: String,
        trials: Vec<TrialHeat>,
        /// Whether these are the trials that were profiled, whose latencies are in no figure.
        profiled: bool,
    },
    Lines {
        x_unit: String,
        y_unit: String,
        lines: Vec<Line>,
    },
    /// Drawn without the script.
    Bars {
        #[serde(skip)]
        bars: Bars,
    },
    Stacked(Stack),
    Rows {
        trials: Vec<Rows>,
    },
    Trails {
        trails: Vec<Trail>,
    },
    /// Changes over percentiles, x as in a percentile plot.
    Shift {
        lines: Vec<Line>,
    },
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// The label of its trials, which decides the colour.
    pub(crate) label: String,
    pub(crate) theory: bool,
    pub(crate) points: Vec<(f64, f64)>,
    /// Of y at each point; empty where nothing is known of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) intervals: Vec<(f64, f64)>,
}

/// Reads the logs of a run once and makes what its charts need.
pub(crate) fn of_run(run: &Loaded) -> Data {
    let specs = specs(run);
    let mut logs = read_logs(run, &wanted(&specs));
    let mut data = Data {
        steps: STEPS,
        rows_per_octave: ROWS_PER_OCTAVE,
        bins_per_octave: BINS_PER_OCTAVE,
        labels: labels(run),
        series: logs.quantiles(),
        generators: std::mem::take(&mut logs.generators),
        notes: std::mem::take(&mut logs.problems),
        ..Data::default()
    };
    let mut left = Left { heats: HEAT_BYTES, rows: ROW_BYTES };
    for spec in &specs {
        data.charts.extend(charts(run, spec, &mut logs, &mut left, &mut data.notes));
    }
    leave_out_empty(&mut data, run.plan.as_ref().map_or(&[], |plan| &plan.description.charts));
    let profiles = crate::flames::of_run(run);
    data.flames = profiles.flames;
    data.notes.extend(profiles.notes);
    let trials = affordable(profiles.maps, &mut { SAMPLE_BYTES }, &mut data.notes);
    if !trials.is_empty() {
        let kind = ChartKind::Heat { series: "response".into(), trials, profiled: true };
        data.charts.push(chart("Response over time in the profiled trials", kind));
    }
    link_claims(run, &mut data);
    for chart in &mut data.charts {
        let of_claims = chart.claims.iter().flat_map(|claim| &claim.variants);
        chart.first.extend(of_claims.cloned());
    }
    data
}

/// Takes out the charts for which the run has no data, and keeps the titles of the lab's own.
fn leave_out_empty(data: &mut Data, own: &[ChartSpec]) {
    let empty = |chart: &Chart| match &chart.kind {
        ChartKind::Percentiles { series, .. } | ChartKind::Ecdf { series, .. } => {
            !data.series.contains_key(series)
        }
        ChartKind::Heat { trials, .. } => trials.is_empty(),
        ChartKind::Lines { lines, .. } | ChartKind::Shift { lines } => {
            lines.iter().all(|line| line.points.is_empty())
        }
        ChartKind::Bars { bars } => bars.is_empty(),
        ChartKind::Stacked(stack) => stack.parts.is_empty(),
        ChartKind::Rows { trials } => trials.is_empty(),
        ChartKind::Trails { trails } => trails.is_empty(),
    };
    let (without, with) = std::mem::take(&mut data.charts).into_iter().partition(empty);
    data.charts = with;
    let titles = Vec::<Chart>::into_iter(without).map(|chart| chart.title);
    data.absent = titles.filter(|title| own.iter().any(|p| p.title() == title)).collect();
}

fn chart(title: &str, kind: ChartKind) -> Chart {
    Chart { title: title.to_owned(), kind, claims: Vec::new(), first: Vec::new() }
}

/// Tells each chart which of the judged claims it shows.
fn link_claims(run: &Loaded, data: &mut Data) {
    let claims = run.plan.iter().flat_map(|plan| &plan.description.claims);
    let judged = run.summary.iter().flat_map(|summary| &summary.claims);
    let judged: BTreeSet<&str> = judged.map(|claim| claim.id.as_str()).collect();
    for claim in claims.filter(|claim| judged.contains(claim.id.as_str())) {
        let id = &claim.id;
        for shown in &claim.shown_by {
            match shown {
                ShownBy::Chart { title, variants } => {
                    for chart in data.charts.iter_mut().filter(|chart| chart.title == *title) {
                        let (id, variants) = (id.clone(), variants.clone());
                        chart.claims.push(Concerned { id, variants });
                    }
                }
                ShownBy::FlameGraph { variant } => of_flames(&mut data.flames, id, variant, "cpu"),
                ShownBy::Stacks { variant, kind } => of_flames(&mut data.flames, id, variant, kind),
            }
        }
    }
}

fn of_flames(flames: &mut [Flame], id: &str, variant: &str, kind: &str) {
    let shows = |flame: &&mut Flame| flame.variant == variant && flame.kind == kind;
    flames.iter_mut().filter(shows).for_each(|flame| flame.claims.push(id.to_owned()));
}

/// The charts that the lab names, and those that every run should have.
fn specs(run: &Loaded) -> Vec<ChartSpec> {
    let own = run.plan.iter().flat_map(|plan| plan.description.charts.clone());
    let mut specs: Vec<ChartSpec> = own.collect();
    let has = |kind: fn(&ChartSpec) -> bool| specs.iter().any(kind);
    let series = || "response".to_owned();
    let mut usual = Vec::new();
    if !has(|spec| matches!(spec, ChartSpec::Percentiles { .. })) {
        usual.push(ChartSpec::Percentiles {
            title: "Response by percentile".into(),
            series: series(),
        });
    }
    if !has(|spec| matches!(spec, ChartSpec::Ecdf { .. })) {
        usual.push(ChartSpec::Ecdf { title: "Response, cumulative".into(), series: series() });
    }
    specs.splice(0..0, usual);
    // No variant has an empty name: this one takes the trials that no chart asked for.
    specs.push(ChartSpec::HeatMap {
        title: "Response over time".into(),
        series: series(),
        variant: String::new(),
    });
    specs
}

fn wanted(specs: &[ChartSpec]) -> BTreeSet<String> {
    let shown = specs.iter().filter_map(|spec| match spec {
        ChartSpec::Percentiles { series, .. }
        | ChartSpec::Ecdf { series, .. }
        | ChartSpec::HeatMap { series, .. }
        | ChartSpec::Trails { series, .. } => Some(series.clone()),
        ChartSpec::Lines { .. }
        | ChartSpec::Gauge { .. }
        | ChartSpec::Bars { .. }
        | ChartSpec::Stacked { .. }
        | ChartSpec::Rows { .. } => None,
    });
    shown.chain(ALWAYS.map(str::to_owned)).chain([HICCUP.to_owned()]).collect()
}

/// The colours follow the variants; a companion in simulated time shares its variant's.
fn labels(run: &Loaded) -> Vec<Label> {
    let mut variants: Vec<&str> = Vec::new();
    let mut labels = Vec::new();
    for label in run.labels() {
        let variant = variant_of(label);
        let known = variants.iter().position(|known| *known == variant);
        let color = known.unwrap_or_else(|| {
            variants.push(variant);
            variants.len() - 1
        });
        let simulated = variant.len() < label.len();
        labels.push(Label { name: label.to_owned(), color, simulated });
    }
    labels
}

/// What reading every wanted log once gives.
#[derive(Default)]
struct Logs {
    /// By series, then by label: all trials together, and their exact facts.
    merged: BTreeMap<String, BTreeMap<String, (Histogram<u64>, SeriesFacts)>>,
    heats: BTreeMap<String, Vec<TrialHeat>>,
    generators: BTreeMap<String, (Option<u64>, Option<u64>)>,
    problems: Vec<String>,
}

fn read_logs(run: &Loaded, wanted: &BTreeSet<String>) -> Logs {
    let mut logs = Logs::default();
    for trial in run.timed() {
        let mut read = BTreeMap::new();
        for name in wanted {
            match trial.series(name) {
                Some(Ok(log)) => drop(read.insert(name.as_str(), log)),
                Some(Err(error)) => {
                    logs.problems.push(format!("{}: {error:#}", trial.trial.id));
                }
                None => {}
            }
        }
        logs.take(trial, &read);
    }
    logs
}

impl Logs {
    fn take(&mut self, trial: &LoadedTrial, read: &BTreeMap<&str, Log>) {
        let at = |name: &str, quantile| quantile_ns(&read.get(name)?.total(), quantile);
        let generator = (at("lateness", 0.99), at("response", 0.5));
        self.generators.insert(trial.trial.id.clone(), generator);
        for (name, log) in read {
            let exact = trial.metrics.as_ref().and_then(|metrics| metrics.series.get(*name));
            let by_label = self.merged.entry((*name).to_owned()).or_default();
            let (merged, facts) = by_label
                .entry(trial.trial.label.clone())
                .or_insert_with(|| (hlog::histogram(), SeriesFacts::default()));
            merged.add(log.total()).expect("all logs have the same bounds");
            *facts = exact.map_or(*facts, |own| facts.merged(*own));
            if [HICCUP, "lateness"].contains(name) {
                continue;
            }
            let heat = trial_heat(trial, log, read.get(HICCUP), read.get("lateness"));
            self.heats.entry((*name).to_owned()).or_default().extend(heat);
        }
    }

    fn quantiles(&self) -> BTreeMap<String, BTreeMap<String, Quantiles>> {
        let of_labels = |by_label: &BTreeMap<String, (Histogram<u64>, SeriesFacts)>| {
            let each = by_label.iter().filter_map(|(label, (merged, facts))| {
                Some((label.clone(), quantiles(merged, facts)?))
            });
            each.collect::<BTreeMap<_, _>>()
        };
        let all = self.merged.iter().map(|(name, found)| (name.clone(), of_labels(found)));
        all.filter(|(_, found)| !found.is_empty()).collect()
    }

    /// The trails of a series, in the order of the labels.
    fn trails(&self, run: &Loaded, series: &str) -> Vec<Trail> {
        let Some(by_label) = self.merged.get(series) else { return Vec::new() };
        let of_label = |label| by_label.get(label).map(|(merged, facts)| (label, merged, *facts));
        let found = run.labels().into_iter().filter_map(of_label);
        found.filter_map(|(label, merged, facts)| trail(label, merged, facts)).collect()
    }
}

/// Bytes that the page may still take.
struct Left {
    heats: usize,
    rows: usize,
}

/// The charts of one entry of the lab: curves of different units need more than one.
fn charts(
    run: &Loaded,
    spec: &ChartSpec,
    logs: &mut Logs,
    left: &mut Left,
    notes: &mut Vec<String>,
) -> Vec<Chart> {
    let one = |title: &String, kind| vec![chart(title, kind)];
    match spec {
        ChartSpec::Percentiles { title, series } => {
            let theory = theory(run, series);
            one(title, ChartKind::Percentiles { series: series.clone(), theory })
        }
        ChartSpec::Ecdf { title, series } => {
            let theory = theory(run, series);
            one(title, ChartKind::Ecdf { series: series.clone(), theory })
        }
        ChartSpec::HeatMap { title, series, variant } => {
            let trials = take_heats(run, &mut logs.heats, series, variant);
            let trials = affordable(trials, &mut left.heats, notes);
            if trials.is_empty() && variant.is_empty() {
                return Vec::new();
            }
            one(title, ChartKind::Heat { series: series.clone(), trials, profiled: false })
        }
        ChartSpec::Lines { title, curves } => {
            line_charts(run, curves).into_iter().map(|kind| chart(title, kind)).collect()
        }
        ChartSpec::Gauge { title, gauge } => one(title, gauge_chart(run, gauge)),
        ChartSpec::Bars { title, bars } => {
            let found = bars::of_run(run, bars).into_iter();
            found.map(|bars| chart(title, ChartKind::Bars { bars })).collect()
        }
        ChartSpec::Stacked { title, gauges, variant } => {
            let mut stacks = over_time::stacks(run, gauges, variant);
            if stacks.is_empty() {
                stacks.push(Stack::default());
            }
            stacks.into_iter().map(|stack| chart(title, ChartKind::Stacked(stack))).collect()
        }
        ChartSpec::Rows { title, grid, variant } => {
            let trials = over_time::rows(run, grid, variant);
            let trials = affordable(trials, &mut left.rows, notes);
            one(title, ChartKind::Rows { trials })
        }
        ChartSpec::Trails { title, series } => {
            one(title, ChartKind::Trails { trails: logs.trails(run, series) })
        }
    }
}

/// The maps of a variant's trials, or with an empty name those of all that are left.
fn take_heats(
    run: &Loaded,
    heats: &mut BTreeMap<String, Vec<TrialHeat>>,
    series: &str,
    variant: &str,
) -> Vec<TrialHeat> {
    let of_variant = |heat: &TrialHeat| {
        run.timed().any(|trial| trial.trial.id == heat.trial && trial.trial.variant == variant)
    };
    let Some(all) = heats.get_mut(series) else { return Vec::new() };
    all.extract_if(.., |heat| variant.is_empty() || of_variant(heat)).collect()
}

/// What the page shows of one trial.
trait OfTrial: Serialize {
    fn trial(&self) -> &str;
}

impl OfTrial for TrialHeat {
    fn trial(&self) -> &str {
        &self.trial
    }
}

impl OfTrial for Rows {
    fn trial(&self) -> &str {
        &self.trial
    }
}

/// The maps that the budget has room for; the rest is named.
fn affordable<M: OfTrial>(trials: Vec<M>, left: &mut usize, notes: &mut Vec<String>) -> Vec<M> {
    let mut dropped = Vec::new();
    let mut fits = |heat: &M| {
        let bytes = serde_json::to_vec(heat).map_or(usize::MAX, |json| json.len());
        let fits = bytes <= *left;
        if fits {
            *left -= bytes;
        } else {
            dropped.push(heat.trial().to_owned());
        }
        fits
    };
    let kept = trials.into_iter().filter(|heat| fits(heat)).collect();
    if let (Some(first), Some(last)) = (dropped.first(), dropped.last()) {
        notes.push(match dropped.len() {
            1 => format!("Left out for size: the heat map of trial {first}; its log is in the run."),
            count => format!(
                "Left out for size: the heat maps of {count} trials, {first} to {last}; their logs are in the run."
            ),
        });
    }
    kept
}

fn curves(run: &Loaded) -> &[CurveSummary] {
    run.summary.as_ref().map_or(&[], |summary| &summary.curves)
}

/// The theory of a series; see [`Curve`].
fn theory(run: &Loaded, series: &str) -> Vec<Line> {
    let of_series = |curve: &&CurveSummary| {
        curve.kind == CurveKind::Theory
            && curve.name == series
            && curve.x_unit == Curve::QUANTILE
            && curve.y_unit == "ns"
    };
    curves(run).iter().filter(of_series).map(line).collect()
}

/// The curves of these names, a chart for each pair of units.
fn line_charts(run: &Loaded, names: &[String]) -> Vec<ChartKind> {
    let mut by_units: BTreeMap<(&str, &str), Vec<Line>> = BTreeMap::new();
    for curve in curves(run).iter().filter(|curve| names.contains(&curve.name)) {
        by_units.entry((&curve.x_unit, &curve.y_unit)).or_default().push(line(curve));
    }
    if by_units.is_empty() {
        // Its place says that there is none.
        by_units.insert(("", ""), Vec::new());
    }
    let chart = |((x_unit, y_unit), lines): ((&str, &str), Vec<Line>)| ChartKind::Lines {
        x_unit: x_unit.into(),
        y_unit: y_unit.into(),
        lines,
    };
    by_units.into_iter().map(chart).collect()
}

fn line(curve: &CurveSummary) -> Line {
    let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
    let all_finite = curve.points.iter().all(|point| finite(&point));
    Line {
        name: curve.name.clone(),
        label: curve.variant.clone(),
        theory: curve.kind == CurveKind::Theory,
        points: curve.points.iter().filter(finite).copied().collect(),
        intervals: if all_finite { curve.intervals.clone() } else { Vec::new() },
    }
}

/// A gauge of every trial.
fn gauge_chart(run: &Loaded, gauge: &str) -> ChartKind {
    let mut unit = String::new();
    let mut lines: Vec<Line> = Vec::new();
    for trial in run.timed() {
        let found = trial.metrics.as_ref().and_then(|metrics| metrics.gauges.get(gauge));
        let Some(found) = found else { continue };
        unit.clone_from(&found.unit);
        lines.push(Line {
            name: gauge.to_owned(),
            label: trial.trial.label.clone(),
            theory: false,
            points: thinned(&found.points),
            intervals: Vec::new(),
        });
    }
    ChartKind::Lines { x_unit: "s".into(), y_unit: unit, lines }
}

/// At most [`GAUGE_POINTS`]: of each stretch the lowest and the highest, so that no peak is lost.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = (2 * points.len()).div_ceil(GAUGE_POINTS).max(1);
    if stretch <= 2 {
        return points.to_vec();
    }
    let extremes = |part: &[(f64, f64)]| {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let ends = [part.iter().min_by(by_value), part.iter().max_by(by_value)];
        let mut ends: Vec<(f64, f64)> = ends.into_iter().flatten().copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends.dedup();
        ends
    };
    points.chunks(stretch).flat_map(extremes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_gauge_keeps_its_peaks() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        points[7_777].1 = 50.0;
        let thin = thinned(&points);
        assert!(thin.len() <= GAUGE_POINTS, "{}", thin.len());
        assert!(thin.contains(&(7_777.0, 50.0)));
        assert!(thin.windows(2).all(|two| two[0].0 < two[1].0));
        assert_eq!(thinned(&points[..300]), &points[..300]);
    }
}
