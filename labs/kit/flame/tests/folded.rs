//! Folded stacks: what is read, what is refused, and that no order of lines shows.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use lab_flame::folded::{Folded, MAX_DEPTH, MAX_TOTAL, strip_hex};
use proptest::prelude::*;

fn parse(text: &str) -> Folded {
    Folded::parse("in.folded", text.as_bytes()).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    format!("{:#}", Folded::parse("in.folded", bytes).unwrap_err())
}

#[test]
fn equal_stacks_merge_and_order_is_lost() {
    let folded = parse("b 1\na;b;c 31\nb 2\n\n  a 4\r\n");
    assert_eq!(folded.to_text(), "a 4\na;b;c 31\nb 3\n");
    assert_eq!(folded.total(), 38);
}

/// FG-11: a line is frames joined by `;` and a count, so a filter on lines is a filter on stacks.
#[test]
fn a_filter_on_lines_filters_stacks() {
    let text = "a;b;c 31\na;x 5\nb;c 2\n";
    let kept: String = text.split_inclusive('\n').filter(|line| line.contains("b;c")).collect();
    assert_eq!(parse(&kept).total(), 33);
    assert_eq!(parse(text).matching(|frame| frame == "b"), 33);
}

/// FG-9: nested matches count once.
#[test]
fn matching_counts_a_stack_once() {
    let folded = parse("f;f;f 10\nf;g 5\nh 85\n");
    assert_eq!(folded.matching(|frame| frame == "f"), 15);
}

#[test]
fn frames_sort_by_frame_not_by_line() {
    // As lines these sort a, a::b, a;b: the two stacks of `a` apart.
    assert_eq!(parse("a;b 1\na::b 2\na 3\n").to_text(), "a 3\na;b 1\na::b 2\n");
}

#[test]
fn reversing_merges_by_leaf() {
    let reversed = parse("a;b;c 1\nx;c 2\nc 4\n").reversed();
    assert_eq!(reversed.to_text(), "c 4\nc;b;a 1\nc;x 2\n");
    assert_eq!(reversed.total(), 7);
}

#[test]
fn order_in_time_is_kept_for_charts() {
    let folded = Folded::parse_in_order("in", b"b 1\na 2\nb 3\n").unwrap();
    assert_eq!(folded.to_text(), "b 1\na 2\nb 3\n");
}

