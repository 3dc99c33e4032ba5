//! The charts of this lab's report; each claim names the charts that show it.

use lab_kit::Chart;

/// Names of curves and gauges.
pub(crate) const GOODPUT: &str = "goodput by offered load";
pub(crate) const THROUGHPUT: &str = "throughput by offered load";
pub(crate) const THREADS: &str = "threads";

pub(crate) const ALL: &[Chart] =
    &[IN_TIME, ANSWERED, RESPONSE, RESPONSE_SHARE, OVER_TIME, FAIRNESS, CONTROLLER];

pub(crate) const IN_TIME: Chart =
    Chart::Lines { title: "Answered in time, by offered load", curves: &[GOODPUT] };
pub(crate) const ANSWERED: Chart =
    Chart::Lines { title: "Answered at all, by offered load", curves: &[THROUGHPUT] };
const RESPONSE: Chart =
    Chart::Percentiles { title: "Response time at the most load", series: "response" };
pub(crate) const RESPONSE_SHARE: Chart =
    Chart::Ecdf { title: "Response time at the most load, cumulative", series: "response" };
const OVER_TIME: Chart =
    Chart::Gauge { title: "Answered in time, at the most load", gauge: "goodput" };
pub(crate) const FAIRNESS: Chart =
    Chart::Ecdf { title: "What a thousand clients wait", series: "request" };
pub(crate) const CONTROLLER: Chart =
    Chart::Gauge { title: "Threads that the controller starts", gauge: THREADS };
