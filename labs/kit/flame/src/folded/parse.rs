//! Reads lines of folded text, on as many CPUs as there are, into stacks that point into the text.

use std::thread;

use anyhow::{Context as _, Error, Result, bail, ensure};

use super::{Folded, MAX_DEPTH, MAX_TOTAL, Span, ends_in_number, order};
use crate::input;

/// A smaller file is read before a second thread has begun.
const PARALLEL_FROM: usize = 4 << 20;

/// The most digits of a fraction that are kept.
const MAX_DIGITS: u32 = 9;

/// In [`Span::start`], while a file is read: the text is that of [`Piece::cleaned`].
const CLEANED: usize = 1 << (usize::BITS - 1);

// Not generic, so that they are compiled here and not in an unoptimised caller.
pub(super) fn one_column(file: &str, bytes: Vec<u8>) -> Result<Folded> {
    let [folded] = columns(file, bytes)?;
    Ok(folded)
}

pub(super) fn two_columns(file: &str, bytes: Vec<u8>) -> Result<[Folded; 2]> {
    columns(file, bytes)
}

/// One profile for each of `N` counts at the end of a line; the stacks of each as they stand.
fn columns<const N: usize>(file: &str, bytes: Vec<u8>) -> Result<[Folded; N]> {
    let (bytes, mut notes) = input::folded_text(file, bytes)?;
    let head = bytes[..bytes.len().min(input::HEAD)].to_vec();
    let mut text = String::from_utf8(bytes).unwrap_or_else(|error| {
        notes.push(format!("{file}: not all of it is UTF-8; what is not shows as \u{fffd}"));
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    });
    let at = |offset: usize, text: &str| format!("{file}:{}", line_number(text, offset));
    let mut pieces = pieces::<N>(&text)
        .map_err(|(offset, error)| input::refusal(file, &head, error.context(at(offset, &text))))?;

    let sum = |of: fn(&Piece<N>) -> usize| pieces.iter().map(of).sum::<usize>();
    let (lines, comments) = (sum(|piece| piece.lines), sum(|piece| piece.comments));
    if comments > 0 {
        let s = if comments == 1 {
            " that begins with # is a comment"
        } else {
            "s that begin with # are comments"
        };
        notes.push(format!("{file}: {comments} line{s}, left out"));
    }
    if lines > 0 && sum(|piece| piece.more_counts) == lines {
        notes.push(format!(
            "{file}: every stack ends in a number of its own, taken as part of the name; is this a differential file with two counts? `flame --diff FILE` reads one"
        ));
    }
    let scale = scale(file, &mut pieces, &mut notes);
    let mut sides: [Folded; N] = std::array::from_fn(|_| Folded { scale, ..Folded::default() });
    for piece in &mut pieces {
        let base = text.len();
        text.push_str(&piece.cleaned);
        for (side, spans) in sides.iter_mut().zip(&mut piece.spans) {
            side.total = spans.iter().fold(side.total, |sum, span| sum.saturating_add(span.count));
            spans.retain(|span| span.count > 0);
            if !piece.cleaned.is_empty() {
                for span in spans.iter_mut().filter(|span| span.start & CLEANED != 0) {
                    (span.start, span.end) = (base + span.start - CLEANED, base + span.end);
                }
            }
            side.stacks.append(spans);
        }
    }
    let which = if N == 1 { ["", ""] } else { [" before", " after"] };
    for (index, (side, which)) in sides.iter().zip(which).enumerate() {
        let some = side.total > 0;
        ensure!(some, "{file}: no samples{which}: every count is 0, or the file is empty");
        if side.total > MAX_TOTAL {
            let offset = overflow::<N>(&text, index, scale);
            return Err(Error::msg(
                "the counts add up to more than 2^53, which no graph can show exactly",
            )
            .context(at(offset, &text)));
        }
    }
    // The last side has the text itself: of a large profile no copy is cheap.
    if let Some((last, others)) = sides.split_last_mut() {
        others.iter_mut().for_each(|side| side.text.clone_from(&text));
        (last.text, last.notes) = (text, notes);
    }
    Ok(sides)
}

/// The lines of a part of a file.
struct Piece<const N: usize> {
    spans: [Vec<Span>; N],
    /// What had to be written differently.
    cleaned: String,
    /// Side, index of the span, and its count, where that is no whole number.
    fractions: Vec<(usize, usize, f64)>,
    lines: usize,
    comments: usize,
    more_counts: usize,
}

/// An error, and where the line begins that it is about.
type At<T> = Result<T, (usize, Error)>;

