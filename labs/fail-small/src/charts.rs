//! What a report draws of this lab; claims say which of these shows them.

use lab_kit::Chart;

/// Names of gauges, grids and curves.
pub(crate) const AFTER_PUSH: &str = "error rate after a push";
pub(crate) const IN_UPGRADE: &str = "error rate in an upgrade";
pub(crate) const IN_ROLLOUT: &str = "error rate in a rollout";
pub(crate) const BY_GROUP: &str = "error rate by group";
pub(crate) const BAD_FILES: &str = "bad files by upgraded databases";
pub(crate) const BY_ERRORS: &str = "response by error rate";

pub(crate) const ALL: &[Chart] =
    &[ROLLOUT, GROUPS, STAGED_GROUPS, PUSH, UPGRADE, FILES, RESPONSE, QUEUE];

pub(crate) const ROLLOUT: Chart =
    Chart::Gauge { title: "Requests of the fleet that fail, in a rollout", gauge: IN_ROLLOUT };
pub(crate) const GROUPS: Chart = Chart::Rows {
    title: "Where they fail: in stages, and nothing stops it",
    grid: BY_GROUP,
    variant: "blind",
};
pub(crate) const STAGED_GROUPS: Chart = Chart::Rows {
    title: "Where they fail: in stages with a gate",
    grid: BY_GROUP,
    variant: "staged",
};
pub(crate) const PUSH: Chart =
    Chart::Gauge { title: "Requests that fail when a bad file comes", gauge: AFTER_PUSH };
pub(crate) const UPGRADE: Chart =
    Chart::Gauge { title: "Requests that fail while databases are upgraded", gauge: IN_UPGRADE };
pub(crate) const FILES: Chart =
    Chart::Lines { title: "Bad files by the share of upgraded databases", curves: &[BAD_FILES] };
pub(crate) const RESPONSE: Chart =
    Chart::Percentiles { title: "Requests that do not fail", series: "response" };
pub(crate) const QUEUE: Chart = Chart::Lines {
    title: "Mean response of requests that do not fail, by the share that does",
    curves: &[BY_ERRORS],
};
