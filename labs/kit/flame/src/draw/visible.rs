//! The lines that a graph needs: stacks cut to the frames that are wide enough to be drawn.
//!
//! Of a million distinct stacks a graph shows some ten thousand boxes. inferno looks every frame of
//! every line up in a map before it leaves the narrow ones out; here they are left out first, in one
//! pass over the stacks and without a copy of their names.

use crate::folded::Stack;

/// A number of frames from the root on, and what ends there or in narrower boxes above.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) path: &'a str,
    pub(super) count: u64,
}

/// A box that is still being added up.
struct Open {
    /// Where its frame ends in the path.
    end: usize,
    /// The counts to the left of it.
    begins: u64,
    /// How many lines there were before its own.
    lines: usize,
}

/// The stacks, with what stands in boxes of less than `least` under their callers. The boxes of at
/// least that are the same, in the same places.
pub(super) fn lines<'a>(stacks: impl IntoIterator<Item = Stack<'a>>, least: f64) -> Vec<Line<'a>> {
    let (mut lines, mut open, mut seen) = (Vec::new(), Vec::<Open>::new(), 0);
    let mut last = Stack::default();
    for stack in stacks {
        let (path, common) = (stack.path().as_bytes(), stack.common_bytes(last));
        // Both have the frame if it ends before they differ, or there in both.
        let ends = |open: &Open| {
            open.end < common || !matches!(path.get(open.end), Some(byte) if *byte != b';')
        };
        let shared = open.partition_point(|open| open.end <= common && ends(open));
        close(&mut lines, &mut open, shared, last, seen, least);
        let mut start = open.last().map_or(0, |caller| caller.end + 1);
        while start <= path.len() {
            let end = memchr::memchr(b';', &path[start..]).map_or(path.len(), |at| start + at);
            open.push(Open { end, begins: seen, lines: lines.len() });
            start = end + 1;
        }
        push(&mut lines, stack.path(), stack.count);
        seen += stack.count;
        last = stack;
    }
    close(&mut lines, &mut open, 0, last, seen, least);
    lines
}

/// Closes the boxes beyond the first `keep`; what is in narrow ones goes to their callers. That of the
/// first frame stays, since a line without one is none.
fn close<'a>(
    lines: &mut Vec<Line<'a>>,
    open: &mut Vec<Open>,
    keep: usize,
    last: Stack<'a>,
    seen: u64,
    least: f64,
) {
    while open.len() > keep {
        let Some(Open { begins, lines: before, .. }) = open.pop() else { break };
        let Some(caller) = open.last().filter(|_| ((seen - begins) as f64) < least) else {
            continue;
        };
        lines.truncate(before);
        push(lines, &last.path()[..caller.end], seen - begins);
    }
}

/// Neighbours of the same path are one line.
fn push<'a>(lines: &mut Vec<Line<'a>>, path: &'a str, count: u64) {
    match lines.last_mut() {
        Some(line) if line.path == path => line.count += count,
        _ => lines.push(Line { path, count }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::folded::Folded;

    proptest! {
        /// Few letters, so that many stacks begin alike and names begin other names.
        #[test]
        fn what_is_not_sorted_is_in_no_box(
            stacks in prop::collection::vec(("[ab]{1,9}(;[ab]{1,4}){0,7}", 1_u64..9), 13..200),
            least in 0.0..400.0,
        ) {
            let text: String =
                stacks.iter().map(|(path, count)| format!("{path} {count}\n")).collect();
            let whole = Folded::parse("in", text.as_bytes()).unwrap();
            let as_read = Folded::parse_in_order("in", text.as_bytes()).unwrap();
            prop_assert_eq!(lines(as_read.wide_stacks(least), least), lines(whole.stacks(), least));
        }
    }
}
