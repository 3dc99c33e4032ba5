//! Folded stacks: one line a stack, frames root first and joined by `;`, a space, a count.
//!
//! ```text
//! main;serve;parse 31
//! main;serve;write_[k] 7
//! ```
//!
//! A differential file, as difffolded.pl writes it, has two counts a line, before and after.
//!
//! Lines that begin with `# ` are comments, left out and counted; every other line that is not blank
//! counts, because a line left out is a wrong total. One that cannot be read is an error that names
//! file and line. Fractions are kept: all counts are multiplied by [`Folded::scale`]. What can be
//! read but not shown is replaced, visibly: control characters become their symbols (`␛`), bytes
//! that are not UTF-8 become `�`, frames without a name become `[unknown]`. A NUL byte means that the
//! file is not text. `input` recognises what else a file may be.

mod order;
mod parse;
mod weights;

use std::cmp::Ordering;
use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};

use order::{by_frames, common_prefix};

pub use weights::{Weights, count_samples};

/// The most frames a stack may have: at 16 pixels each a graph is then 160,000 pixels high.
pub const MAX_DEPTH: usize = 10_000;

/// The largest total: beyond it a browser no longer counts in whole numbers, nor does `f64`.
pub const MAX_TOTAL: u64 = 1 << 53;

/// Folded stacks in memory: checked, cleaned and counted.
///
/// The text of a file is kept as it was read and pointed into; a copy of a large profile costs
/// more than parsing it.
#[derive(Debug, Clone)]
pub struct Folded {
    /// The file, then what had to be written differently.
    text: String,
    stacks: Vec<Span>,
    total: u64,
    scale: u64,
    notes: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    count: u64,
}

/// One stack and how often it was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stack<'a> {
    path: &'a str,
    /// Samples, microseconds or bytes, as the profile counts.
    pub count: u64,
}

impl Default for Folded {
    fn default() -> Self {
        Folded { text: String::new(), stacks: vec![], total: 0, scale: 1, notes: vec![] }
    }
}

impl Folded {
    /// Reads a file, and no pipe. See [`Folded::parse`].
    pub fn open(path: &Path) -> Result<Folded> {
        Folded::parse(&path.display().to_string(), lab_files::read(path)?)
    }

    /// Reads a file as a sequence in time. See [`Folded::parse_in_order`].
    pub fn open_in_order(path: &Path) -> Result<Folded> {
        Folded::parse_in_order(&path.display().to_string(), lab_files::read(path)?)
    }

    /// Folded stacks from bytes: equal stacks merged, sorted by frames, so the order of the lines
    /// does not show. `file` names the source in errors.
    pub fn parse(file: &str, bytes: impl Into<Vec<u8>>) -> Result<Folded> {
        let mut folded = Folded::parse_in_order(file, bytes)?;
        folded.sort_and_merge();
        Ok(folded)
    }

    /// Like [`Folded::parse`], but every line stays where it is: the order of a flame chart.
    pub fn parse_in_order(file: &str, bytes: impl Into<Vec<u8>>) -> Result<Folded> {
        parse::one_column(file, bytes.into())
    }

    /// Both sides of a differential file: `a;b 31 33` is 31 before and 33 after. See
    /// [`Folded::parse`].
    pub fn parse_differential(file: &str, bytes: impl Into<Vec<u8>>) -> Result<[Folded; 2]> {
        let mut sides = parse::two_columns(file, bytes.into())?;
        sides.iter_mut().for_each(Folded::sort_and_merge);
        Ok(sides)
    }