fn pieces<const N: usize>(text: &str) -> At<Vec<Piece<N>>> {
    let parts = if text.len() < PARALLEL_FROM { 1 } else { order::threads() };
    let mut cuts = vec![0];
    for part in 1..parts {
        let from = (text.len() / parts * part).max(cuts[cuts.len() - 1]);
        let newline = memchr::memchr(b'\n', &text.as_bytes()[from..]);
        cuts.push(newline.map_or(text.len(), |at| from + at + 1));
    }
    cuts.push(text.len());
    thread::scope(|scope| {
        let read = |cut: &[usize]| {
            let (from, to) = (cut[0], cut[1]);
            scope.spawn(move || piece(text, from, to))
        };
        let reading: Vec<_> = cuts.windows(2).map(read).collect();
        reading
            .into_iter()
            .map(|piece| piece.join().expect("reading lines does not panic"))
            .collect()
    })
}

fn piece<const N: usize>(text: &str, from: usize, to: usize) -> At<Piece<N>> {
    let mut piece = Piece {
        spans: std::array::from_fn(|_| Vec::new()),
        cleaned: String::new(),
        fractions: Vec::new(),
        lines: 0,
        comments: 0,
        more_counts: 0,
    };
    let bytes = text.as_bytes();
    let mut start = from;
    let newlines = memchr::memchr_iter(b'\n', &bytes[from..to]).map(|at| from + at);
    for newline in newlines.chain([to]) {
        let line = &text[start..newline];
        piece.line(line, start).map_err(|error| (start, error))?;
        start = newline + 1;
        if start > to {
            break;
        }
    }
    Ok(piece)
}

impl<const N: usize> Piece<N> {
    fn line(&mut self, line: &str, offset: usize) -> Result<()> {
        let start = offset + (line.len() - line.trim_ascii_start().len());
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        if is_comment(line) {
            self.comments += 1;
            return Ok(());
        }
        let (stack, counts) = match split_counts::<N>(line) {
            Err(_) if line.contains('\0') => bail!("a NUL byte: a binary file, not folded stacks"),
            other => other?,
        };
        self.lines += 1;
        self.more_counts += usize::from(ends_in_number(stack));
        let Shape { plain, depth } = shape(stack.as_bytes());
        ensure!(
            depth <= MAX_DEPTH,
            "a stack of {depth} frames; {MAX_DEPTH} is the most that can be drawn"
        );
        let (start, end) = if plain {
            (start, start + stack.len())
        } else {
            ensure!(!line.contains('\0'), "a NUL byte: a binary file, not folded stacks");
            let start = self.cleaned.len();
            push_clean(&mut self.cleaned, stack);
            (start | CLEANED, self.cleaned.len())
        };
        for (side, count) in counts.into_iter().enumerate() {
            let count = match count {
                Count::Whole(count) => count,
                Count::Fraction(value) => {
                    self.fractions.push((side, self.spans[side].len(), value));
                    0
                }
            };
            self.spans[side].push(Span { start, end, count });
        }
        Ok(())
    }
}

