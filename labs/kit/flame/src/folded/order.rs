//! The order of stacks: by frames, root first, as a graph is drawn from left to right.

use std::cmp::Ordering;
use std::thread;

use super::Span;

/// Fewer stacks are sorted before a second thread has begun.
const PARALLEL_FROM: usize = 20_000;

/// Sorts the stacks that `spans` point to in `text`, on as many CPUs as there are.
pub(super) fn sort(text: &[u8], spans: &mut [Span]) {
    let compare = |a: &Span, b: &Span| by_frames(&text[a.start..a.end], &text[b.start..b.end]);
    // What a tool wrote is sorted already, most often.
    if spans.is_sorted_by(|a, b| compare(a, b).is_le()) {
        return;
    }
    if spans.len() < PARALLEL_FROM {
        return spans.sort_unstable_by(compare);
    }
    let each = spans.len().div_ceil(threads());
    thread::scope(|scope| {
        for part in spans.chunks_mut(each) {
            scope.spawn(move || {
                let mut keyed: Vec<Keyed> =
                    part.iter().map(|&span| Keyed { key: 0, span }).collect();
                sort_from(text, &mut keyed, 0);
                part.iter_mut().zip(keyed).for_each(|(span, keyed)| *span = keyed.span);
            });
        }
    });
    // A stable sort finds the sorted parts and merges them.
    spans.sort_by(compare);
}

/// A stack and the next of its bytes.
#[derive(Clone, Copy)]
struct Keyed {
    key: u64,
    span: Span,
}

/// Sorts stacks that are equal in their first `depth` bytes, a word at a time: a comparison of whole
/// stacks reads what they have in common again and again, and waits for memory each time.
fn sort_from(text: &[u8], stacks: &mut [Keyed], depth: usize) {
    const FEW: usize = 12;
    let rest = |keyed: &Keyed, depth: usize| &text[keyed.span.start + depth..keyed.span.end];
    if stacks.len() <= FEW {
        return stacks.sort_unstable_by(|a, b| by_frames(rest(a, depth), rest(b, depth)));
    }
    stacks.iter_mut().for_each(|keyed| keyed.key = key(rest(keyed, depth)));
    stacks.sort_unstable_by_key(|keyed| keyed.key);
    for equal in stacks.chunk_by_mut(|a, b| a.key == b.key) {
        let [first, others @ ..] = &*equal else { continue };
        // A stack that ends in this word ends it with 0, and all that have its key are the same.
        if others.is_empty() || first.key & 0xff == 0 {
            continue;
        }
        let depth = depth + size_of::<u64>();
        let first = rest(first, depth);
        let common = others
            .iter()
            .fold(first.len(), |common, other| common_prefix(&first[..common], rest(other, depth)));
        sort_from(text, equal, depth + common);
    }
}

/// The next bytes as a number that sorts as they do by frames. Text that is shown has no byte under 32.
fn key(bytes: &[u8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let word = match bytes.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => {
            let mut word = [0; size_of::<u64>()];
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
        for _ in 0..3_000 {
            let start = text.len();
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            for letter in 0..4 + (state >> 59) {
                // Few letters, so that prefixes are long, and some stacks are equal.
                text.push(b"ab;;"[(state >> (2 * (letter % 24)) & 3) as usize]);
            }
            spans.push(Keyed { key: 0, span: Span { start, end: text.len(), count: 1 } });
        }
        sort_from(&text, &mut spans, 0);
        let of = |keyed: &Keyed| &text[keyed.span.start..keyed.span.end];
        assert!(spans.is_sorted_by(|a, b| by_frames(of(a), of(b)).is_le()));
    }
}
