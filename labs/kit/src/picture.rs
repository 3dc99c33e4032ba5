//! The pictures that a lab names, and which of them shows what.

use lab_record::Picture as PictureSpec;

/// A picture that a report draws; see [`lab_record::Picture`].
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in lab_record::Picture")]
pub enum Picture {
    Percentiles { title: &'static str, series: &'static str },
    Ecdf { title: &'static str, series: &'static str },
    HeatMap { title: &'static str, series: &'static str, variant: &'static str },
    Lines { title: &'static str, curves: &'static [&'static str] },
    Gauge { title: &'static str, gauge: &'static str },
}

impl Picture {
    pub(crate) fn spec(&self) -> PictureSpec {
        match *self {
            Self::Percentiles { title, series } => {
                PictureSpec::Percentiles { title: title.into(), series: series.into() }
            }
            Self::Ecdf { title, series } => {
                PictureSpec::Ecdf { title: title.into(), series: series.into() }
            }
            Self::HeatMap { title, series, variant } => PictureSpec::HeatMap {
                title: title.into(),
                series: series.into(),
                variant: variant.into(),
            },
            Self::Lines { title, curves } => PictureSpec::Lines {
                title: title.into(),
                curves: curves.iter().map(|curve| (*curve).to_owned()).collect(),
            },
            Self::Gauge { title, gauge } => {
                PictureSpec::Gauge { title: title.into(), gauge: gauge.into() }
            }
        }
    }
}

/// A picture that shows a claim.
#[derive(Debug, Clone, Copy)]
pub enum ShownBy {
    /// One of the lab's pictures, and the variants to look at in it.
    Picture(&'static Picture, &'static [&'static str]),
    /// The CPU flame graph of a profiled variant.
    FlameGraph(&'static str),
    /// The flame graph of stacks that this variant keeps, by the name of their file; of a pair of
    /// `before` and `after` it is `differential`.
    Stacks(&'static str, &'static str),
}
