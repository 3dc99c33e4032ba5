//! Labels and figures as people read them.

use lab_record::SIMULATED;
use lab_text::quantity::quantity;
use maud::{Markup, html};

/// The label of trials as people read it.
pub(crate) fn spoken(label: &str) -> String {
    label.replace(SIMULATED, ", simulated")
}

/// A figure as people read it, with the exact one for programs.
pub(crate) fn figure(class: &str, value: Option<f64>, unit: &str) -> Markup {
    html! {
        @match value {
            Some(value) => data class=(class) value=(value) { (quantity(value, unit)) },
            None => span class=(class) { "–" },
        }
    }
}
