//! The published method as inferno ports it from difffolded.pl and flamegraph.pl: two columns, and
//! a picture whose boxes are read back.

use inferno::differential;
use inferno::flamegraph::{self, from_lines};
use lab_flame::draw::USABLE_PX;

/// A box of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The function.
    pub name: String,
    /// What it says its count is: that of the second profile.
    pub count: u64,
    /// Pixels of a graph 1,200 wide.
    pub width_px: f64,
    /// Red, green and blue.
    pub fill: [u8; 3],
}

/// Two folded profiles as lines of a stack and two counts, sorted.
pub fn columns(
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
pub fn draw(columns: &str, negate: bool) -> anyhow::Result<Vec<Frame>> {
    let mut options = flamegraph::Options::default();
    options.negate_differentials = negate;
    let mut svg = Vec::new();
    from_lines(&mut options, columns.lines(), &mut svg)?;
    let svg = String::from_utf8(svg)?;
    Ok(svg.split("<g><title>").skip(1).filter_map(frame).collect())
}

fn frame(text: &str) -> Option<Frame> {
    let (title, rest) = text.split_once("</title><rect")?;
    let (name, facts) = title.rsplit_once(" (")?;
    let attribute = |key: &str| {
        let (_, value) = rest.split_once(&format!(" {key}=\""))?;
        Some(value.split_once('"')?.0)
    };
    let fill = attribute("fill")?.strip_prefix("rgb(")?.strip_suffix(')')?;
    let fill: Vec<u8> = fill.split(',').map_while(|part| part.trim().parse().ok()).collect();
    let percent: f64 = attribute("width")?.strip_suffix('%')?.parse().ok()?;
    Some(Frame {
        name: name.to_owned(),
        count: facts.split(' ').next()?.replace(',', "").parse().ok()?,
        width_px: percent / 100.0 * USABLE_PX,
        fill: fill.try_into().ok()?,
    })
}

/// The hue of a box and how far it is from white: −1 is the deepest blue, 1 the deepest red.
pub fn shade(frame: &Frame) -> f64 {
    let [red, green, blue] = frame.fill.map(f64::from);
    if red >= blue { (red - green) / 255.0 } else { (green - blue) / 255.0 }
}
