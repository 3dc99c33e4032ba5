//! The charts that a lab names, and the chart that shows a claim.

use lab_record::{Bar as BarSpec, ChartSpec};

/// A chart that a report draws; see [`ChartSpec`].
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in ChartSpec")]
pub enum Chart {
    Percentiles { title: &'static str, series: &'static str },
    Ecdf { title: &'static str, series: &'static str },
    HeatMap { title: &'static str, series: &'static str, variant: &'static str },
    Lines { title: &'static str, curves: &'static [&'static str] },
    Gauge { title: &'static str, gauge: &'static str },
    Bars { title: &'static str, bars: &'static [Bar] },
    Stacked { title: &'static str, gauges: &'static [&'static str], variant: &'static str },
    Rows { title: &'static str, grid: &'static str, variant: &'static str },
    Trails { title: &'static str, series: &'static str },
}

/// A metric as a bar; see [`lab_record::Bar`].
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in lab_record::Bar")]
pub struct Bar {
    pub name: &'static str,
    pub metric: &'static str,
    pub source: Option<f64>,
}

impl Chart {
    pub(crate) fn spec(&self) -> ChartSpec {
        match *self {
            Self::Percentiles { title, series } => {
                ChartSpec::Percentiles { title: title.into(), series: series.into() }
            }
            Self::Ecdf { title, series } => {
                ChartSpec::Ecdf { title: title.into(), series: series.into() }
            }
            Self::HeatMap { title, series, variant } => ChartSpec::HeatMap {
                title: title.into(),
                series: series.into(),
                variant: variant.into(),
            },
            Self::Lines { title, curves } => ChartSpec::Lines {
                title: title.into(),
                curves: curves.iter().map(|curve| (*curve).to_owned()).collect(),
            },
            Self::Gauge { title, gauge } => {
                ChartSpec::Gauge { title: title.into(), gauge: gauge.into() }
            }
            Self::Bars { title, bars } => {
                ChartSpec::Bars { title: title.into(), bars: bars.iter().map(Bar::spec).collect() }
            }
            Self::Stacked { title, gauges, variant } => ChartSpec::Stacked {
                title: title.into(),
                gauges: gauges.iter().map(|gauge| (*gauge).to_owned()).collect(),
                variant: variant.into(),
            },
            Self::Rows { title, grid, variant } => {
                ChartSpec::Rows { title: title.into(), grid: grid.into(), variant: variant.into() }
            }
            Self::Trails { title, series } => {
                ChartSpec::Trails { title: title.into(), series: series.into() }
            }
        }
    }
}

impl Bar {
    fn spec(&self) -> BarSpec {
        BarSpec { name: self.name.into(), metric: self.metric.into(), source: self.source }
    }
}

/// A chart that shows a claim.
#[derive(Debug, Clone, Copy)]
pub enum ShownBy {
    /// One of the lab's charts, and the variants to look at in it.
    Chart(&'static Chart, &'static [&'static str]),
    /// The CPU flame graph of a profiled variant.
    FlameGraph(&'static str),
    /// The flame graph of stacks that this variant keeps, by file name; `differential` for a pair
    /// `before` and `after`.
    Stacks(&'static str, &'static str),
}
