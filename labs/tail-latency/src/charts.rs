//! The charts of this lab's report; each claim names the charts that show it.

use lab_kit::Chart;

use crate::studies::{DUPLICATES_BY_DELAY, EXTRA_BY_DELAY, SLOW_BY_CORRELATION, TAIL_BY_DELAY};

pub(crate) const ALL: &[Chart] = &[
    RESPONSE,
    RESPONSE_SHARE,
    ROOT,
    ROOT_95,
    LEAF,
    SPREAD,
    SYNCHRONIZED,
    HEDGING_COSTS,
    HEDGING_BUYS,
    BOTH_START,
    SHARED_SLOWNESS,
];

const RESPONSE: Chart = Chart::Percentiles { title: "Response by percentile", series: "response" };
pub(crate) const RESPONSE_SHARE: Chart =
    Chart::Ecdf { title: "Response, cumulative", series: "response" };
pub(crate) const ROOT: Chart =
    Chart::Percentiles { title: "Until all leaves have answered", series: "root" };
pub(crate) const ROOT_95: Chart =
    Chart::Percentiles { title: "Until 95 % of the leaves have answered", series: "root-95" };
pub(crate) const LEAF: Chart =
    Chart::Percentiles { title: "One leaf's response by percentile", series: "leaf-response" };
pub(crate) const SPREAD: Chart = Chart::HeatMap {
    title: "Background spread: some leaf is always busy",
    series: "response",
    variant: "background-spread",
};
pub(crate) const SYNCHRONIZED: Chart = Chart::HeatMap {
    title: "Background at one moment: all suffer once",
    series: "response",
    variant: "background-synchronized",
};
pub(crate) const HEDGING_COSTS: Chart =
    Chart::Lines { title: "What hedging costs", curves: &[EXTRA_BY_DELAY] };
pub(crate) const HEDGING_BUYS: Chart =
    Chart::Lines { title: "What hedging buys", curves: &[TAIL_BY_DELAY] };
pub(crate) const BOTH_START: Chart =
    Chart::Lines { title: "Both copies start", curves: &[DUPLICATES_BY_DELAY] };
pub(crate) const SHARED_SLOWNESS: Chart =
    Chart::Lines { title: "Shared slowness", curves: &[SLOW_BY_CORRELATION] };
