//! Folded stacks: one line a stack, frames root first and joined by `;`, a space, a count.
//!
//! ```text
//! main;serve;parse 31
//! main;serve;write_[k] 7
//! ```
//!
//! Every non-blank line counts: there are no comments, because a line left out is a wrong total.
//! A line that cannot be read is an error that names file and line. What can be read but not shown
//! is replaced, visibly: control characters become their pictures (`␛`), bytes that are not UTF-8
//! become `�`, frames without a name become `[unknown]`. A NUL byte means that the file is not text.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

/// The most frames a stack may have: at 16 pixels each a picture is then 160,000 pixels high.
pub const MAX_DEPTH: usize = 10_000;

/// The largest total: beyond it a browser no longer counts in whole numbers, nor does `f64`.
pub const MAX_TOTAL: u64 = 1 << 53;

/// Folded stacks in memory: checked, cleaned and counted.
///
/// The text of a file is kept as it was read and pointed into; a copy of a large profile costs
/// more than parsing it.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    /// The file, then what had to be written differently.
    text: String,
    stacks: Vec<Span>,
    total: u64,
    notes: Vec<String>,
}

#[derive(Debug, Clone)]
struct Span {
    start: usize,
    end: usize,
    /// Where the line ends, if from `start` on it reads as the stack, a space and the count.
    line_end: Option<NonZeroUsize>,
    count: u64,
}

/// One stack and how often it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a> {
    path: &'a str,
    /// Samples, microseconds or bytes, as the profile counts.
    pub count: u64,
}

impl Folded {
    /// Reads a file. See [`Folded::parse`].
    pub fn open(path: &Path) -> Result<Folded> {
        Folded::parse(&path.display().to_string(), read(path)?)
    }

    /// Reads a file as a sequence in time. See [`Folded::parse_in_order`].
    pub fn open_in_order(path: &Path) -> Result<Folded> {
        Folded::parse_in_order(&path.display().to_string(), read(path)?)
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
        let mut notes = Vec::new();
        let text = String::from_utf8(bytes.into()).unwrap_or_else(|error| {
            notes.push(format!("{file}: not all of it is UTF-8; what is not shows as \u{fffd}"));
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        let mut folded = Folded { notes, ..Folded::default() };
        let mut cleaned = String::new();
        let (mut offset, mut lines, mut two_counts) = (0, 0, 0);
        for (index, line) in text.split('\n').enumerate() {
            let start = offset + line.len() - line.trim_start().len();
            offset += line.len() + 1;
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let at = || format!("{file}:{}", index + 1);
            ensure!(!line.contains('\0'), "{}: a NUL byte: a binary file, not folded stacks", at());
            let (stack, count) = split_count(line).with_context(at)?;
            lines += 1;
            two_counts += usize::from(ends_in_number(stack));
            let span = if is_plain(stack) {
                // Another line than its words joined by one space cannot be shown as it stands.
                let as_it_stands =
                    line.as_bytes()[stack.len()..].iter().filter(|b| !b.is_ascii_digit());
                let line_end = as_it_stands.eq([&b' ']).then_some(start + line.len());
                let line_end = line_end.and_then(NonZeroUsize::new);
                Span { start, end: start + stack.len(), line_end, count }
            } else {
                let start = text.len() + cleaned.len();
                push_clean(&mut cleaned, stack);
                Span { start, end: text.len() + cleaned.len(), line_end: None, count }
            };
            folded.push(span).with_context(at)?;
        }
        ensure!(folded.total > 0, "{file}: no samples: every count is 0, or the file is empty");
        if two_counts == lines {
            folded.notes.push(format!(
                "{file}: every stack ends in a number of its own, taken as part of the name; is this a differential file with two counts?"
            ));
        }
        folded.text = text;
        folded.text.push_str(&cleaned);
        Ok(folded)
    }

    /// Several profiles as one: counts of equal stacks add up.
    pub fn merge<'a>(parts: impl IntoIterator<Item = &'a Folded>) -> Result<Folded> {
        let mut merged = Folded::default();
        for part in parts {
            for stack in part.stacks() {
                let start = merged.text.len();
                merged.text.push_str(stack.path);
                let end = merged.text.len();
                merged.push(Span { start, end, line_end: None, count: stack.count })?;
            }
            merged.notes.extend(part.notes.iter().cloned());
        }
        merged.sort_and_merge();
        Ok(merged)
    }

    /// Every stack leaf first, merged again: who ends here, and who called it.
    pub fn reversed(&self) -> Folded {
        let mut reversed =
            Folded { total: self.total, notes: self.notes.clone(), ..Folded::default() };
        for stack in self.stacks() {
            let start = reversed.text.len();
            for frame in stack.frames().rev() {
                reversed.text.push_str(frame);
                reversed.text.push(';');
            }
            reversed.text.pop();
            let end = reversed.text.len();
            reversed.stacks.push(Span { start, end, line_end: None, count: stack.count });
        }
        reversed.sort_and_merge();
        reversed
    }

    /// The stacks, in order.
    pub fn stacks(&self) -> impl DoubleEndedIterator<Item = Stack<'_>> + ExactSizeIterator {
        self.stacks.iter().map(|span| Stack { path: self.path(span), count: span.count })
    }

