//! What a report draws of this lab; claims say which of these shows them.

use lab_kit::Chart;

/// Names of curves.
pub(crate) const WAITING: &str = "waiting for a CPU";
pub(crate) const WAITING_THEORY: &str = "1 - CPUs / spinners";

pub(crate) const ALL: &[Chart] = &[WAITS, WAITS_TAIL, WAKE_TO_RUN, WAITING_SHARE, GAPS];

pub(crate) const WAITS: Chart =
    Chart::Ecdf { title: "Each wait in a run queue, cumulative", series: "run-queue" };
const WAITS_TAIL: Chart =
    Chart::Percentiles { title: "Each wait in a run queue", series: "run-queue" };
pub(crate) const WAKE_TO_RUN: Chart = Chart::Percentiles {
    title: "From the end of a sleep to running, by the sleeper's own clock",
    series: "wake-to-run",
};
pub(crate) const WAITING_SHARE: Chart = Chart::Lines {
    title: "Share of its time that each spinner waits",
    curves: &[WAITING, WAITING_THEORY],
};
pub(crate) const GAPS: Chart =
    Chart::Ecdf { title: "How long a quota keeps a thread from running", series: "gap" };
