//! One flame graph, as the script of a page is given it.

use serde::Serialize;

use crate::stacks::Tree;

/// A flame graph, or a differential's.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Flame {
    pub(crate) title: String,
    pub(crate) unit: String,
    #[serde(flatten)]
    pub(crate) tree: Tree,
    /// The widths of each box in each view of a differential; empty in a plain graph.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) views: Vec<View>,
    /// Before, after and shade (−5 to 5) of each box of a differential.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<(f64, f64, i8)>,
    /// The variant and kind of its profile; empty for a differential.
    #[serde(skip)]
    pub(crate) variant: String,
    #[serde(skip)]
    pub(crate) kind: String,
    /// Whether its stacks cover all time, on and off the CPU.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hot_cold: bool,
    /// Whether it has too few samples to be meaningful: then it is closed at first.
    #[serde(skip)]
    pub(crate) few: bool,
    /// Why no time window of it can be picked, in whole sentences.
    #[serde(skip)]
    pub(crate) no_window: Vec<String>,
    /// The claims that it shows.
    #[serde(skip)]
    pub(crate) claims: Vec<String>,
}

/// One way to see a differential.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    pub(crate) counts: Vec<f64>,
}
