//! Flame graphs as interactive SVG: inferno draws, this module decides what it is given.
//!
//! Three things are settled before inferno sees a line. Stacks come sorted by frames (inferno sorts
//! whole lines, and tears `a` apart where `a::b` sorts between `a` and `a;b`). No name can be taken
//! for syntax: a leaf called `worker 3` would read as a second count, a root called `# x` as a
//! comment. And colours depend on nothing but the name, so a function keeps its colour from one
//! graph to the next.

mod visible;

use std::collections::BTreeSet;
use std::io::Write;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use inferno::flamegraph::color::{BasicPalette, Color, PaletteMap};
use inferno::flamegraph::{self, Direction, TextTruncateDirection, from_lines};

pub use inferno::flamegraph::Palette;

use crate::folded::{Folded, ends_in_number};
use visible::Line;

/// Below this many samples a share is so uncertain that the title says so (as flamegraph.pl warns).
pub const FEW_SAMPLES: u64 = 100;

/// The pixels a graph has for its frames: 1,200 less a margin of 10 on both sides.
pub const USABLE_PX: f64 = 1180.0;

/// What the counts of a profile mean; decides palette, unit and the word in the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Samples of running threads.
    #[default]
    Cpu,
    /// Microseconds that threads stood still.
    OffCpu,
    /// Bytes allocated.
    Memory,
    /// Page faults: where memory is touched for the first time.
    Faults,
}

impl Kind {
    /// The palette that readers expect: hot for CPU, blue for waiting, green for memory.
    pub fn palette(self) -> Palette {
        Palette::Basic(match self {
            Kind::Cpu => BasicPalette::Hot,
            Kind::OffCpu => BasicPalette::Io,
            Kind::Memory | Kind::Faults => BasicPalette::Mem,
        })
    }

    /// What one count is.
    pub fn unit(self) -> &'static str {
        match self {
            Kind::Cpu => "samples",
            Kind::OffCpu => "us",
            Kind::Memory => "bytes",
            Kind::Faults => "faults",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Cpu => "CPU flame graph",
            Kind::OffCpu => "Off-CPU flame graph",
            Kind::Memory => "Memory flame graph",
            Kind::Faults => "Page-fault flame graph",
        }
    }
}

/// Which way a graph grows and what stands at its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Root at the bottom, leaves on top.
    #[default]
    Flame,
    /// Root on top, leaves at the bottom: an icicle.
    Inverted,
    /// Leaves at the root, their callers above.
    Reversed,
    /// Time from left to right, nothing merged but neighbours. Needs [`Folded::parse_in_order`].
    Chart,
}

/// The narrowest frame that is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinWidth {
    percent: f64,
}

impl Default for MinWidth {
    fn default() -> Self {
        MinWidth { percent: 0.1 / USABLE_PX * 100.0 }
    }
}

impl FromStr for MinWidth {
    type Err = String;

    /// Pixels of a graph 1,200 wide (`0.1`), or a share of the whole (`0.5%`).
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, scale) = match text.strip_suffix('%') {
            Some(number) => (number, 1.0),
            None => (text, 100.0 / USABLE_PX),
        };
        match number.parse::<f64>() {
            Ok(width) if (0.0..).contains(&width) && width * scale <= 100.0 => {
                Ok(MinWidth { percent: width * scale })
            }
            _ => Err(format!("`{text}` is neither pixels (0.1) nor a share (0.5%)")),
        }
    }
}

/// How to draw a graph: everything but the stacks.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the stacks weigh.
    pub kind: Kind,
    /// Which way the graph grows.
    pub shape: Shape,
    /// Instead of the kind's own.
    pub palette: Option<Palette>,
    /// Narrower boxes are left out.
    pub min_width: MinWidth,
    /// Instead of the kind's own.
    pub title: Option<String>,
    /// Stands under the title: lab, variant, rate, backend.
    pub subtitle: Option<String>,
    /// How many samples the profile has; where `None`, a CPU profile's total.
    pub samples: Option<u64>,
}

