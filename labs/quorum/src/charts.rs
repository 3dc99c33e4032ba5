//! The charts of this lab's report; each claim names the charts that show it.

use lab_kit::Chart;

pub(crate) const ALL: &[Chart] = &[TAIL, OPERATION, CALLS, READS];

pub(crate) const TAIL: Chart =
    Chart::Percentiles { title: "An operation on three replicas", series: "operation" };
pub(crate) const OPERATION: Chart =
    Chart::Ecdf { title: "An operation on three replicas, cumulative", series: "operation" };
pub(crate) const CALLS: Chart =
    Chart::Ecdf { title: "Ten services: at once, or one after another", series: "call" };
pub(crate) const READS: Chart = Chart::Ecdf { title: "A block, read or rebuilt", series: "read" };
