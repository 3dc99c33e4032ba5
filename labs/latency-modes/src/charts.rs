//! The charts of this lab's report; each claim names the charts that show it.

use lab_kit::{Bar, Chart};

use crate::maps::{CUT, LATENCY, WHOLE};
use crate::outages::OUTAGE;
use crate::sample::VALUE;
use crate::stalls::{MEANS, OFFSETS, RESPONSE, SLOWEST};
use crate::threads::{BUSIER, MEAN, UTILISATION};

pub(crate) const ALL: &[Chart] = &[
    TRAILS,
    STEP,
    MVALUE,
    WHOLE_MAP,
    CUT_MAP,
    BY_LOGARITHM,
    BYTES,
    STALLS,
    BY_OFFSET,
    BY_SECOND,
    THREADS,
    OF_THREADS,
    MET,
];

pub(crate) const TRAILS: Chart = Chart::Trails { title: "Frequency trails", series: VALUE };
pub(crate) const STEP: Chart = Chart::Ecdf { title: "Samples, cumulative", series: VALUE };
pub(crate) const MVALUE: Chart = Chart::Bars {
    title: "How often the density rises and falls",
    bars: &[Bar { name: "mvalue", metric: "mvalue", source: None }],
};
pub(crate) const WHOLE_MAP: Chart =
    Chart::Rows { title: "A heat map with its outliers", grid: WHOLE, variant: "map" };
pub(crate) const CUT_MAP: Chart =
    Chart::Rows { title: "The same up to 2 ms", grid: CUT, variant: "map" };
pub(crate) const BY_LOGARITHM: Chart = Chart::HeatMap {
    title: "The same, with rows and shades by logarithm",
    series: LATENCY,
    variant: "map",
};
pub(crate) const BYTES: Chart = Chart::Bars {
    title: "A second of 100,000 events in bytes",
    bars: &[
        Bar { name: "events", metric: "events", source: None },
        Bar { name: "200 ranges", metric: "ranges", source: None },
        Bar { name: "interval log", metric: "log", source: None },
    ],
};
pub(crate) const STALLS: Chart =
    Chart::HeatMap { title: "A stall in each second", series: RESPONSE, variant: "stalls" };
pub(crate) const BY_OFFSET: Chart = Chart::Rows {
    title: "The slowest response by second and offset within it",
    grid: OFFSETS,
    variant: "stalls",
};
pub(crate) const BY_SECOND: Chart =
    Chart::Lines { title: "Responses of each second", curves: &[MEANS, SLOWEST] };
pub(crate) const THREADS: Chart =
    Chart::Rows { title: "Threads by utilisation", grid: UTILISATION, variant: "threads" };
pub(crate) const OF_THREADS: Chart =
    Chart::Lines { title: "Utilisation of two threads", curves: &[MEAN, BUSIER] };
pub(crate) const MET: Chart = Chart::Ecdf { title: "Outages, counted and met", series: OUTAGE };
