//! The published method as inferno ports it from difffolded.pl and flamegraph.pl: two columns, and
//! a graph whose boxes are read back.

use inferno::differential;
use inferno::flamegraph::{self, from_lines};
use lab_flame::drawn::{Frame, boxes};

/// Two folded profiles as lines of a stack and two counts, sorted.
pub(crate) fn columns(
    before: &str,
    after: &str,
    options: differential::Options,
) -> anyhow::Result<String> {
    let mut out = Vec::new();
    differential::from_readers(options, before.as_bytes(), after.as_bytes(), &mut out)?;
    let mut lines: Vec<String> = String::from_utf8(out)?.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines.join("\n"))
}

/// Lines with two counts, drawn; `negate` turns the hues round.
pub(crate) fn draw(columns: &str, negate: bool) -> anyhow::Result<Vec<Frame>> {
    let mut options = flamegraph::Options::default();
    options.negate_differentials = negate;
    let mut svg = Vec::new();
    from_lines(&mut options, columns.lines(), &mut svg)?;
    Ok(boxes(&String::from_utf8(svg)?))
}

/// The hue of a box and how far it is from white: −1 is the deepest blue, 1 the deepest red.
pub(crate) fn shade(frame: &Frame) -> f64 {
    let [red, green, blue] = frame.fill.map(f64::from);
    if red >= blue { (red - green) / 255.0 } else { (green - blue) / 255.0 }
}
