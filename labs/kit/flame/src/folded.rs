//! Folded stacks: one line a stack, frames root first and joined by `;`, a space, a count.
//!
//! ```text
//! main;serve;parse 31
//! main;serve;write_[k] 7
//! ```
//!
//! A differential file, as difffolded.pl writes it, has two counts a line, before and after.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
        one_column(file, bytes.into())
    }

    /// Both sides of a differential file: `a;b 31 33` is 31 before and 33 after. See
    /// [`Folded::parse`].
    pub fn parse_differential(file: &str, bytes: impl Into<Vec<u8>>) -> Result<[Folded; 2]> {
        let mut sides = two_columns(file, bytes.into())?;
        sides.iter_mut().for_each(Folded::sort_and_merge);
        Ok(sides)
    }

    /// Several profiles as one: counts of equal stacks add up.
    pub fn merge<'a>(parts: impl IntoIterator<Item = &'a Folded>) -> Result<Folded> {
        let mut merged = Folded::default();
        parts.into_iter().try_for_each(|part| merged.append(part))?;
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

    fn append(&mut self, part: &Folded) -> Result<()> {
        for stack in part.stacks() {
            let start = self.text.len();
            self.text.push_str(stack.path);
            let end = self.text.len();
            self.push(Span { start, end, line_end: None, count: stack.count })?;
        }
        self.notes.extend(part.notes.iter().cloned());
        Ok(())
    }

    fn sort_and_merge(&mut self) {
        let text = self.text.as_bytes();
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

    /// How many frames from the root on are those of `other` too, and the frames after them.
    pub(crate) fn apart_from(self, other: Stack<'_>) -> (usize, impl Iterator<Item = &'a str>) {
        let common = common_prefix(self.path.as_bytes(), other.path.as_bytes());
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

    /// The order in which a graph is drawn from left to right: by frames, root first.
    pub(crate) fn order(self, other: Stack<'_>) -> Ordering {
        by_frames(self.path.as_bytes(), other.path.as_bytes())
    }

    /// The frames joined by `;`, without the count.
    pub fn path(self) -> &'a str {
        self.path
    }
}

/// The order of frame lists. As plain text `a` and `a;b` would stand apart, with `a::b` between
/// them, and one frame would be drawn as two: so `;` sorts below every other byte.
fn by_frames(a: &[u8], b: &[u8]) -> Ordering {
    let differ = common_prefix(a, b);
    let rank = |bytes: &[u8]| bytes.get(differ).map(|&byte| if byte == b';' { 0 } else { byte });
    rank(a).cmp(&rank(b))
}

/// The number of equal bytes at the start.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const CHUNK: usize = 32;
    const WORD: usize = size_of::<u64>();
    // Stacks share long prefixes: past them by the chunk, whose length the compiler must know.
    let pairs = a.as_chunks::<CHUNK>().0.iter().zip(b.as_chunks::<CHUNK>().0);
    let equal = CHUNK * pairs.take_while(|(a, b)| a == b).count();
    let (rest_a, rest_b) = (&a[equal..], &b[equal..]);
    let words = rest_a.as_chunks::<WORD>().0.iter().zip(rest_b.as_chunks::<WORD>().0);
    let mut passed = equal;
    for (a, b) in words {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return passed + differ.trailing_zeros() as usize / 8;
        }
        passed += WORD;
    }
    passed + a[passed..].iter().zip(&b[passed..]).take_while(|(a, b)| a == b).count()
}

// Not generic, so that they are compiled here and not in an unoptimised caller.
fn one_column(file: &str, bytes: Vec<u8>) -> Result<Folded> {
    let [folded] = parse_columns(file, bytes)?;
    Ok(folded)
}

fn two_columns(file: &str, bytes: Vec<u8>) -> Result<[Folded; 2]> {
    parse_columns(file, bytes)
}

/// One profile for each of `N` counts at the end of a line; the stacks of each as they stand.
fn parse_columns<const N: usize>(file: &str, bytes: Vec<u8>) -> Result<[Folded; N]> {
    let mut notes = Vec::new();
    let mut text = String::from_utf8(bytes).unwrap_or_else(|error| {
        notes.push(format!("{file}: not all of it is UTF-8; what is not shows as \u{fffd}"));
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    });
    let mut sides: [Folded; N] = std::array::from_fn(|_| Folded::default());
    let mut cleaned = String::new();
    let (mut offset, mut lines, mut more_counts) = (0, 0, 0);
    for (index, line) in text.split('\n').enumerate() {
        let start = offset + line.len() - line.trim_start().len();
        offset += line.len() + 1;
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let at = || format!("{file}:{}", index + 1);
        ensure!(!line.contains('\0'), "{}: a NUL byte: a binary file, not folded stacks", at());
        let (stack, counts) = split_counts::<N>(line).with_context(at)?;
        lines += 1;
        more_counts += usize::from(ends_in_number(stack));
        let (start, end, plain) = if is_plain(stack) {
            (start, start + stack.len(), true)
        } else {
            let start = text.len() + cleaned.len();
            push_clean(&mut cleaned, stack);
            (start, text.len() + cleaned.len(), false)
        };
        // Another line than its words joined by one space cannot be shown as it stands.
        let rest = line[stack.len()..].bytes().filter(|byte| !byte.is_ascii_digit());
        let whole = N == 1 && plain && rest.eq([b' ']);
        let line_end = NonZeroUsize::new(start + line.len()).filter(|_| whole);
        for (side, count) in sides.iter_mut().zip(counts) {
            side.push(Span { start, end, line_end, count }).with_context(at)?;
        }
    }
    if more_counts == lines {
        notes.push(format!(
            "{file}: every stack ends in a number of its own, taken as part of the name; is this a differential file with two counts? `flame --diff FILE` reads one"
        ));
    }
    let which = if N == 1 { ["", ""] } else { [" before", " after"] };
    for (side, which) in sides.iter().zip(which) {
        let some = side.total > 0;
        ensure!(some, "{file}: no samples{which}: every count is 0, or the file is empty");
    }
    // The last side has the text itself: of a large profile no copy is cheap.
    text.push_str(&cleaned);
    if let Some((last, others)) = sides.split_last_mut() {
        others.iter_mut().for_each(|side| side.text.clone_from(&text));
        (last.text, last.notes) = (text, notes);
    }
    Ok(sides)
}

/// `bytes` with every address in a name written `0x...`, as difffolded.pl's `-s` has it: else no two
/// runs share a stack that holds one.
pub fn strip_hex(bytes: &[u8]) -> Vec<u8> {
    let mut stripped = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) =
        rest.windows(3).position(|b| b.starts_with(b"0x") && b[2].is_ascii_hexdigit())
    {
        stripped.extend(&rest[..at]);
        stripped.extend(b"0x...");
        let digits = rest[at + 2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        rest = &rest[at + 2 + digits..];
    }
    stripped.extend(rest);
    stripped
}

/// All of a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// `a;b 31 33` as `a;b`, 31 and 33, where two counts are wanted.
fn split_counts<const N: usize>(line: &str) -> Result<(&str, [u64; N])> {
    let (mut stack, mut counts) = (line, [0; N]);
    for (wanted, count) in counts.iter_mut().enumerate().rev() {
        let split = split_count(stack);
        (stack, *count) =
            if wanted + 1 == N { split? } else { split.context("one count, two are wanted")? };
    }
    Ok((stack, counts))
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
