//! This project's own differential flame graph, read back from its SVG: the boxes with their marks.

use lab_flame::diff::Diff;
use lab_flame::diff::svg::{Root, View, draw};

/// A box of the graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// Its classes: `in3 s0 gone` is down by inclusive cost in shade 3, itself unchanged, vanished.
    pub class: String,
    /// The function, after its mark if it is new or vanished.
    pub label: String,
    /// Pixels of a graph 1,200 wide.
    pub width_px: f64,
}

impl Frame {
    /// The function.
    pub(crate) fn name(&self) -> &str {
        self.label.trim_start_matches(['+', '\u{2212}', ' '])
    }

    /// By self cost, 5 shades: below 0 is blue, above is red.
    pub(crate) fn own_shade(&self) -> i32 {
        let own = self.class.split(' ').find_map(|class| class.strip_prefix('s')).unwrap_or("0");
        let depth = own.trim_start_matches(['n', 'p']).parse().unwrap_or(0);
        if own.starts_with('n') { -depth } else { depth }
    }
}

/// The boxes of one view.
pub(crate) fn boxes(diff: &Diff, view: View) -> Vec<Frame> {
    let svg = draw(diff, view, Root::Bottom, "");
    svg.split("<g class=\"").skip(1).filter_map(frame).collect()
}

fn frame(text: &str) -> Option<Frame> {
    let (class, rest) = text.split_once('"')?;
    let (label, rest) = rest.split_once("<title>")?.1.split_once('\n')?;
    let width = rest.split_once(" width=\"")?.1.split_once('"')?.0;
    Some(Frame { class: class.to_owned(), label: label.to_owned(), width_px: width.parse().ok()? })
}
