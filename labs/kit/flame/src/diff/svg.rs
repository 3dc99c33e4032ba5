//! The graphs of a differential: one SVG for each of before, after and what vanished.
//!
//! Drawn here because inferno colours the last frame of a stack only. Before and after share one
//! scale, so the same width is the same cost in both; what vanished has a scale of its own, else
//! it could not be seen. A box says its change in its class: `ip3` is inclusive, up, shade 3 of 5;
//! `sn1` self, down, shade 1. The stylesheet makes colours of them, for light and dark.

use std::fmt::{self, Write as _};

use super::table::prefix;
use super::{Change, Diff, Mark, Path};
use crate::draw::USABLE_PX;

const LEFT_PX: f64 = 10.0;
const TOP_PX: f64 = 64.0;
const ROW_PX: f64 = 17.0;
const CHAR_PX: f64 = 7.25;
/// What fits over a graph in the larger type of its title.
const TITLE_CHARS: usize = 110;
/// Narrower boxes are not drawn.
pub(super) const MIN_WIDTH_PX: f64 = 0.1;
/// Narrower boxes have no outline: it would hide their colour.
const THIN_PX: f64 = 4.0;
const SHADES: f64 = 5.0;

pub(super) const STYLE: &str = include_str!("style.css");
pub(super) const SCRIPT: &str = include_str!("script.js");

/// Where the root of a graph stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Root {
    /// Below all that it calls: a flame.
    #[default]
    Bottom,
    /// Above: an icicle.
    Top,
}

/// Which graph of a differential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The stacks before.
    Before,
    /// The stacks after.
    After,
    /// What has no box in [`View::After`], with its callers, as wide as it was before.
    Elided,
}

impl View {
    /// Every view, in the order in which they are read.
    pub const ALL: [View; 3] = [View::Before, View::After, View::Elided];

    /// The name of its file and its anchor.
    pub fn name(self) -> &'static str {
        match self {
            View::Before => "before",
            View::After => "after",
            View::Elided => "elided",
        }
    }
}

/// A graph as a file that stands alone, with its stylesheet and script.
pub fn standalone(graph: &str) -> String {
    let parts = [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        graph.strip_suffix("</svg>\n").unwrap_or(graph),
        "<style><![CDATA[",
        STYLE,
        "]]></style>\n<script><![CDATA[",
        SCRIPT,
        "]]></script>\n</svg>\n",
    ];
    parts.concat()
}

/// One graph as an SVG element, for [`standalone`] or for a page that brings `STYLE` and
/// `SCRIPT` itself.
pub fn draw(diff: &Diff, view: View, root: Root, title: &str) -> String {
    let total = &diff.paths[0].inclusive;
    let widest = total.before.max(total.after);
    let weights = |of: fn(&Path) -> f64| diff.paths.iter().map(of);
    let (whole, boxes) = match view {
        View::Before => (total.before, placed(diff, widest, weights(|path| path.inclusive.before))),
        View::After => (total.after, placed(diff, widest, weights(|path| path.inclusive.after))),
        View::Elided => {
            let weights = elided(&diff.paths);
            (weights[0], placed(diff, weights[0], weights.into_iter()))
        }
    };
    let shade = Shades::of(diff);
    let deepest = boxes.iter().map(|placed| placed.path.depth).max().unwrap_or(0);
    let height = TOP_PX + ROW_PX * (deepest + 1) as f64 + 30.0;

    let mut svg = format!(
        "<svg class=\"flame\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1200 {height}\" data-colour=\"i\" data-root=\"{root}\" role=\"tree\" aria-label=\"{title}\">\n\
         <rect class=\"ground\" width=\"1200\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"600\" y=\"24\">{shown}</text>\n\
         <text class=\"subtitle\" x=\"600\" y=\"42\">{}</text>\n",
        Escaped(&subtitle(diff, view, whole)),
        root = if root == Root::Top { "top" } else { "bottom" },
        title = Escaped(title),
        shown = Escaped(&end_of(title)),
    );
    for (x, does, says) in
        [(10, "reset", "Reset"), (70, "search", "Search"), (140, "colour", "Colour: inclusive")]
    {
        let _ = writeln!(
            svg,
            "<text class=\"button\" x=\"{x}\" y=\"58\" role=\"button\" tabindex=\"0\" data-does=\"{does}\">{says}</text>"
        );
    }
    for Placed { path, x, width } in boxes {
        let depth = path.depth;
        let y = match root {
            Root::Bottom => height - 30.0 - ROW_PX * (depth + 1) as f64,
            Root::Top => TOP_PX + ROW_PX * depth as f64,
        };
        draw_box(&mut svg, diff, path, &shade, [x, y, width]);
    }
    let _ =
        writeln!(svg, "<text class=\"details\" x=\"10\" y=\"{}\"> </text>\n</svg>", height - 10.0);
    svg
}

