//! One trial's heat map beside what disturbed the machine, as the script of a page is given it.

use lab_record::hlog::Log;
use serde::Serialize;

use crate::heat::{HeatMap, column_maxima_ns, heat_map};
use crate::load::LoadedTrial;
use crate::samples::Samples;

/// The series in which a live trial records stalls of the machine.
pub(crate) const HICCUP: &str = "hiccup";

/// A trial's heat map and what disturbed the machine meanwhile.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TrialHeat {
    pub(crate) trial: String,
    pub(crate) label: String,
    pub(crate) map: HeatMap,
    /// Start in seconds and the longest stall in ns of each column; empty where none was recorded.
    pub(crate) hiccups: Vec<(f64, u64)>,
    /// The same for how late the generator was.
    pub(crate) lateness: Vec<(f64, u64)>,
    /// What ran when, in a profiled trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) samples: Option<Samples>,
}

/// The heat map of one of a trial's series; `None` where it has no interval.
pub(crate) fn trial_heat(
    trial: &LoadedTrial,
    log: &Log,
    hiccups: Option<&Log>,
    lateness: Option<&Log>,
) -> Option<TrialHeat> {
    let maxima = |log: Option<&Log>| log.map(column_maxima_ns).unwrap_or_default();
    Some(TrialHeat {
        trial: trial.trial.id.clone(),
        label: trial.trial.label.clone(),
        map: heat_map(log)?,
        hiccups: maxima(hiccups),
        lateness: maxima(lateness),
        samples: None,
    })
}