    /// All counts together; at most [`MAX_TOTAL`].
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What a reader should know about how the bytes were taken.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The count of stacks with at least one frame that matches: what a search in the picture adds
    /// up. A stack counts once, however many of its frames match.
    pub fn matching(&self, matches: impl Fn(&str) -> bool) -> u64 {
        self.stacks().filter(|stack| stack.frames().any(&matches)).map(|stack| stack.count).sum()
    }

    /// As folded text, one line a stack.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in self.lines() {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Each stack as a line of folded text.
    pub fn lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.stacks.iter().map(|span| match span.line_end {
            Some(end) => Cow::Borrowed(&self.text[span.start..end.get()]),
            None => Cow::Owned(format!("{} {}", self.path(span), span.count)),
        })
    }

    fn push(&mut self, span: Span) -> Result<()> {
        match self.total.checked_add(span.count) {
            Some(total) if total <= MAX_TOTAL => self.total = total,
            _ => bail!("the counts add up to more than 2^53, which no picture can show exactly"),
        }
        if span.count > 0 {
            self.stacks.push(span);
        }
        Ok(())
    }

    fn sort_and_merge(&mut self) {
        let text = &self.text;
        self.stacks
            .sort_unstable_by(|a, b| by_frames(&text[a.start..a.end], &text[b.start..b.end]));
        self.stacks.dedup_by(|next, kept| {
            let equal = text[next.start..next.end] == text[kept.start..kept.end];
            if equal {
                kept.count += next.count;
                kept.line_end = None;
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

    /// The frames joined by `;`, without the count.
    pub fn path(self) -> &'a str {
        self.path
    }
}

/// By frames, root first: the order in which a graph is drawn from left to right.
impl Ord for Stack<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        by_frames(self.path, other.path).then(self.count.cmp(&other.count))
    }
}

impl PartialOrd for Stack<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of frame lists. As plain text `a` and `a;b` would stand apart, with `a::b` between
/// them, and one frame would be drawn as two: so `;` sorts below every other byte.
fn by_frames(a: &str, b: &str) -> Ordering {
    const CHUNK: usize = 16;
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // Stacks share long prefixes: past them by the chunk.
    let pairs = a.chunks_exact(CHUNK).zip(b.chunks_exact(CHUNK));
    let equal = CHUNK * pairs.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[equal..], &b[equal..]);
    let differ = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rank = |bytes: &[u8]| bytes.get(differ).map(|&byte| if byte == b';' { 0 } else { byte });
    rank(a).cmp(&rank(b))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// `a;b 31` as `a;b` and 31.
fn split_count(line: &str) -> Result<(&str, u64)> {
    let Some((stack, count)) = line.rsplit_once(|c: char| c.is_ascii_whitespace()) else {
        bail!("expected `frame;frame count`, found {}", quoted(line));
    };
    if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) {
        let Ok(count) = count.parse() else { bail!("the count {} is too large", quoted(count)) };
        let depth = 1 + stack.bytes().filter(|&byte| byte == b';').count();
        ensure!(
            depth <= MAX_DEPTH,
            "a stack of {depth} frames; {MAX_DEPTH} is the most that can be drawn"
        );
        return Ok((stack.trim_end(), count));
    }
    bail!("expected a whole number at the end of the line, found {}", quoted(count))
}

/// The start of hostile text, harmless in a terminal.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let start: String = text.chars().take(SHOWN).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{more}")
}

/// Whether the last word is a number after a space, as in a thread called `worker 3`.
pub(crate) fn ends_in_number(stack: &str) -> bool {
    let rest = stack.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    rest.len() < stack.len() && rest.ends_with(' ')
}

/// Whether every frame is printable ASCII, named, and without spaces at its ends.
fn is_plain(stack: &str) -> bool {
    // Without branches, so that the compiler can take many bytes at once.
    let printable = stack.bytes().fold(true, |all, byte| all & (0x20..0x7f).contains(&byte));
    let loose = [";;", " ;", "; "];
    printable
        && !stack.starts_with([';', ' '])
        && !stack.ends_with([';', ' '])
        && !loose.iter().any(|loose| stack.contains(loose))
}

/// Writes a stack so that every frame has a name and every character can be shown.
fn push_clean(text: &mut String, stack: &str) {
    for frame in stack.split(';').map(str::trim) {
        text.push_str(if frame.is_empty() { "[unknown]" } else { "" });
        text.extend(frame.chars().map(showable));
        text.push(';');
    }
    text.pop();
}

fn showable(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        // Not characters at all, or able to reorder what stands around them.
        '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    }
}