fn draw_box(svg: &mut String, diff: &Diff, path: &Path, shades: &Shades, [x, y, width]: [f64; 3]) {
    let class = match path.mark {
        Mark::Both => "",
        Mark::New => " new",
        Mark::Vanished => " gone",
    };
    let thin = if width < THIN_PX { " thin" } else { "" };
    let label = format!("{}{}", prefix(path.mark), diff.frame(path));
    let _ = writeln!(
        svg,
        "<g class=\"i{} s{}{class}{thin}\" data-d=\"{}\" role=\"treeitem\" tabindex=\"{}\"><title>{}\n{}</title>\
         <rect x=\"{x:.4}\" y=\"{y}\" width=\"{width:.4}\" height=\"{}\"/><text x=\"{:.4}\" y=\"{}\">{}</text></g>",
        shades.inclusive(&path.inclusive),
        shades.own(&path.own),
        path.depth,
        if path.depth == 0 { 0 } else { -1 },
        Escaped(&label),
        Escaped(&facts(diff, path)),
        ROW_PX - 1.0,
        x + 3.0,
        y + 12.0,
        Escaped(&fitting(&label, width)),
    );
}

/// A box that is drawn.
struct Placed<'a> {
    path: &'a Path,
    x: f64,
    width: f64,
}

/// The boxes of at least [`MIN_WIDTH_PX`], where the weight `widest` takes all there is. `weights`
/// has one for each path.
fn placed(diff: &Diff, widest: f64, weights: impl Iterator<Item = f64>) -> Vec<Placed<'_>> {
    let scale = if widest > 0.0 { USABLE_PX / widest } else { 0.0 };
    let mut boxes = Vec::new();
    // Where the next box of each depth begins.
    let mut next = vec![LEFT_PX];
    for (path, weight) in diff.paths.iter().zip(weights) {
        // Nothing that stands on what is not drawn is wide enough either.
        if path.depth >= next.len() {
            continue;
        }
        let (x, width) = (next[path.depth], weight * scale);
        next.truncate(path.depth + 1);
        // What is too narrow to draw still takes its place, so no box stands left of its own.
        next[path.depth] += width;
        if width >= MIN_WIDTH_PX {
            next.push(x);
            boxes.push(Placed { path, x, width });
        }
    }
    boxes
}

/// Vanished boxes as they were, and for each box above the sum of what vanished in it.
fn elided(paths: &[Path]) -> Vec<f64> {
    let mut widths = vec![0.0; paths.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        open.truncate(path.depth);
        if path.mark == Mark::Vanished {
            widths[index] = path.inclusive.before;
            let outermost = open.last().is_some_and(|&caller| paths[caller].mark != Mark::Vanished);
            for &caller in open.iter().filter(|_| outermost) {
                widths[caller] += path.inclusive.before;
            }
        }
        open.push(index);
    }
    widths
}

fn subtitle(diff: &Diff, view: View, whole: f64) -> String {
    let unit = diff.unit();
    let root = &diff.paths[0].inclusive;
    match view {
        View::Before => format!("{:.1} {unit}; colours show what changed afterwards", root.before),
        View::After => format!("{:.1} {unit}; colours show what changed since before", root.after),
        View::Elided if whole == 0.0 => {
            "nothing vanished: every frame of before is in after".to_string()
        }
        View::Elided => {
            let share = 100.0 * whole / root.before;
            format!(
                "{:.1} of {:.1} {unit} before ({share:.1} %) have no box in after; own scale",
                whole, root.before
            )
        }
    }
}

