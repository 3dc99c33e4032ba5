//! The charts of this lab's report; each claim names the charts that show it.

use lab_kit::Chart;

/// Names of grids, gauges and curves.
pub(crate) const QUEUES: &str = "queues";
pub(crate) const LONGEST: &str = "longest queue";
pub(crate) const LENGTHS: &str = "servers by minimum queue length";
pub(crate) const BY_LOAD: &str = "mean response by load";
pub(crate) const BY_SERVERS: &str = "longest queue by servers";
/// The same lines for Brooker's ten servers, and for a hundred: a chart distinguishes the lines of
/// one variant by name.
pub(crate) const OF_TEN: [&str; 4] = ["any", "best of two", "best of three", "least loaded"];
pub(crate) const OF_A_HUNDRED: [&str; 4] =
    ["any of 100", "best of two of 100", "best of three of 100", "least loaded of 100"];
pub(crate) const BY_PROBE: [&str; 3] = ["two are probed", "all are probed", "waits in two queues"];
pub(crate) const BY_POINTS: &str = "hottest server by points on the ring";
pub(crate) const BY_PARTITIONS: &str = "time to recover by partitions";
pub(crate) const BY_REPLICATED: &str = "hottest server by replicated partitions";
pub(crate) const HOTTEST: [&str; 3] = ["2 shards", "5 shards", "10 shards"];
pub(crate) const MOVED: [&str; 3] = ["shards moved", "ring moved", "modulo moved"];
pub(crate) const UNEVEN: [&str; 3] = ["shards hottest", "ring hottest", "modulo hottest"];

pub(crate) const ALL: &[Chart] = &[
    HERD,
    SPREAD,
    AGES_OF_TEN,
    AGES,
    MEANS,
    SHARES,
    RESPONSE,
    OVER_TIME,
    MANY,
    PROBES,
    SLOW,
    PUT_ASIDE,
    RECOVERY,
    REPLICATION,
    ZIPF,
    RING,
    GROWTH,
    EVENNESS,
];

pub(crate) const HERD: Chart = Chart::Rows {
    title: "Queue of each server: all go to the shortest that was seen",
    grid: QUEUES,
    variant: "herd",
};
pub(crate) const SPREAD: Chart = Chart::Rows {
    title: "Queue of each server: the better of two, as seen",
    grid: QUEUES,
    variant: "two-by-old-data",
};
pub(crate) const MEANS: Chart =
    Chart::Lines { title: "Mean response by load, in mean services", curves: &[BY_LOAD] };
pub(crate) const AGES_OF_TEN: Chart = Chart::Lines {
    title: "Mean response by the age of what is known, ten servers as in the post",
    curves: &OF_TEN,
};
pub(crate) const AGES: Chart = Chart::Lines {
    title: "Mean response by the age of what is known, a hundred servers",
    curves: &OF_A_HUNDRED,
};
pub(crate) const SHARES: Chart =
    Chart::Lines { title: "Servers by minimum queue length", curves: &[LENGTHS] };
pub(crate) const RESPONSE: Chart =
    Chart::Percentiles { title: "Response time", series: "response" };
pub(crate) const OVER_TIME: Chart =
    Chart::Gauge { title: "The longest queue over time", gauge: LONGEST };
pub(crate) const MANY: Chart =
    Chart::Lines { title: "The longest queue by servers", curves: &[BY_SERVERS] };
pub(crate) const PROBES: Chart =
    Chart::Lines { title: "p99 by the time between probe and request", curves: &BY_PROBE };
pub(crate) const SLOW: Chart = Chart::Rows {
    title: "Queue of each server, one of which is slow for a while",
    grid: QUEUES,
    variant: "no-probation",
};
pub(crate) const PUT_ASIDE: Chart = Chart::Rows {
    title: "The same, and the slow one is put on probation",
    grid: QUEUES,
    variant: "probation",
};
pub(crate) const RECOVERY: Chart = Chart::Lines {
    title: "Time to recover a server's data, by its partitions",
    curves: &[BY_PARTITIONS],
};
pub(crate) const REPLICATION: Chart = Chart::Lines {
    title: "The hottest server over the mean, by replicated partitions",
    curves: &[BY_REPLICATED],
};
pub(crate) const ZIPF: Chart = Chart::Lines {
    title: "What the hottest shard gets of all requests, cumulative",
    curves: &HOTTEST,
};
pub(crate) const RING: Chart = Chart::Lines {
    title: "The hottest server over the mean, by its points on the ring",
    curves: &[BY_POINTS],
};
pub(crate) const GROWTH: Chart =
    Chart::Lines { title: "Data that moves when hosts are added", curves: &MOVED };
pub(crate) const EVENNESS: Chart =
    Chart::Lines { title: "The hottest host over the mean, as hosts are added", curves: &UNEVEN };