/// `# text`, as other tools write about a profile. A frame may begin with `#`, as Ruby's do.
fn is_comment(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// What is found of a stack in one pass over its bytes.
struct Shape {
    /// Every frame is printable ASCII, named, and without spaces at its ends.
    plain: bool,
    depth: usize,
}

fn shape(stack: &[u8]) -> Shape {
    let bad_end = |byte: Option<&u8>| matches!(byte, None | Some(b';' | b' '));
    let (mut odd, mut semicolons) = (bad_end(stack.first()) | bad_end(stack.last()), 0_usize);
    let mut look = |part: &[u8], next: &[u8]| {
        let (mut bad, mut some) = (0_u8, 0_u8);
        // Without branches, so that the compiler can take many bytes at once.
        for (&byte, &next) in part.iter().zip(next) {
            let (ends, space) = (u8::from(byte == b';'), u8::from(byte == b' '));
            let (next_ends, next_space) = (u8::from(next == b';'), u8::from(next == b' '));
            bad |= u8::from(byte.wrapping_sub(0x20) > 0x5e)
                | (ends & (next_ends | next_space))
                | (space & next_ends);
            // At most 64; a check for overflow would be a branch.
            some = some.wrapping_add(ends);
        }
        odd |= bad != 0;
        semicolons += usize::from(some);
    };
    let pairs = stack.len().saturating_sub(1);
    let (parts, rest) = stack[..pairs].as_chunks::<64>();
    let (nexts, next_rest) = stack[stack.len() - pairs..].as_chunks::<64>();
    parts.iter().zip(nexts).for_each(|(part, next)| look(part, next));
    look(rest, next_rest);
    odd |= stack.last().is_some_and(|byte| !(0x20..0x7f).contains(byte));
    Shape { plain: !odd, depth: 1 + semicolons + usize::from(stack.last() == Some(&b';')) }
}

/// A number at the end of a line.
#[derive(Clone, Copy)]
enum Count {
    Whole(u64),
    Fraction(f64),
}

/// `a;b 31 33` as `a;b`, 31 and 33, where two counts are wanted.
fn split_counts<const N: usize>(line: &str) -> Result<(&str, [Count; N])> {
    let (mut stack, mut counts) = (line, [Count::Whole(0); N]);
    for (wanted, count) in counts.iter_mut().enumerate().rev() {
        let split = split_count(stack);
        (stack, *count) =
            if wanted + 1 == N { split? } else { split.context("one count, two are needed")? };
    }
    Ok((stack, counts))
}

/// `a;b 31` as `a;b` and 31.
fn split_count(line: &str) -> Result<(&str, Count)> {
    let Some(space) = line.bytes().rposition(|byte| byte.is_ascii_whitespace()) else {
        bail!("expected `frame;frame count`, found {}", quoted(line));
    };
    let (stack, text) = (line[..space].trim_ascii_end(), &line[space + 1..]);
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let Ok(count) = text.parse() else { bail!("the count {} is too large", quoted(text)) };
        return Ok((stack, Count::Whole(count)));
    }
    // Not what else Rust reads as a number: `inf`, `nan`, a sign.
    let numeric =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let value: Option<f64> = text.parse().ok();
    match value.filter(|_| {
        text.bytes().all(numeric) && text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    }) {
        Some(value) if value <= MAX_TOTAL as f64 => Ok((stack, Count::Fraction(value))),
        Some(_) => bail!("the count {} is too large", quoted(text)),
        None => bail!("expected a number at the end of the line, found {}", quoted(text)),
    }
}

/// The power of ten that makes all counts whole; they are multiplied by it.
fn scale<const N: usize>(file: &str, pieces: &mut [Piece<N>], notes: &mut Vec<String>) -> u64 {
    let fractions = pieces.iter().flat_map(|piece| &piece.fractions).map(|&(_, _, value)| value);
    let Some(wanted) = fractions.clone().map(digits).max() else { return 1 };
    let whole = pieces.iter().flat_map(|piece| piece.spans.iter().flatten());
    let total = whole.map(|span| span.count as f64).sum::<f64>() + fractions.sum::<f64>();
    let fits = |digits: &u32| total * 10_f64.powi(digits.cast_signed()) < MAX_TOTAL as f64;
    let digits = (0..=wanted).rev().find(fits).unwrap_or(0);
    let scale = 10_u64.pow(digits);
    let mut rounded = false;
    for piece in pieces {
        for span in piece.spans.iter_mut().flatten() {
            span.count = span.count.saturating_mul(scale);
        }
        for &(side, index, value) in &piece.fractions {
            let exact = value * scale as f64;
            rounded |= (exact - exact.round()).abs() > 1e-9 * exact.max(1.0);
            piece.spans[side][index].count = exact.round() as u64;
        }
    }
    if scale > 1 {
        notes.push(format!("{file}: counts have fractions: they are multiplied by {scale}"));
    }
    if rounded {
        notes.push(format!("{file}: counts have more digits than are kept: they are rounded"));
    }
    scale
}

/// How many digits after the point a number has.
fn digits(value: f64) -> u32 {
    let is_whole = |digits: &u32| {
        let scaled = value * 10_f64.powi(digits.cast_signed());
        (scaled - scaled.round()).abs() <= 1e-9 * scaled.max(1.0)
    };
    (0..MAX_DIGITS).find(is_whole).unwrap_or(MAX_DIGITS)
}

/// Where the line begins whose count is too much.
fn overflow<const N: usize>(text: &str, side: usize, scale: u64) -> usize {
    let (mut offset, mut total) = (0, 0_u64);
    for line in text.split_inclusive('\n') {
        let counts = split_counts::<N>(line.trim_ascii()).map(|(_, counts)| counts[side]);
        total = total.saturating_add(match counts {
            Ok(Count::Whole(count)) if !is_comment(line) => count.saturating_mul(scale),
            Ok(Count::Fraction(value)) => (value * scale as f64) as u64,
            _ => 0,
        });
        if total > MAX_TOTAL {
            break;
        }
        offset += line.len();
    }
    offset
}

fn line_number(text: &str, offset: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..offset]).count()
}

/// The start of hostile text, harmless in a terminal.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let start: String = text.chars().take(SHOWN).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{more}")
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