/// Colours by size or significance, in [`SHADES`] steps.
struct Shades {
    replicated: bool,
    largest_inclusive: f64,
    largest_own: f64,
}

impl Shades {
    fn of(diff: &Diff) -> Shades {
        let larger = |[inclusive, own]: [f64; 2], path: &Path| {
            [inclusive.max(path.inclusive.delta().abs()), own.max(path.own.delta().abs())]
        };
        let [largest_inclusive, largest_own] = diff.paths.iter().fold([0.0; 2], larger);
        Shades { replicated: diff.replicated(), largest_inclusive, largest_own }
    }

    fn inclusive(&self, change: &Change) -> Shade {
        self.shade(change, self.largest_inclusive)
    }

    fn own(&self, change: &Change) -> Shade {
        self.shade(change, self.largest_own)
    }

    fn shade(&self, change: &Change, largest: f64) -> Shade {
        let size = || {
            if largest > 0.0 { (SHADES * change.delta().abs() / largest).ceil() as u8 } else { 0 }
        };
        let step = match &change.verdict {
            // Replicated: grey unless significant, and the deeper the less likely by chance.
            Some(verdict) if self.replicated && verdict.significant => match verdict.p {
                Some(p) if p <= 0.001 => 5,
                Some(p) if p <= 0.01 => 4,
                _ => 3,
            },
            _ if self.replicated => 0,
            // Few trials: by size, but never beyond the palest within the error.
            Some(verdict) if !verdict.beyond_error => size().min(1),
            _ => size(),
        };
        Shade { step, up: change.delta() > 0.0 }
    }
}

struct Shade {
    step: u8,
    up: bool,
}

impl fmt::Display for Shade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            0 => f.write_str("0"),
            step => write!(f, "{}{step}", if self.up { 'p' } else { 'n' }),
        }
    }
}

/// The tooltip of a box.
fn facts(diff: &Diff, path: &Path) -> String {
    let unit = diff.unit();
    let line = |name: &str, change: &Change| {
        let percent = |ratio: f64| format!("{:+.1} %", 100.0 * ratio);
        let relative = change.relative().map_or("new".to_string(), percent);
        let mut line =
            format!("{name} {:.3} \u{2192} {:.3} {unit} ({relative}", change.before, change.after);
        if let Some(verdict) = &change.verdict {
            if let Some((low, high)) = verdict.interval {
                let between_trials = diff.trials.iter().all(|&trials| trials >= 2);
                let what = if between_trials { "95 %" } else { "sampling error, 95 %" };
                let _ = write!(line, "; {what}: {} to {}", percent(low), percent(high));
            }
            if diff.replicated() {
                line += if verdict.significant { "; significant" } else { "; not significant" };
            }
        }
        line + ")"
    };
    format!("{}\n{}", line("inclusive", &path.inclusive), line("self", &path.own))
}

/// As much of a title as a line can hold: of a path its end, which tells one side from the other.
fn end_of(title: &str) -> String {
    let length = title.chars().count();
    if length <= TITLE_CHARS {
        return title.to_string();
    }
    let end = title.chars().skip(length - TITLE_CHARS + 1);
    std::iter::once('\u{2026}').chain(end).collect()
}

/// As much of a label as a box can hold.
fn fitting(label: &str, width_px: f64) -> String {
    let room = ((width_px - 6.0) / CHAR_PX) as usize;
    match room {
        0..3 => String::new(),
        _ if label.chars().count() <= room => label.to_string(),
        _ => label.chars().take(room - 2).chain("..".chars()).collect(),
    }
}

/// Text escaped for markup, for content and for attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(|c: char| {
            matches!(c, '<' | '>' | '&' | '"' | '\'') || (c.is_control() && c != '\n')
        }) {
            f.write_str(&rest[..at])?;
            let Some(c) = rest[at..].chars().next() else { break };
            f.write_str(match c {
                '<' => "&lt;",
                '>' => "&gt;",
                '&' => "&amp;",
                '"' => "&quot;",
                '\'' => "&#39;",
                _ => " ",
            })?;
            rest = &rest[at + c.len_utf8()..];
        }
        f.write_str(rest)
    }
}