#[test]
fn errors_name_file_and_line() {
    for (bytes, line, says) in [
        (&b"a 1\nno-count\n"[..], 2, "expected `frame;frame count`"),
        (b"a 1\na;b -4\n", 2, "whole number"),
        (b"a 1\n\n\na;b 1.5\n", 4, "whole number"),
        (b"31\n", 1, "expected `frame;frame count`"),
        (b"a 99999999999999999999\n", 1, "too large"),
        (b"a 9007199254740992\nb 1\n", 2, "2^53"),
        (b"a 1\n\x7fELF\0\0 1\n", 2, "binary"),
        (b"\x7fELF\x02\0\0 \0x\n", 1, "binary"),
        (b"a; 12 b\n", 1, "whole number"),
    ] {
        let error = refusal(bytes);
        assert!(error.starts_with(&format!("in.folded:{line}: ")), "{error}");
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn no_samples_is_an_error() {
    for bytes in [&b""[..], b"\n \n", b"a;b 0\n"] {
        assert!(refusal(bytes).contains("no samples"));
    }
}

#[test]
fn an_error_quotes_little_and_nothing_live() {
    let error = refusal(format!("\x1b[31m{}", "x".repeat(10_000_000)).as_bytes());
    assert!(error.len() < 200 && !error.contains('\x1b'), "{error}");
}

#[test]
fn the_largest_total_is_counted_exactly() {
    assert_eq!(parse(&format!("a {}\nb 1\n", MAX_TOTAL - 1)).total(), MAX_TOTAL);
}

#[test]
fn ten_megabyte_lines() {
    let name = "n".repeat(10_000_000);
    assert_eq!(parse(&format!("a;{name} 7\n")).total(), 7);
    let deep = format!("{}a 7\n", "a;".repeat(5_000_000));
    assert!(refusal(deep.as_bytes()).contains(&format!("{MAX_DEPTH} is the most")));
}

#[test]
fn unshowable_text_is_replaced_visibly() {
    let folded = Folded::parse("in", b"a\x1b[2J;b\xff\xfe;;c\x07 3\n").unwrap();
    assert_eq!(folded.to_text(), "a\u{241b}[2J;b\u{fffd}\u{fffd};[unknown];c\u{2407} 3\n");
    assert!(folded.notes()[0].contains("UTF-8"), "{:?}", folded.notes());
}

#[test]
fn names_may_hold_spaces_and_numbers() {
    let folded = parse("tokio worker 3;main loop 7 20\nother 1\n");
    let stack: Vec<_> = folded.stacks().last().unwrap().frames().collect();
    assert_eq!(stack, ["tokio worker 3", "main loop 7"]);
    assert!(folded.notes().is_empty());
}

#[test]
fn a_file_of_two_counts_is_noticed() {
    assert!(parse("a;b 10 20\na;c 5 0\n").notes()[0].contains("two counts"));
}

#[test]
fn a_differential_file_is_both_sides() {
    let read = |text: &str| Folded::parse_differential("in", text.as_bytes());
    let [before, after] = read("b\u{7};c 1 0\na;b 31 33\n a;x  0\t2\n").unwrap();
    assert_eq!(before.to_text(), "a;b 31\nb\u{2407};c 1\n");
    assert_eq!(after.to_text(), "a;b 33\na;x 2\n");
    for (text, says) in [
        ("a;b 3\n", "in:1: one count, two are wanted"),
        ("a 1 2\na;b -1 3\n", "in:2: one count, two are wanted"),
        ("a 0 3\n", "no samples before"),
        ("a 3 0\n", "no samples after"),
    ] {
        let refusal = format!("{:#}", read(text).unwrap_err());
        assert!(refusal.contains(says), "{refusal}");
    }
}

/// DFG-6, as difffolded.pl's `-s` has it.
#[test]
fn addresses_are_stripped() {
    for (from, to) in [
        ("a;0x7f01 5", "a;0x... 5"),
        ("0xAbCg0x1;x0x1g 2", "0x...g0x...;x0x...g 2"),
        ("0x;0xg;0 x1 3", "0x;0xg;0 x1 3"),
        ("0x", "0x"),
        ("", ""),
    ] {
        assert_eq!(strip_hex(from.as_bytes()), to.as_bytes(), "{from}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// FG-1: permuting the lines changes nothing.
    #[test]
    fn shuffled_lines_read_the_same(mut lines in prop::collection::vec("[a-c](;[a-c:!]{1,2}){0,4} [1-9]", 1..40), seed: u64) {
        let sorted = parse(&lines.join("\n")).to_text();
        let mut state = seed | 1;
        for i in (1..lines.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            lines.swap(i, (state >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(parse(&lines.join("\n")).to_text(), sorted);
    }

    /// What is written reads back as the same stacks.
    #[test]
    fn text_round_trips(lines in prop::collection::vec("\\PC{0,12}(;\\PC{0,6}){0,3} [0-9]{1,6}", 1..20)) {
        if let Ok(folded) = Folded::parse("in", lines.join("\n").as_bytes()) {
            let again = parse(&folded.to_text());
            prop_assert_eq!(again.to_text(), folded.to_text());
            prop_assert_eq!(again.total(), folded.total());
        }
    }

    /// Whatever the bytes: no panic, and a total that is the sum of the stacks.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(folded) = Folded::parse("in", bytes) {
            prop_assert_eq!(folded.stacks().map(|stack| stack.count).sum::<u64>(), folded.total());
            prop_assert_eq!(folded.reversed().total(), folded.total());
        }
    }
}
