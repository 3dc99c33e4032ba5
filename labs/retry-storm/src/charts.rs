//! The charts of this lab's report; each claim names the charts that show it.

use lab_kit::Chart;

/// Names of gauges and curves.
pub(crate) const IN_SERVER: &str = "in the server";
pub(crate) const HIDDEN: &str = "load that is survived, by retries";
pub(crate) const LOAD: &str = "attempts by failure rate";
pub(crate) const LOST: &str = "calls lost by failure rate";
pub(crate) const BY_CLIENTS: [&str; 2] = ["breaker by clients", "bucket by clients"];

pub(crate) const ALL: &[Chart] =
    &[GOODPUT, THROUGHPUT, ATTEMPTS, OFFERED, QUEUE, RESPONSE, REGIONS, AMPLIFIED, RESIDUAL, CROWD];

pub(crate) const GOODPUT: Chart = Chart::Gauge { title: "Answered in time", gauge: "goodput" };
pub(crate) const THROUGHPUT: Chart = Chart::Gauge { title: "Answered at all", gauge: "throughput" };
pub(crate) const ATTEMPTS: Chart =
    Chart::Gauge { title: "Attempts, with retries", gauge: "attempts" };
const OFFERED: Chart = Chart::Gauge { title: "Requests, without retries", gauge: "offered" };
pub(crate) const QUEUE: Chart = Chart::Gauge { title: "Requests in the server", gauge: IN_SERVER };
const RESPONSE: Chart = Chart::Ecdf { title: "Response time, cumulative", series: "response" };
pub(crate) const REGIONS: Chart =
    Chart::Lines { title: "The load that a server survives, by retries", curves: &[HIDDEN] };
pub(crate) const AMPLIFIED: Chart =
    Chart::Lines { title: "What a failing service is asked for each call", curves: &[LOAD] };
pub(crate) const RESIDUAL: Chart =
    Chart::Lines { title: "Calls that fail in the end", curves: &[LOST] };
pub(crate) const CROWD: Chart = Chart::Lines {
    title: "The same calls from more clients",
    curves: &[BY_CLIENTS[0], BY_CLIENTS[1]],
};
