//! What counts as slower: the gated metrics, their floors and margins, the looks.

use serde::{Deserialize, Serialize};

use crate::limit::SideLimit;
use crate::looks::{Looks, LooksError, Tests};
use crate::metric::{GATES, GUARDS, Metric};

/// Everything that a user may choose about judging. The figures in the documentation were measured
/// with [`Method::default`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The metrics that decide.
    pub gates: Vec<Gate>,
    /// The metrics that only warn of a burst.
    pub guards: Vec<Metric>,
    /// The metrics that are shown and decide nothing.
    pub shown: Vec<Metric>,
    /// The burst guard fires if the pooled p99 or p99.9 grew by at least this ratio.
    pub guard_floor_ratio: f64,
    /// Numbers of pairs at which the evidence is judged.
    pub looks: Vec<u32>,
    /// Two-sided alpha of one look, before metrics × scenarios and limits share it.
    pub alpha: f64,
    /// Limits on the figures of a side. Each is a test that takes its share of alpha.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<SideLimit>,
}

/// One metric that a comparison decides about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name, its unit and which way is better.
    #[serde(flatten)]
    pub metric: Metric,
    /// The smallest change worth a verdict: 0.03 is 3 %.
    pub floor_ratio: f64,
    /// Changes within ± this count as equivalent: 0.05 is 5 %.
    pub margin_ratio: f64,
}

impl Gate {
    /// The floor and margin that belong to a metric unless the user says otherwise.
    pub fn of(metric: Metric) -> Gate {
        let margin_ratio = if metric == Metric::P99I { 0.10 } else { 0.05 };
        Gate { metric, floor_ratio: 0.03, margin_ratio }
    }
}

impl Default for Method {
    fn default() -> Method {
        Method {
            gates: GATES.map(Gate::of).to_vec(),
            guards: GUARDS.to_vec(),
            shown: Vec::new(),
            guard_floor_ratio: 0.5,
            looks: vec![8, 12, 16, 24],
            alpha: 0.02,
            limits: Vec::new(),
        }
    }
}

impl Method {
    /// The tests of a comparison of this number of scenarios.
    pub fn tests(&self, scenarios: usize) -> Tests {
        Tests { gates: self.gates.len(), scenarios, limits: self.limits.len() }
    }

    /// The looks of a comparison of this number of scenarios.
    ///
    /// The guard takes no share of alpha: with equal sides, its floor of +50 % keeps it quiet, not
    /// its interval (the looks simulation measures this).
    pub fn looks(&self, scenarios: usize) -> Result<Looks, LooksError> {
        Looks::plan(&self.looks, self.alpha, self.tests(scenarios))
    }
}
