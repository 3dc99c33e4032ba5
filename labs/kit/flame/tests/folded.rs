//! Folded stacks: what is read, what is refused, and that no order of lines shows.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use lab_flame::folded::{Folded, MAX_DEPTH, MAX_TOTAL, Weights, count_samples};
use lab_flame::strip::strip_hex;
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
        (b"a 1\na;b -4\n", 2, "a number at the end"),
        (b"a 1\n\n\na;b inf\n", 4, "a number at the end"),
        (b"a 1\n\n\na;b 1e300\n", 4, "too large"),
        (b"31\n", 1, "expected `frame;frame count`"),
        (b"a 99999999999999999999\n", 1, "too large"),
        (b"a 9007199254740992\nb 1\n", 2, "2^53"),
        (b"a 1\n\x7fELF\0\0 1\n", 2, "binary"),
        (b"\x01\x02\0\0 \0x\n", 1, "binary"),
        (b"a; 12 b\n", 1, "a number at the end"),
    ] {
        let error = refusal(bytes);
        assert!(error.starts_with(&format!("in.folded:{line}: ")), "{error}");
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn an_empty_profile_is_an_error() {
    for bytes in [&b""[..], b"\n \n", b"a;b 0\n"] {
        assert!(refusal(bytes).contains("no samples"));
    }
}

#[test]
fn an_error_quotes_a_short_and_harmless_excerpt() {
    let error = refusal(format!("\x1b[31m{}", "x".repeat(10_000_000)).as_bytes());
    assert!(error.len() < 200 && !error.contains('\x1b'), "{error}");
}

#[test]
fn the_largest_total_is_counted_exactly() {
    assert_eq!(parse(&format!("a {}\nb 1\n", MAX_TOTAL - 1)).total(), MAX_TOTAL);
}

#[test]
fn lines_of_ten_megabytes_are_read() {
    let name = "n".repeat(10_000_000);
    assert_eq!(parse(&format!("a;{name} 7\n")).total(), 7);
    let deep = format!("{}a 7\n", "a;".repeat(5_000_000));
    assert!(refusal(deep.as_bytes()).contains(&format!("{MAX_DEPTH} is the most")));
}

#[test]
fn unprintable_text_is_replaced_visibly() {
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
fn a_file_with_two_counts_a_line_gets_a_note() {
    assert!(parse("a;b 10 20\na;c 5 0\n").notes()[0].contains("two counts"));
}

#[test]
fn a_differential_file_is_split_into_both_sides() {
    let read = |text: &str| Folded::parse_differential("in", text.as_bytes());
    let [before, after] = read("b\u{7};c 1 0\na;b 31 33\n a;x  0\t2\n").unwrap();
    assert_eq!(before.to_text(), "a;b 31\nb\u{2407};c 1\n");
    assert_eq!(after.to_text(), "a;b 33\na;x 2\n");
    for (text, says) in [
        ("a;b 3\n", "in:1: one count, two are needed"),
        ("a 1 2\na;b -1 3\n", "in:2: one count, two are needed"),
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

#[test]
fn comments_are_left_out_and_counted() {
    let text = "# tool: 3.3\n#\n\nP7;T8;run 180\n  # end: 12\n#new;call 20\n";
    let folded = parse(text);
    assert_eq!(folded.to_text(), "#new;call 20\nP7;T8;run 180\n");
    assert!(folded.notes()[0].contains("3 lines that begin with # are comments"));
    assert!(parse("#a;b 1\n").notes().is_empty());
}

#[test]
fn fractions_are_kept_by_a_scale() {
    let folded = parse("main;a 10.5\nmain;b 3.25\nmain;c 1e3\n");
    assert_eq!((folded.scale(), folded.total()), (100, 101_375));
    assert_eq!(folded.to_text(), "main;a 10.50\nmain;b 3.25\nmain;c 1000\n");
    assert!(folded.notes()[0].contains("multiplied by 100"), "{:?}", folded.notes());
    assert_eq!(parse("a 1e3\nb 2.0\n").scale(), 1);
    // With a file of whole numbers each keeps its weight.
    let both = Folded::merge([&folded, &parse("main;a 2\n")]).unwrap();
    assert!(both.to_text().starts_with("main;a 12.50\n"));
    // More digits than a graph can count.
    let rounded = parse("a 0.333333333333\nb 9e9\n");
    assert!(rounded.total() < MAX_TOTAL && rounded.scale() > 1);
    assert!(rounded.notes().iter().any(|note| note.contains("rounded")), "{:?}", rounded.notes());
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_name() {
    assert_eq!(parse("\u{feff}main;a 10\r\nmain;b 5\r\n").to_text(), "main;a 10\nmain;b 5\n");
}

#[test]
fn counts_that_share_a_large_divisor_are_periods() {
    let mut sides = [parse("a 20202020\nb 10101010\n"), parse("a 30303030\n")];
    assert_eq!(Weights::of(&sides), Weights::Periods(10_101_010));
    let said = count_samples(&mut sides.each_mut()).unwrap();
    assert!(said.contains("10101010"), "{said}");
    assert_eq!((sides[0].to_text().as_str(), sides[0].total()), ("a 2\nb 1\n", 3));
    assert_eq!(sides[1].total(), 3);
    for samples in ["a 500\nb 500\n", "a 7000\nb 7000\n", "a 3\nb 1000000\nc 1\n"] {
        assert_eq!(Weights::of(&[parse(samples)]), Weights::Samples, "{samples}");
    }
    let cycles: String = (1..20).map(|i| format!("f{i} {}\n", 10_007 * i + 1)).collect();
    assert_eq!(Weights::of(&[parse(&cycles)]), Weights::Amounts);
    assert_eq!(Weights::of(&[parse("a 1.5\n")]), Weights::Amounts);
}

#[test]
fn lines_read_by_several_threads_equal_those_read_by_one() {
    use std::fmt::Write as _;
    let (mut text, mut total) = (String::from("# head\n"), 0);
    // More than a thread reads alone, in no order, some of it not to be shown as it stands.
    for i in 0_u64..200_000 {
        let name = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let odd = if i % 1_000 == 0 { "\u{7}" } else { "" };
        writeln!(text, "main;serve_{};leaf{odd}_{name} {}", name % 7, i % 5 + 1).unwrap();
        total += i % 5 + 1;
    }
    let folded = parse(&text);
    assert_eq!(folded.total(), total);
    let stacks: Vec<_> = folded.stacks().map(|stack| stack.path().to_owned()).collect();
    let frames = |path: &String| path.split(';').map(str::to_owned).collect::<Vec<_>>();
    assert!(stacks.is_sorted_by_key(frames) && stacks.iter().any(|path| path.contains('\u{2407}')));
    let refused = refusal(format!("{text}no count\n").as_bytes());
    assert!(refused.starts_with("in.folded:200002: expected"), "{refused}");
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
    fn folded_text_is_written_and_read_back_unchanged(lines in prop::collection::vec("\\PC{0,12}(;\\PC{0,6}){0,3} [0-9]{1,6}", 1..20)) {
        if let Ok(folded) = Folded::parse("in", lines.join("\n").as_bytes()) {
            let again = parse(&folded.to_text());
            prop_assert_eq!(again.to_text(), folded.to_text());
            prop_assert_eq!(again.total(), folded.total());
        }
    }

    /// For any bytes: no panic, and a total that is the sum of the stacks.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(folded) = Folded::parse("in", bytes) {
            prop_assert_eq!(folded.stacks().map(|stack| stack.count).sum::<u64>(), folded.total());
            prop_assert_eq!(folded.reversed().total(), folded.total());
        }
    }
}