    /// Several profiles as one: counts of equal stacks add up.
    pub fn merge<'a>(parts: impl IntoIterator<Item = &'a Folded>) -> Result<Folded> {
        let parts: Vec<&Folded> = parts.into_iter().collect();
        let scale = parts.iter().map(|part| part.scale).max().unwrap_or(1);
        let mut merged = Folded { scale, ..Folded::default() };
        parts.into_iter().try_for_each(|part| merged.append(part))?;
        merged.sort_and_merge();
        Ok(merged)
    }

    /// Every stack leaf first, merged again: from the function that runs to its callers.
    pub fn reversed(&self) -> Folded {
        let mut reversed = self.reversed_in_order();
        reversed.sort_and_merge();
        reversed
    }

    /// Like [`Folded::reversed`], with every stack where it is.
    pub(crate) fn reversed_in_order(&self) -> Folded {
        self.rewritten(|stack, text| {
            for (depth, frame) in stack.frames().rev().enumerate() {
                text.push_str(if depth > 0 { ";" } else { "" });
                text.push_str(frame);
            }
        })
    }

    /// Every stack as `write` has it, where it is; two that become equal stay two.
    pub(crate) fn rewritten(&self, write: impl Fn(Stack<'_>, &mut String)) -> Folded {
        let mut text = String::new();
        let write = |stack: Stack<'_>| {
            let start = text.len();
            write(stack, &mut text);
            Span { start, end: text.len(), count: stack.count }
        };
        let stacks = self.stacks().map(write).collect();
        Folded { text, stacks, total: self.total, scale: self.scale, notes: self.notes.clone() }
    }

    /// The stacks, in order.
    pub fn stacks(&self) -> impl DoubleEndedIterator<Item = Stack<'_>> + ExactSizeIterator {
        self.stacks.iter().map(|span| Stack { path: self.path(span), count: span.count })
    }

    /// The stacks by their frames, as [`Folded::parse`] sorts them, for a graph of boxes of at least
    /// `least` counts: what is in none of them is only counted in its callers.
    pub(crate) fn wide_stacks(&self, least: f64) -> Vec<Stack<'_>> {
        let mut spans = self.stacks.clone();
        order::sort(self.text.as_bytes(), &mut spans, least);
        spans.iter().map(|span| Stack { path: self.path(span), count: span.count }).collect()
    }

    /// All counts together; at most [`MAX_TOTAL`].
    pub fn total(&self) -> u64 {
        self.total
    }

    /// By what the counts of the file were multiplied, a power of ten, so that their fractions are
    /// kept; 1 where all are whole.
    pub fn scale(&self) -> u64 {
        self.scale
    }

    /// What a reader should know about how the bytes were taken.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The count of stacks with at least one frame that matches: what a search in the graph adds
    /// up. A stack counts once, however many of its frames match.
    pub fn matching(&self, matches: impl Fn(&str) -> bool) -> u64 {
        self.stacks().filter(|stack| stack.frames().any(&matches)).map(|stack| stack.count).sum()
    }

    /// As folded text, one line a stack, with the counts of the file where they have a fraction.
    pub fn to_text(&self) -> String {
        let mut text = Vec::new();
        self.write_text(&mut text).expect("memory can be written");
        String::from_utf8(text).expect("stacks and numbers are UTF-8")
    }

    /// Writes [`Folded::to_text`].
    pub fn write_text(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let digits = self.scale.ilog10() as usize;
        for Stack { path, count } in self.stacks() {
            match path.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
                // Not to be read as a comment.
                Some(rest) => write!(out, "#\u{a0}{} ", rest.trim_start())?,
                None => write!(out, "{path} ")?,
            }
            match (count / self.scale, count % self.scale) {
                (whole, 0) => writeln!(out, "{whole}")?,
                (whole, part) => writeln!(out, "{whole}.{part:0digits$}")?,
            }
        }
        Ok(())
    }

    /// With counts multiplied up to another scale, which is a multiple of its own.
    pub(crate) fn at_scale(&self, scale: u64) -> Folded {
        let factor = scale / self.scale;
        let mut scaled = Folded { scale, total: self.total * factor, ..self.clone() };
        scaled.stacks.iter_mut().for_each(|span| span.count *= factor);
        scaled
    }

    fn push(&mut self, span: Span) -> Result<()> {
        match self.total.checked_add(span.count) {
            Some(total) if total <= MAX_TOTAL => self.total = total,
            _ => bail!("the counts add up to more than 2^53, which no graph can show exactly"),
        }
        if span.count > 0 {
            self.stacks.push(span);
        }
        Ok(())
    }

    fn append(&mut self, part: &Folded) -> Result<()> {
        let factor = self.scale / part.scale;
        for stack in part.stacks() {
            let start = self.text.len();
            self.text.push_str(stack.path);
            let end = self.text.len();
            self.push(Span { start, end, count: stack.count.saturating_mul(factor) })?;
        }
        self.notes.extend(part.notes.iter().cloned());
        Ok(())
    }

    pub(crate) fn sort_and_merge(&mut self) {
        let text = self.text.as_bytes();
        let path = |span: &Span| &text[span.start..span.end];
        order::sort(text, &mut self.stacks, 0.0);
        self.stacks.dedup_by(|next, kept| {
            let equal = path(next) == path(kept);
            if equal {
                kept.count += next.count;
            }
            equal
        });
    }

    fn path(&self, span: &Span) -> &str {
        &self.text[span.start..span.end]
    }
}

impl<'a> Stack<'a> {
    /// The frames, root first.
    pub fn frames(self) -> impl DoubleEndedIterator<Item = &'a str> {
        self.path.split(';')
    }

    /// How many frames from the root on are those of `other` too, and the frames after them.
    pub(crate) fn apart_from(self, other: Stack<'_>) -> (usize, impl Iterator<Item = &'a str>) {
        let common = self.common_bytes(other);
        let whole = |path: &str| matches!(path.as_bytes().get(common), None | Some(b';'));
        let bytes = &self.path.as_bytes()[..common];
        let semicolons = bytes.iter().filter(|&&byte| byte == b';').count();
        let (shared, rest) = if common > 0 && whole(self.path) && whole(other.path) {
            (semicolons + 1, common + 1)
        } else {
            // The common part ends inside a frame: that frame is not shared.
            (semicolons, bytes.iter().rposition(|&byte| byte == b';').map_or(0, |at| at + 1))
        };
        (shared, self.path.get(rest..).into_iter().flat_map(|rest| rest.split(';')))
    }

    /// How many bytes at the start are those of `other` too.
    pub(crate) fn common_bytes(self, other: Stack<'_>) -> usize {
        common_prefix(self.path.as_bytes(), other.path.as_bytes())
    }

    /// The order in which a graph is drawn from left to right: by frames, root first.
    pub(crate) fn order(self, other: Stack<'_>) -> Ordering {
        by_frames(self.path.as_bytes(), other.path.as_bytes())
    }

    /// The frames joined by `;`, without the count.
    pub fn path(self) -> &'a str {
        self.path
    }
}

/// Whether the last word is a number after a space, as in a thread called `worker 3`.
pub(crate) fn ends_in_number(stack: &str) -> bool {
    let rest = stack.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    rest.len() < stack.len() && rest.ends_with(' ')
}
