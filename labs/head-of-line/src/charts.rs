//! What a report draws of this lab; claims say which of these shows them.

use lab_kit::Chart;

/// Names of curves.
pub(crate) const BY_DEPTH: &str = "interactive p99 by depth";
pub(crate) const P99_BY_HITS: &str = "p99 by hit ratio";
pub(crate) const MEAN_BY_HITS: &str = "mean by hit ratio";

pub(crate) const ALL: &[Chart] =
    &[SMALL, LARGE, DEPTHS, INTERACTIVE, PRIMARIES, REQUESTS, QUERIES, HITS];

pub(crate) const SMALL: Chart = Chart::Percentiles { title: "Small requests", series: "small" };
pub(crate) const LARGE: Chart = Chart::Percentiles { title: "Large requests", series: "large" };
pub(crate) const DEPTHS: Chart = Chart::Lines {
    title: "Interactive p99 by the depth of the device's queue",
    curves: &[BY_DEPTH],
};
pub(crate) const INTERACTIVE: Chart =
    Chart::Percentiles { title: "Interactive requests", series: "interactive" };
pub(crate) const PRIMARIES: Chart = Chart::Percentiles { title: "First copies", series: "primary" };
pub(crate) const REQUESTS: Chart =
    Chart::Percentiles { title: "Requests that may be sent twice", series: "request" };
pub(crate) const QUERIES: Chart =
    Chart::Percentiles { title: "Queries to 2,000 leaves", series: "query" };
pub(crate) const HITS: Chart = Chart::Lines {
    title: "A lookup by the cache's hit ratio",
    curves: &[P99_BY_HITS, MEAN_BY_HITS],
};
