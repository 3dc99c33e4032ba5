//! Flame graphs as interactive SVG: inferno draws, this module decides what it is given.
//!
//! Three things are settled before inferno sees a line. Stacks come sorted by frames (inferno sorts
//! whole lines, and tears `a` apart where `a::b` sorts between `a` and `a;b`). No name can be taken
//! for syntax: a leaf called `worker 3` would read as a second count, a root called `# x` as a
//! comment. And colours depend on nothing but the name, so a function keeps its colour from one
//! graph to the next.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use inferno::flamegraph::color::{BasicPalette, Color, PaletteMap};
use inferno::flamegraph::{Direction, Options, TextTruncateDirection, from_lines};

pub use inferno::flamegraph::Palette;

use crate::folded::{Folded, Stack, ends_in_number};

/// Below this many samples a share is known so badly that the title says so (as flamegraph.pl warns).
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
}

impl Kind {
    /// The palette that readers expect: hot for CPU, blue for waiting, green for memory.
    pub fn palette(self) -> Palette {
        Palette::Basic(match self {
            Kind::Cpu => BasicPalette::Hot,
            Kind::OffCpu => BasicPalette::Io,
            Kind::Memory => BasicPalette::Mem,
        })
    }

    /// What one count is.
    pub fn unit(self) -> &'static str {
        match self {
            Kind::Cpu => "samples",
            Kind::OffCpu => "us",
            Kind::Memory => "bytes",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Cpu => "CPU flame graph",
            Kind::OffCpu => "Off-CPU flame graph",
            Kind::Memory => "Memory flame graph",
        }
    }
}

/// Which way a picture grows and what stands at its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Root at the bottom, leaves on top.
    #[default]
    Flame,
    /// Root on top, leaves at the bottom: an icicle.
    Inverted,
    /// Leaves at the root, their callers above.
    Reversed,
    /// Time from left to right, nothing merged but neighbours. Wants [`Folded::parse_in_order`].
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

/// Everything about a picture but the stacks.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub kind: Kind,
    pub shape: Shape,
    /// Instead of the kind's own.
    pub palette: Option<Palette>,
    pub min_width: MinWidth,
    /// Instead of the kind's own.
    pub title: Option<String>,
    /// Stands under the title: lab, variant, rate, backend.
    pub subtitle: Option<String>,
    /// How many samples the profile has; where `None`, a CPU profile's total.
    pub samples: Option<u64>,
}

/// Draws stacks as SVG. The same stacks and the same picture give the same bytes.
pub fn draw(folded: &Folded, picture: &Picture, out: &mut dyn Write) -> Result<()> {
    let reversed = (picture.shape == Shape::Reversed).then(|| folded.reversed());
    let folded = reversed.as_ref().unwrap_or(folded);

    let mut named = annotation_colours(folded, picture);
    let mut options = Options::default();
    options.colors = picture.palette.unwrap_or(picture.kind.palette());
    options.deterministic = true;
    options.palette_map = Some(&mut named);
    options.title = printable(&title(folded, picture));
    options.subtitle = picture.subtitle.as_deref().map(printable);
    options.count_name = picture.kind.unit().to_string();
    options.min_width = picture.min_width.percent;
    options.text_truncate_direction = TextTruncateDirection::Right;
    if picture.shape == Shape::Inverted {
        options.direction = Direction::Inverted;
    }
    // Not only for charts: it is inferno's one way to leave the order alone. It draws the lines
    // last to first, so they are handed over last to first.
    options.flame_chart = true;
    let lines = lines(folded);
    // In one piece: a call for each attribute would cost more than the attribute.
    let mut svg = Vec::new();
    from_lines(&mut options, lines.iter().rev().map(|line| &**line), &mut svg)
        .context("cannot draw the flame graph")?;
    Ok(out.write_all(&svg)?)
}

/// The title, and under [`FEW_SAMPLES`] a warning in it.
fn title(folded: &Folded, picture: &Picture) -> String {
    let title = picture.title.as_deref().unwrap_or(picture.kind.title());
    let counted = (picture.kind == Kind::Cpu).then(|| folded.total());
    match picture.samples.or(counted) {
        Some(samples) if samples < FEW_SAMPLES => {
            let s = if samples == 1 { "" } else { "s" };
            format!("{title}: only {samples} sample{s}, too few to trust")
        }
        _ => title.to_string(),
    }
}

/// Kernel frames are purple and inlined ones pale cyan, beside any of the plain palettes; inferno's
/// own palettes by language bring their own rule for annotations.
fn annotation_colours(folded: &Folded, picture: &Picture) -> PaletteMap {
    let mut colours = PaletteMap::default();
    if let Some(Palette::Multi(_)) = picture.palette {
        return colours;
    }
    let mut seen = BTreeSet::new();
    let annotated = folded.stacks().filter(|stack| stack.path().contains("_["));
    for frame in annotated.flat_map(|stack| stack.frames()) {
        let colour: fn(u8) -> Color = match frame.as_bytes() {
            [.., b'_', b'[', b'k', b']'] => {
                |shade| Color::new(175 + shade, 110 + shade, 200 + shade)
            }
            [.., b'_', b'[', b'i', b']'] => {
                |shade| Color::new(140 + shade, 215 + shade / 2, 225 + shade / 2)
            }
            _ => continue,
        };
        if seen.insert(frame) {
            colours.insert(frame, colour(fnv(frame) % 45));
        }
    }
    colours
}

/// A byte that depends on the name alone (FNV-1a, folded).
fn fnv(name: &str) -> u8 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash >> 56) as u8
}

/// The stacks as lines, with every space that inferno would take for syntax made a no-break space.
fn lines(folded: &Folded) -> Vec<Cow<'_, str>> {
    const NO_BREAK: &str = "\u{a0}";
    let inert = |(stack, line): (Stack<'_>, _)| {
        // The line `# 31` too: a stack of one frame, called `#`.
        let comment = stack.path() == "#" || stack.path().starts_with("# ");
        let second_count = ends_in_number(stack.path());
        if !comment && !second_count {
            return line;
        }
        let mut path = stack.path().to_string();
        if let Some(space) = path.rfind(' ').filter(|_| second_count) {
            path.replace_range(space..=space, NO_BREAK);
        }
        if comment {
            let after = if path == "#" { 1..1 } else { 1..2 };
            path.replace_range(after, NO_BREAK);
        }
        Cow::Owned(format!("{path} {}", stack.count))
    };
    folded.stacks().zip(folded.lines()).map(inert).collect()
}

/// A title as one line that XML can carry.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c })
        .collect()
}
