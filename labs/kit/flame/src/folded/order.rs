//! The order of stacks: by frames, root first, as a graph is drawn from left to right.

use std::cmp::Ordering;
use std::sync::Mutex;
use std::{mem, thread};

use super::Span;

/// Fewer stacks are sorted before a second thread has begun.
const PARALLEL_FROM: usize = 20_000;

const WORD: usize = size_of::<u64>();

/// A stack and the next of its bytes.
#[derive(Clone, Copy)]
struct Keyed {
    key: u64,
    span: Span,
}

/// Stacks that are equal in their first `depth` bytes.
struct Part<'a> {
    stacks: &'a mut [Keyed],
    depth: usize,
}

/// Sorts the stacks that `spans` point to in `text`, on as many CPUs as there are.
///
/// What a graph does not show is not sorted: where the stacks that begin alike have less than `least`
/// counts together, so has every box that they alone are in, and one stack stands for all, which ends
/// before those boxes. With a `least` of 0 all stay.
pub(super) fn sort(text: &[u8], spans: &mut Vec<Span>, least: f64) {
    let path = |span: &Span| &text[span.start..span.end];
    // What a tool wrote is sorted already, most often.
    if spans.is_sorted_by(|a, b| by_frames(path(a), path(b)).is_le()) {
        return;
    }
    let mut keyed: Vec<Keyed> = spans.iter().map(|&span| Keyed { key: 0, span }).collect();
    let mut parts = vec![Part { stacks: &mut keyed, depth: 0 }];
    while !parts.is_empty() {
        parts = sort_all(text, parts, least);
    }
    spans.clear();
    spans.extend(keyed.iter().map(|keyed| keyed.span).filter(|span| span.count > 0));
}

/// Sorts the parts, and returns what is large in them and not sorted yet.
fn sort_all<'a>(text: &[u8], parts: Vec<Part<'a>>, least: f64) -> Vec<Part<'a>> {
    let others = parts.len().min(threads()) - 1;
    let parts = Mutex::new(parts.into_iter());
    // Not `while let`, which would hold the lock while it sorts.
    let next = || parts.lock().expect("sorting does not panic").next();
    let work = || {
        let mut large = Vec::new();
        while let Some(part) = next() {
            sort_from(text, part, least, &mut large);
        }
        large
    };
    thread::scope(|scope| {
        let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        let mut large = work();
        for other in others {
            large.append(&mut other.join().expect("sorting does not panic"));
        }
        large
    })
}

/// Sorts by the next word, and what is equal in it by those after it, but for what is `large`: a
/// comparison of whole stacks reads what they have in common again and again, and waits for memory each
/// time.
fn sort_from<'a>(text: &[u8], part: Part<'a>, least: f64, large: &mut Vec<Part<'a>>) {
    const FEW: usize = 12;
    let Part { stacks, depth } = part;
    let rest = |span: &Span, depth: usize| &text[span.start + depth..span.end];
    if stacks.len() <= FEW {
        let rest = |keyed: &Keyed| rest(&keyed.span, depth);
        return stacks.sort_unstable_by(|a, b| by_frames(rest(a), rest(b)));
    }
    stacks.iter_mut().for_each(|keyed| keyed.key = key(rest(&keyed.span, depth)));
    stacks.sort_unstable_by_key(|keyed| keyed.key);
    let depth_after = depth + WORD;
    let mut last_cut: Option<&mut Span> = None;
    for equal in stacks.chunk_by_mut(|a, b| a.key == b.key) {
        let before = last_cut.take();
        if equal[0].ends() {
            merge(equal);
        } else if let Some(end) = narrow_from(text, equal, depth_after, least) {
            let span = merge(equal);
            span.end = span.start + end;
            let of_one_caller = |cut: &&mut Span| {
                let equal = depth.min(end);
                cut.end - cut.start == end && rest(cut, equal) == rest(span, equal)
            };
            last_cut = Some(match before.filter(of_one_caller) {
                Some(cut) => {
                    cut.count += mem::take(&mut span.count);
                    cut
                }
                None => span,
            });
        } else {
            let first = rest(&equal[0].span, depth_after);
            let common = equal[1..].iter().fold(first.len(), |common, other| {
                common_prefix(&first[..common], rest(&other.span, depth_after))
            });
            let part = Part { stacks: equal, depth: depth_after + common };
            if part.stacks.len() < PARALLEL_FROM {
                sort_from(text, part, least, large);
            } else {
                large.push(part);
            }
        }
    }
}

