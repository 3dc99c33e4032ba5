//! What a report draws of this lab; claims say which of these shows them.

use lab_kit::Chart;

pub(crate) const ALL: &[Chart] = &[
    REPORTED,
    FROM_SEND,
    OPEN_LOOP,
    CLOSED_LOOP,
    BY_MOMENT,
    LATENESS,
    CORRECTED,
    UNCORRECTED,
    WORLDS,
    WORLDS_SHARE,
    BIMODAL,
    QUEUE,
];

pub(crate) const REPORTED: Chart =
    Chart::Percentiles { title: "One stall, as each tool reports it", series: "response" };
const FROM_SEND: Chart =
    Chart::Percentiles { title: "The same, counted from the send", series: "service" };
pub(crate) const OPEN_LOOP: Chart = Chart::HeatMap {
    title: "The stall, as the open loop sees it",
    series: "response",
    variant: "open-loop",
};
const CLOSED_LOOP: Chart = Chart::HeatMap {
    title: "The stall, as the closed loop sees it",
    series: "response",
    variant: "closed-loop",
};
pub(crate) const BY_MOMENT: Chart = Chart::Lines {
    title: "p99 by the moment of the stall",
    curves: &["p99 of the open loop", "p99 by the closed form", "p99 of the closed loop"],
};
pub(crate) const LATENESS: Chart =
    Chart::Percentiles { title: "How late the generator sends", series: "lateness" };
pub(crate) const CORRECTED: Chart = Chart::Percentiles {
    title: "The sources' experiments, counted from the schedule",
    series: "corrected",
};
pub(crate) const UNCORRECTED: Chart = Chart::Percentiles {
    title: "The sources' experiments, counted from the send",
    series: "uncorrected",
};
pub(crate) const WORLDS: Chart = Chart::Percentiles {
    title: "Open and closed worlds, 80 % busy",
    series: "exponential-response",
};
const WORLDS_SHARE: Chart = Chart::Ecdf {
    title: "Open and closed worlds, 80 % busy, cumulative",
    series: "exponential-response",
};
pub(crate) const BIMODAL: Chart =
    Chart::Percentiles { title: "One request in 1,000 slow", series: "bimodal-response" };
const QUEUE: Chart = Chart::Gauge { title: "Requests at the server", gauge: "queue" };
