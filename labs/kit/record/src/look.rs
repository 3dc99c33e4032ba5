//! A look at the machine: utilisation, saturation and errors of each resource over a span of time,
//! and what stands out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::Schema;
use crate::table::Table;

/// `look.json`, and without tables a part of `environment.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// How long it looked, in seconds.
    pub seconds: f64,
    /// What a person would look at first, the worst on top; empty where nothing stands out.
    pub stands_out: Vec<StandsOut>,
    /// CPU, memory, disk and network, in this order.
    pub resources: Vec<Resource>,
    /// The process that was asked for, and the ten commands of the first minute, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
    /// Commands whose figures this machine does not report, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unavailable: BTreeMap<String, String>,
    /// CPU time of looking, as a share of one CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_cpu_ratio: Option<f64>,
}

/// A sentence, and the command that looks closer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandsOut {
    /// What was seen.
    pub says: String,
    /// What to type next.
    pub closer: String,
}

/// A resource by the USE method (Gregg): utilisation, saturation, errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// `CPU`, `memory`, `disk`, `network`.
    pub name: String,
    /// How busy it was.
    pub utilisation: Vec<Figure>,
    /// Work that waited for it.
    pub saturation: Vec<Figure>,
    /// What went wrong.
    pub errors: Vec<Figure>,
}

/// A figure of a resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it counts: `busy`, `resent`.
    pub what: String,
    /// The name of the busiest CPU, disk or interface, whose figure this is; empty for a figure of
    /// all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// Over the whole span; `None` if this machine does not report it.
    pub value: Option<f64>,
    /// In the worst second, for the CPU, disk or interface that was busiest then; `None` if the
    /// span was not split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<f64>,
    /// `%`, `/s`, `MB/s`; empty for counts.
    pub unit: String,
    /// The value from which on it stands out; `None` if the figure alone says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Figure {
    /// Whether it stands out.
    pub fn lit(&self) -> bool {
        self.beyond(self.value)
    }

    /// Whether it stands out in its worst second alone.
    pub fn lit_for_a_moment(&self) -> bool {
        !self.lit() && self.beyond(self.worst)
    }

    fn beyond(&self, value: Option<f64>) -> bool {
        value.zip(self.limit).is_some_and(|(value, limit)| value >= limit)
    }
}

impl Resource {
    /// Its three cells, in order.
    pub fn cells(&self) -> [&Vec<Figure>; 3] {
        [&self.utilisation, &self.saturation, &self.errors]
    }

    /// Its figures, cell by cell.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.cells().into_iter().flatten()
    }

    /// Its figures, mutable.
    pub fn figures_mut(&mut self) -> impl Iterator<Item = &mut Figure> {
        self.utilisation.iter_mut().chain(&mut self.saturation).chain(&mut self.errors)
    }
}

impl Schema for Look {
    const NAME: &'static str = "perf-lab.look";
}
