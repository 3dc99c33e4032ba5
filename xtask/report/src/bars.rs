//! Metrics side by side, as a table with a bar in each row: it is its own table of figures, and needs
//! no script.

use lab_record::{Bar, Metric, Summary};
use lab_stats::wilson;
use lab_text::quantity::quantity;
use maud::{Markup, html};

use crate::load::Loaded;
use crate::spoken::{figure, spoken};

/// The bar's size in its own units.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 14.0;
/// Colours of the palette, as the script has them.
const COLORS: usize = 7;
/// Values further apart than this are drawn on a logarithmic axis.
const FAR_APART: f64 = 30.0;

/// Bars of one unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bars {
    unit: String,
    groups: Vec<Group>,
}

/// One metric: its bars, by label, and what the source says.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    name: String,
    source: Option<f64>,
    bars: Vec<Measured>,
}

#[derive(Debug, Clone, PartialEq)]
struct Measured {
    label: String,
    value: f64,
    /// The 95 % interval of a share, else from the lowest to the highest trial, if any two differ.
    interval: Option<(f64, f64)>,
}

/// The bars of a chart, a chart for each unit; those that the run lacks are left out.
pub(crate) fn of_run(run: &Loaded, bars: &[Bar]) -> Vec<Bars> {
    let mut found: Vec<Bars> = Vec::new();
    for bar in bars {
        let (unit, measured) = measured(run, &bar.metric);
        if measured.is_empty() {
            continue;
        }
        let group = Group { name: bar.name.clone(), source: bar.source, bars: measured };
        match found.iter_mut().find(|of| of.unit == unit) {
            Some(of) => of.groups.push(group),
            None => found.push(Bars { unit, groups: vec![group] }),
        }
    }
    if found.is_empty() {
        // Its place says that there is none.
        found.push(Bars { unit: String::new(), groups: Vec::new() });
    }
    found
}

/// The unit of a metric, and its value under each label, as the summary has it.
fn measured(run: &Loaded, name: &str) -> (String, Vec<Measured>) {
    let mut unit = String::new();
    let value = |summary: &Summary, label: &str| summary.metrics.get(label)?.get(name).copied();
    let mut found = Vec::new();
    for label in run.labels() {
        let trials = run.timed().filter(|trial| trial.trial.label == label);
        let metrics = trials.filter_map(|trial| trial.metrics.as_ref()?.metrics.get(name));
        let metrics: Vec<&Metric> = metrics.collect();
        let value = run.summary.as_ref().and_then(|summary| value(summary, label));
        let (Some(first), Some(value)) = (metrics.first(), value) else { continue };
        unit.clone_from(&first.unit);
        found.push(Measured { label: label.to_owned(), value, interval: interval(&metrics) });
    }
    (unit, found)
}

fn interval(metrics: &[&Metric]) -> Option<(f64, f64)> {
    let counts: Option<Vec<(u64, u64)>> = metrics.iter().map(|metric| metric.of).collect();
    if let Some(counts) = counts {
        let sum = counts.iter().fold((0, 0), |sum, (hits, of)| (sum.0 + hits, sum.1 + of));
        return Some(wilson(sum.0, sum.1));
    }
    let values = metrics.iter().map(|metric| (metric.value, metric.value));
    let reach = values.reduce(|(low, high), (value, _)| (low.min(value), high.max(value)));
    reach.filter(|(low, high)| low < high)
}

impl Bars {
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let of_group = |group: &Group| {
            let bars = group.bars.iter().flat_map(|bar| {
                let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
                [low, bar.value, high]
            });
            bars.chain(group.source).collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of_group)
    }
}

/// Where values stand between the left and the right end of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// Whole decades where the values lie far apart, else from zero to the highest.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        if low > 0.0 && high / low > FAR_APART {
            // A bar of the lowest value is still seen.
            let decade = |value: f64| value.log10();
            let from = 10f64.powf((decade(low) - 0.1).floor());
            return Self { low: from, high: 10f64.powf(decade(high).ceil()), log: true };
        }
        let (low, high) = (low.min(0.0), high.max(0.0));
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, log: false }
    }

    fn x(self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        WIDTH * share.clamp(0.0, 1.0)
    }

    /// Values with a line: each decade, or the ends and zero.
    fn ticks(self) -> Vec<f64> {
        if !self.log {
            let mut ticks = vec![self.low, 0.0, self.high];
            ticks.dedup();
            return ticks;
        }
        let decades = (self.high / self.low).log10().round() as i32;
        (0..=decades).map(|decade| self.low * 10f64.powi(decade)).collect()
    }
}