/// Draws stacks as SVG. Their order matters only for [`Shape::Chart`]. The same stacks and options
/// give the same bytes.
pub fn draw(folded: &Folded, options: &Options, out: &mut dyn Write) -> Result<()> {
    let reversed = (options.shape == Shape::Reversed).then(|| folded.reversed_in_order());
    let folded = reversed.as_ref().unwrap_or(folded);

    // A hair less than inferno's own bound, which is the one that decides.
    let least = options.min_width.percent / 100.0 * folded.total() as f64 * (1.0 - 1e-9);
    let lines = match options.shape {
        Shape::Chart => visible::lines(folded.stacks(), least),
        _ => visible::lines(folded.wide_stacks(least), least),
    };
    let mut named = annotation_colours(&lines, options);
    let mut inferno = flamegraph::Options::default();
    inferno.colors = options.palette.unwrap_or(options.kind.palette());
    inferno.deterministic = true;
    inferno.palette_map = Some(&mut named);
    inferno.title = printable(&title(folded, options));
    inferno.subtitle = options.subtitle.as_deref().map(printable);
    inferno.count_name = match folded.scale() {
        1 => options.kind.unit().to_string(),
        scale => format!("{}/{scale}", options.kind.unit()),
    };
    inferno.min_width = options.min_width.percent;
    inferno.text_truncate_direction = TextTruncateDirection::Right;
    if options.shape == Shape::Inverted {
        inferno.direction = Direction::Inverted;
    }
    // Not only for charts: it is inferno's one way to leave the order alone. It draws the lines
    // last to first, so they are handed over last to first.
    inferno.flame_chart = true;
    let lines: Vec<String> = lines.iter().rev().map(inert).collect();
    // In one piece: a call for each attribute would cost more than the attribute.
    let mut svg = Vec::new();
    from_lines(&mut inferno, lines.iter().map(String::as_str), &mut svg)
        .context("cannot draw the flame graph")?;
    let (head, frames) = svg.split_at(script_end(&svg).context("inferno wrote no script")?);
    out.write_all(head)?;
    out.write_all(SEARCH.as_bytes())?;
    Ok(out.write_all(frames)?)
}

/// Says in the graph that a search is no expression or finds nothing; inferno's own shows nothing.
const SEARCH: &str = include_str!("draw/search.js");

/// Where the text of the graph's script ends.
fn script_end(svg: &[u8]) -> Option<usize> {
    let end = b"]]></script>";
    svg.windows(end.len()).position(|window| window == end)
}

/// The title, and what a reader must know of its counts: their scale, and under [`FEW_SAMPLES`] a
/// warning.
fn title(folded: &Folded, options: &Options) -> String {
    let mut title = options.title.as_deref().unwrap_or(options.kind.title()).to_owned();
    if folded.scale() > 1 {
        title += &format!(", counts \u{d7} {}", folded.scale());
    }
    let counted = (options.kind == Kind::Cpu).then(|| folded.total() / folded.scale());
    match options.samples.or(counted) {
        Some(samples) if samples < FEW_SAMPLES => {
            let s = if samples == 1 { "" } else { "s" };
            format!("{title}: only {samples} sample{s}, too few to trust")
        }
        _ => title,
    }
}

/// What marks a frame of the kernel, and one that was inlined.
const KERNEL: &str = "_[k]";
const INLINED: &str = "_[i]";

/// Kernel frames are purple and inlined ones pale cyan, beside any of the plain palettes; inferno's
/// own palettes by language bring their own rule for annotations.
fn annotation_colours(lines: &[Line<'_>], options: &Options) -> PaletteMap {
    let mut colours = PaletteMap::default();
    if let Some(Palette::Multi(_)) = options.palette {
        return colours;
    }
    let mut seen = BTreeSet::new();
    let annotated = lines.iter().filter(|line| line.path.contains("_["));
    for frame in annotated.flat_map(|line| line.path.split(';')) {
        let colour: fn(u8) -> Color = if frame.ends_with(KERNEL) {
            |shade| Color::new(175 + shade, 110 + shade, 200 + shade)
        } else if frame.ends_with(INLINED) {
            |shade| Color::new(140 + shade, 215 + shade / 2, 225 + shade / 2)
        } else {
            continue;
        };
        if seen.insert(frame) {
            colours.insert(annotated_twice(frame), colour(fnv(frame) % 45));
        }
    }
    colours
}

/// inferno takes an annotation off the name that it shows, and `copy` and `copy_[k]` would read the
/// same. Of two it takes one off.
fn annotated_twice(frame: &str) -> String {
    let annotation = [KERNEL, INLINED].into_iter().find(|&mark| frame.ends_with(mark));
    format!("{frame}{}", annotation.unwrap_or_default())
}

/// A byte that depends on the name alone (FNV-1a, folded).
fn fnv(name: &str) -> u8 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash >> 56) as u8
}

/// A line of inferno's, with every space that it would take for syntax made a no-break space.
fn inert(line: &Line<'_>) -> String {
    const NO_BREAK: &str = "\u{a0}";
    let mut path = if line.path.contains("_[") {
        line.path.split(';').map(annotated_twice).collect::<Vec<_>>().join(";")
    } else {
        line.path.to_string()
    };
    if let Some(space) = path.rfind(' ').filter(|_| ends_in_number(&path)) {
        path.replace_range(space..=space, NO_BREAK);
    }
    // The line `# 31` too: a stack of one frame, called `#`.
    if path == "#" || path.starts_with("# ") {
        let after = if path == "#" { 1..1 } else { 1..2 };
        path.replace_range(after, NO_BREAK);
    }
    format!("{path} {}", line.count)
}

/// A title as one line that XML can carry.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c })
        .collect()
}