impl Keyed {
    /// Whether the stack ends in this word: it ends it with 0, and all that have its key are the same.
    fn ends(&self) -> bool {
        self.key & 0xff == 0
    }
}

/// Makes the first of stacks that count as one stand for all of them.
fn merge(stacks: &mut [Keyed]) -> &mut Span {
    let count = stacks.iter().map(|keyed| keyed.span.count).sum();
    stacks.iter_mut().for_each(|keyed| keyed.span.count = 0);
    stacks[0].span.count = count;
    &mut stacks[0].span
}

/// Where the caller ends of the boxes that are in these stacks alone, all that have their first `depth`
/// bytes; `None` where such a box may have `least` counts, or would be the first of a stack.
fn narrow_from(text: &[u8], stacks: &[Keyed], depth: usize, least: f64) -> Option<usize> {
    let count: u64 = stacks.iter().map(|keyed| keyed.span.count).sum();
    let start = stacks[0].span.start;
    let is_narrow = (count as f64) < least;
    is_narrow.then(|| memchr::memrchr(b';', &text[start..start + depth])).flatten()
}

/// The next bytes as a number that sorts as they do by frames. Text that is shown has no byte under 32.
fn key(bytes: &[u8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let word = match bytes.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => {
            let mut word = [0; WORD];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(word)
        }
    };
    // The high bit of each byte that is `;`; without carries, so no neighbour of one is taken for it.
    let differ = word ^ (ONES * u64::from(b';'));
    let semicolons = !(((differ & !HIGH) + !HIGH) | differ | !HIGH);
    let mask = (semicolons >> 7) * 0xff;
    (word & !mask) | ((semicolons >> 7) & ONES)
}

/// How many threads read and sort a large file.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, |cpus| cpus.get().min(8))
}

/// The order of frame lists. As plain text `a` and `a;b` would stand apart, with `a::b` between
/// them, and one frame would be drawn as two: so `;` sorts below every other byte.
pub(super) fn by_frames(a: &[u8], b: &[u8]) -> Ordering {
    let differ = common_prefix(a, b);
    let rank = |bytes: &[u8]| bytes.get(differ).map(|&byte| if byte == b';' { 0 } else { byte });
    rank(a).cmp(&rank(b))
}

/// The number of equal bytes at the start.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const CHUNK: usize = 32;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_stacks_do() {
        let stacks: [&[u8]; 12] = [
            b"",
            b"a",
            b"a;",
            b"a;b",
            b"a;b;c;d;e",
            b"a b",
            b"a::b",
            b"a:b;c",
            b"a<b",
            b"ab",
            b"ab;c",
            "\u{e9};a".as_bytes(),
        ];
        for (a, b) in stacks.iter().zip(&stacks[1..]) {
            assert_eq!(by_frames(a, b), Ordering::Less, "{a:?} {b:?}");
            assert!(key(a) <= key(b), "{a:?} {b:?}");
        }
        assert_eq!(key(b";:<:;;a;"), 0x013a_3c3a_0101_6101);
    }

    #[test]
    fn sorting_by_words_sorts_by_frames() {
        let (mut text, mut spans) = (Vec::new(), Vec::new());
        let mut state = 7_u64;
        for _ in 0..60_000 {
            let start = text.len();
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            for letter in 0..4 + (state >> 59) {
                // Few letters, so that prefixes are long, and some stacks are equal.
                text.push(b"ab;;"[(state >> (2 * (letter % 24)) & 3) as usize]);
            }
            spans.push(Span { start, end: text.len(), count: 1 });
        }
        sort(&text, &mut spans, 0.0);
        assert_eq!(spans.iter().map(|span| span.count).sum::<u64>(), 60_000);
        let of = |span: &Span| &text[span.start..span.end];
        assert!(spans.is_sorted_by(|a, b| by_frames(of(a), of(b)).is_le()));
    }
}