/// The bars as a table.
pub(crate) fn table(title: &str, bars: &Bars, color: impl Fn(&str) -> usize) -> Markup {
    let axis = Axis::of(bars.values().collect::<Vec<_>>().into_iter());
    let from_source = bars.groups.iter().any(|group| group.source.is_some());
    let many = bars.groups.iter().any(|group| group.bars.len() > 1);
    let spread = bars.groups.iter().flat_map(|group| &group.bars).any(|bar| bar.interval.is_some());
    html! {
        div.wide tabindex="0" role="region" aria-label=(title) { table.figures.bars {
            thead { tr {
                th scope="col" { (if axis.log { "logarithmic" } else { "" }) }
                @if many { th scope="col" { "variant" } }
                th scope="col" { (scale(axis, &bars.unit)) }
                th.number scope="col" { "measured" }
                @if from_source { th.number scope="col" { "source says" } }
            } }
            @for group in &bars.groups { tbody { @for (i, bar) in group.bars.iter().enumerate() {
                tr.bar data-label=(bar.label) data-name=(group.name) {
                    @if i == 0 { th scope="rowgroup" rowspan=(group.bars.len()) { (group.name) } }
                    @if many { td { (spoken(&bar.label)) } }
                    td { (drawn(axis, bar, group.source, color(&bar.label))) }
                    td.number { (figure("measured", Some(bar.value), &bars.unit)) }
                    @if from_source { td.number { (figure("source", group.source, &bars.unit)) } }
                }
            } } }
        } }
        @if from_source || spread {
            p.key {
                @if from_source { "◇ is what the source says. " }
                @if spread { "A thin line is the 95 % interval of a share, else it goes from the lowest trial to the highest." }
            }
        }
    }
}

/// The axis, as the head of the column: lines at its ticks, and the ends in words.
fn scale(axis: Axis, unit: &str) -> Markup {
    let (first, last) = (quantity(axis.low, unit), quantity(axis.high, unit));
    html! { span.scale { span { (first) } span { (last) } } }
}

fn drawn(axis: Axis, bar: &Measured, source: Option<f64>, color: usize) -> Markup {
    let zero = axis.x(0.0);
    let (from, to) = (zero.min(axis.x(bar.value)), zero.max(axis.x(bar.value)));
    let middle = HEIGHT / 2.0;
    html! {
        svg.logbar viewBox=(format!("-5 0 {} {HEIGHT}", WIDTH + 10.0)) aria-hidden="true" {
            @for tick in axis.ticks() {
                line.axis x1=(axis.x(tick)) x2=(axis.x(tick)) y1="0" y2=(HEIGHT) {}
            }
            rect class=(format!("c{}", color % COLORS)) x=(from) y="2" width=((to - from).max(1.0)) height=(HEIGHT - 4.0) {}
            @if let Some((low, high)) = bar.interval {
                line.whisker x1=(axis.x(low)) x2=(axis.x(high)) y1=(middle) y2=(middle) {}
            }
            @if let Some(source) = source {
                @let x = axis.x(source);
                path.source d=(format!("M{} {middle}L{x} 2L{} {middle}L{x} {}Z", x - 4.0, x + 4.0, HEIGHT - 2.0)) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_logarithmic_where_values_lie_far_apart_and_begins_at_zero_where_they_do_not() {
        let far = Axis::of([3.0, 40.0, 25_000.0].into_iter());
        assert_eq!(far, Axis { low: 1.0, high: 100_000.0, log: true });
        assert!((far.x(10.0) - WIDTH / 5.0).abs() < 1e-9 && far.ticks().len() == 6);
        let near = Axis::of([2.0, 8.0].into_iter());
        assert_eq!(near, Axis { low: 0.0, high: 8.0, log: false });
        assert_eq!(near.x(2.0), WIDTH / 4.0);
        let of_zero = Axis::of([0.0].into_iter());
        assert!(of_zero.x(0.0).is_finite(), "{of_zero:?}");
    }

    #[test]
    fn the_lowest_bar_of_a_logarithmic_axis_is_seen() {
        let axis = Axis::of([1.0, 1_000.0].into_iter());
        assert!(axis.x(1.0) > 0.1 * WIDTH, "{axis:?}");
    }

    #[test]
    fn a_share_has_its_interval_and_other_metrics_the_reach_of_their_trials() {
        let metric = |value, of| Metric { value, unit: "ratio".into(), of };
        let (low, high) = interval(&[&metric(0.1, Some((10, 100)))]).unwrap();
        assert!(low > 0.05 && low < 0.1 && high > 0.1 && high < 0.18, "{low} {high}");
        let trials = [metric(3.0, None), metric(1.0, None), metric(2.0, None)];
        assert_eq!(interval(&trials.each_ref()), Some((1.0, 3.0)));
        assert_eq!(interval(&[&trials[0]]), None);
    }
}
