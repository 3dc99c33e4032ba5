//! What a report draws of this lab; claims say which of these shows them.

use lab_kit::Picture;

use crate::studies::{DUPLICATES_BY_DELAY, EXTRA_BY_DELAY, SLOW_BY_CORRELATION, TAIL_BY_DELAY};

pub const ALL: &[Picture] = &[
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

const RESPONSE: Picture =
    Picture::Percentiles { title: "Response by percentile", series: "response" };
pub const RESPONSE_SHARE: Picture =
    Picture::Ecdf { title: "Response, cumulative", series: "response" };
pub const ROOT: Picture =
    Picture::Percentiles { title: "Until all leaves have answered", series: "root" };
pub const ROOT_95: Picture =
    Picture::Percentiles { title: "Until 95 % of the leaves have answered", series: "root-95" };
pub const LEAF: Picture =
    Picture::Percentiles { title: "One leaf's response by percentile", series: "leaf-response" };
pub const SPREAD: Picture = Picture::HeatMap {
    title: "Background spread: some leaf is always busy",
    series: "response",
    variant: "background-spread",
};
pub const SYNCHRONIZED: Picture = Picture::HeatMap {
    title: "Background at one moment: all suffer once",
    series: "response",
    variant: "background-synchronized",
};
pub const HEDGING_COSTS: Picture =
    Picture::Lines { title: "What hedging costs", curves: &[EXTRA_BY_DELAY] };
pub const HEDGING_BUYS: Picture =
    Picture::Lines { title: "What hedging buys", curves: &[TAIL_BY_DELAY] };
pub const BOTH_START: Picture =
    Picture::Lines { title: "Both copies start", curves: &[DUPLICATES_BY_DELAY] };
pub const SHARED_SLOWNESS: Picture =
    Picture::Lines { title: "Shared slowness", curves: &[SLOW_BY_CORRELATION] };
