//! What a report draws of this lab; claims say which of these shows them.

use lab_kit::Chart;

use crate::closed::{BUSY, OF_BOUND, THROUGHPUT};
use crate::scaling::DONE;
use crate::staircase::{LITTLE, MEAN, P99, SPREAD, THERE};

pub(crate) const ALL: &[Chart] = &[
    HOCKEY_STICK,
    TAIL,
    NUMBER_THERE,
    WAIT_AND_WORK,
    CLIENTS,
    SHARE_OF_BOUND,
    IN_FLIGHT,
    SCALING,
    OVER_TIME,
];

pub(crate) const HOCKEY_STICK: Chart =
    Chart::Lines { title: "The hockey stick: mean response by utilisation", curves: &[MEAN] };
pub(crate) const TAIL: Chart =
    Chart::Lines { title: "Its tail: p99 by utilisation", curves: &[P99] };
pub(crate) const NUMBER_THERE: Chart =
    Chart::Lines { title: "Little's law: requests there", curves: &[THERE, LITTLE] };
pub(crate) const WAIT_AND_WORK: Chart =
    Chart::Lines { title: "What varies: waiting against work", curves: &[SPREAD] };
pub(crate) const CLIENTS: Chart =
    Chart::Lines { title: "Throughput by clients who wait", curves: &[THROUGHPUT] };
pub(crate) const SHARE_OF_BOUND: Chart =
    Chart::Lines { title: "Throughput over its bound", curves: &[OF_BOUND] };
pub(crate) const IN_FLIGHT: Chart =
    Chart::Lines { title: "Time with something in flight, as iostat counts", curves: &[BUSY] };
pub(crate) const SCALING: Chart =
    Chart::Lines { title: "More workers, and the law fitted to them", curves: &[DONE] };
pub(crate) const OVER_TIME: Chart = Chart::HeatMap {
    title: "Eight steps of load, over time",
    series: "response",
    variant: "one-server",
};
