//! A drawn flame graph, read back from its SVG as a reader's eye would: boxes, not stacks.
//!
//! For checks of small graphs, ours and those of inferno at large: the time grows with the square
//! of the boxes.

use crate::draw::USABLE_PX;

/// A row's height in pixels.
pub const ROW_PX: u64 = 16;

/// A box of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Itself and all below it, down to `all`: `all;main;parse`.
    pub path: String,
    /// What it says its count is.
    pub count: u64,
    /// Pixels of a graph 1,200 wide.
    pub width_px: f64,
    /// Samples to the left of it.
    pub x: u64,
    /// Pixels from the top.
    pub y: u64,
    /// Red, green and blue.
    pub fill: [u8; 3],
}

impl Frame {
    /// The function.
    pub fn name(&self) -> &str {
        self.path.rsplit(';').next().unwrap_or_default()
    }

    /// Whether this stands on `below`: one row off, within its width.
    fn stands_on(&self, below: &Self) -> bool {
        below.y.abs_diff(self.y) == ROW_PX
            && below.x <= self.x
            && self.x + self.count <= below.x + below.count
    }
}

/// The boxes of an SVG, the root first. Text that is not a box's is passed over.
pub fn boxes(svg: &str) -> Vec<Frame> {
    let mut found: Vec<Frame> = svg.split("<g><title>").skip(1).filter_map(one).collect();
    let root_y = found.iter().find(|frame| frame.path == "all").map_or(0, |root| root.y);
    found.sort_by_key(|frame| (frame.y.abs_diff(root_y), frame.x));
    for index in 0..found.len() {
        // Rows come one after the other, so what this stands on has its path already.
        let below = found[..index].iter().find(|below| found[index].stands_on(below));
        if let Some(below) = below {
            found[index].path = format!("{};{}", below.path, found[index].path);
        }
    }
    found
}

fn one(text: &str) -> Option<Frame> {
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
        path: name.to_owned(),
        count: facts.split(' ').next()?.replace(',', "").parse().ok()?,
        width_px: percent / 100.0 * USABLE_PX,
        x: attribute("fg:x")?.parse().ok()?,
        y: attribute("y")?.parse().ok()?,
        fill: fill.try_into().ok()?,
    })
}
