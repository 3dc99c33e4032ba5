//! Flame graphs: the published properties of the drawing, hostile names, and snapshots.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use lab_flame::draw::{Kind, Options, Shape, USABLE_PX, draw};
use lab_flame::folded::Folded;
use proptest::prelude::*;

/// A box of a drawn graph.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    name: String,
    count: u64,
    /// Pixels of a graph 1,200 wide.
    width_px: f64,
    x: u64,
    y: u64,
    fill: (u8, u8, u8),
}

fn svg(text: &str, options: &Options) -> String {
    let mut out = Vec::new();
    draw(&Folded::parse_in_order("in", text.as_bytes()).unwrap(), options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The boxes of an SVG, read back from its text.
fn frames(svg: &str) -> Vec<Frame> {
    let boxes = svg.split("<g><title>").skip(1);
    boxes
        .map(|text| {
            let (title, rest) = text.split_once("</title><rect").unwrap();
            let (name, facts) = title.rsplit_once(" (").unwrap();
            let attribute = |key: &str| {
                let value = rest.split_once(&format!(" {key}=\"")).unwrap().1;
                value.split_once('"').unwrap().0.trim_end_matches('%').to_string()
            };
            let fill: Vec<u8> = attribute("fill")
                .trim_matches(|c: char| !c.is_ascii_digit())
                .split(',')
                .map(|part| part.parse().unwrap())
                .collect();
            let percent: f64 = attribute("width").parse().unwrap();
            Frame {
                name: name.to_string(),
                count: facts.split(' ').next().unwrap().replace(',', "").parse().unwrap(),
                width_px: percent / 100.0 * USABLE_PX,
                x: attribute("fg:x").parse().unwrap(),
                y: attribute("y").parse().unwrap(),
                fill: (fill[0], fill[1], fill[2]),
            }
        })
        .collect()
}

fn flame(text: &str) -> Vec<Frame> {
    frames(&svg(text, &Options::default()))
}

fn named<'a>(frames: &'a [Frame], name: &str) -> Vec<&'a Frame> {
    frames.iter().filter(|frame| frame.name == name).collect()
}

fn parents_below<'a>(frames: &'a [Frame], child: &Frame) -> Vec<&'a Frame> {
    let holds = |frame: &&Frame| {
        frame.y == child.y + 16
            && frame.x <= child.x
            && child.x + child.count <= frame.x + frame.count
    };
    frames.iter().filter(holds).collect()
}

const STACKS: &str = "main;b;c 30\nmain;b 10\nmain;a;c 40\nmain;b::new 20\n";

/// FG-1.
#[test]
fn boxes_are_in_alphabetical_order_for_any_order_of_lines() {
    let reordered = "main;b::new 20\nmain;a;c 40\nmain;b 10\nmain;b;c 30\n";
    assert_eq!(svg(STACKS, &Options::default()), svg(reordered, &Options::default()));
    let drawn = flame(STACKS);
    assert!(named(&drawn, "a")[0].x < named(&drawn, "b")[0].x);
}

/// FG-2: w = count x (1200 - 2 x 10) / total.
#[test]
fn width_is_proportional_to_the_count() {
    for frame in flame(STACKS) {
        assert!((frame.width_px - frame.count as f64 * 1180.0 / 100.0).abs() < 0.01, "{frame:?}");
    }
}

/// FG-3 and FG-4; and where lines are sorted as text, `b` is torn in two by `b::new`.
#[test]
fn equal_prefixes_merge_once_and_only_they() {
    let drawn = flame(STACKS);
    assert_eq!(named(&drawn, "all")[0].count, 100);
    assert_eq!(named(&drawn, "main").len(), 1);
    assert_eq!(named(&drawn, "b").len(), 1);
    assert_eq!(named(&drawn, "b")[0].count, 40);
    assert_eq!(named(&drawn, "c").len(), 2, "the same function under two callers is two boxes");
}

/// FG-5: by default 0.1 pixel, as flamegraph.pl.
#[test]
fn narrow_frames_are_left_out() {
    // 1 of 11,801 samples is 0.09999 pixel, 2 are 0.2.
    let text = "wide 11798\nthin 1\nenough 2\n";
    let drawn = flame(text);
    assert!(named(&drawn, "thin").is_empty());
    assert_eq!(named(&drawn, "enough").len(), 1);
    let options = Options { min_width: "1%".parse().unwrap(), ..Options::default() };
    assert_eq!(frames(&svg(text, &options)).len(), 2);
    let options = Options { min_width: "0".parse().unwrap(), ..Options::default() };
    assert_eq!(frames(&svg(text, &options)).len(), 4);
    for bad in ["-1", "x", "nan", "101%", "inf"] {
        assert!(bad.parse::<lab_flame::draw::MinWidth>().is_err(), "{bad}");
    }
}

/// FG-6 and FG-8: ancestry is below, recursion stays a tower, a row is 16 pixels, the font 12.
#[test]
fn recursive_calls_are_stacked_and_not_collapsed() {
    let drawn = flame("f;f;f 100\n");
    let tower: Vec<u64> = named(&drawn, "f").iter().map(|frame| frame.y).collect();
    assert_eq!(tower.len(), 3);
    let all = named(&drawn, "all")[0].y;
    assert!(tower.iter().all(|y| [16, 32, 48].contains(&(all - y))), "{tower:?} above {all}");
    assert!(svg("f 1\n", &Options::default()).contains("font-size:12px"));
}

/// FG-7: each palette in its published range, annotations distinct, colours by name alone.
#[test]
fn colours_keep_to_their_palette() {
    let text: String = (0..200).map(|i| format!("f{i} 1\n")).collect();
    let drawn = |kind| frames(&svg(&text, &Options { kind, ..Options::default() }));
    for frame in drawn(Kind::Cpu) {
        assert!(matches!(frame.fill, (205..=255, 0..=230, 0..=55)), "{frame:?}");
    }
    for frame in drawn(Kind::OffCpu) {
        assert!(matches!(frame.fill, (80..=140, 80..=140, 190..=245)), "{frame:?}");
        assert_eq!(frame.fill.0, frame.fill.1);
    }
    for frame in drawn(Kind::Memory) {
        assert!(matches!(frame.fill, (0, 190..=240, 0..=210)), "{frame:?}");
    }
    for frame in flame("write_[k] 50\nread_[k] 50\n").iter().filter(|frame| frame.name != "all") {
        assert!(matches!(frame.fill, (175..=220, 110..=155, 200..=245)), "{frame:?}");
    }
    for frame in flame("small_[i] 100\n").iter().filter(|frame| frame.name != "all") {
        assert!(matches!(frame.fill, (140..=185, 215..=237, 225..=247)), "{frame:?}");
    }
    assert_eq!(named(&flame("a;- 60\na;b 40\n"), "-")[0].fill, (200, 200, 200));
    assert_eq!(named(&flame("x;f7 100\n"), "f7")[0].fill, named(&drawn(Kind::Cpu), "f7")[0].fill);
}

/// FG-8.
#[test]
fn a_title_warns_of_few_samples() {
    let few = svg("a 99\n", &Options::default());
    assert!(few.contains(">CPU flame graph: only 99 samples, too few to trust</text>"));
    assert!(!svg("a 100\n", &Options::default()).contains("too few"));
    // A count of microseconds is no count of samples; the profile's own number is.
    let off_cpu = Options { kind: Kind::OffCpu, ..Options::default() };
    assert!(!svg("a 99\n", &off_cpu).contains("too few"));
    assert!(svg("a 9999\n", &Options { samples: Some(1), ..off_cpu }).contains("only 1 sample,"));
}

/// FG-10.
#[test]
fn each_shape_has_its_order_and_direction() {
    let shape =
        |shape| frames(&svg("a;x 60\nb;x 40\na;x 50\n", &Options { shape, ..Options::default() }));
    let (upright, icicle) = (shape(Shape::Flame), shape(Shape::Inverted));
    assert!(named(&upright, "a")[0].y < named(&upright, "all")[0].y);
    assert!(named(&icicle, "a")[0].y > named(&icicle, "all")[0].y);
    let reversed = shape(Shape::Reversed);
    assert_eq!(named(&reversed, "x").len(), 1);
    assert_eq!(named(&reversed, "x")[0].count, 150);
    let chart = shape(Shape::Chart);
    let order: Vec<_> = named(&chart, "a").iter().map(|frame| (frame.x, frame.count)).collect();
    assert_eq!(order, [(0, 60), (100, 50)], "time runs from left to right");
    assert_eq!(named(&chart, "b")[0].x, 60);
}

/// A leaf called `#`, drawn from the leaves: with its count the line reads as inferno's comment.
#[test]
fn a_hash_at_the_root_is_a_frame() {
    let options = Options { shape: Shape::Reversed, ..Options::default() };
    let drawn = frames(&svg("main;# 1\nmain;# x 2\n", &options));
    let counted: Vec<_> = drawn.iter().map(|frame| (frame.name.as_str(), frame.count)).collect();
    for frame in [("all", 3), ("#", 1), ("#\u{a0}x", 2)] {
        assert!(counted.contains(&frame), "{counted:?}");
    }
}

/// What is left out before inferno sees it changes nothing of what it draws.
#[test]
fn stacks_too_narrow_to_draw_still_take_their_width() {
    use std::fmt::Write as _;
    let (mut text, mut total) = (String::new(), 0);
    for i in 0..2_000_u64 {
        // Wide, narrow and nested ones, between each other.
        let count = if i % 97 == 0 { 400 } else { 1 + i % 3 };
        writeln!(text, "t{};m{};g{};h{i} {count}", i % 3, i % 11, i % 50).unwrap();
        total += count;
    }
    let at = |min_width: &str| {
        let options = Options { min_width: min_width.parse().unwrap(), ..Options::default() };
        frames(&svg(&text, &options))
    };
    let (all, wide) = (at("0"), at("0.4%"));
    let least = 0.004 * total as f64;
    let expected: Vec<_> = all.into_iter().filter(|frame| frame.count as f64 >= least).collect();
    assert!(wide.len() > 20 && wide.len() < 2_000);
    assert_eq!(wide, expected);
}

#[test]
fn a_kernel_function_is_distinguished_from_a_user_one_of_the_same_name() {
    let drawn = flame("main;copy 60\nmain;copy_[k] 30\nmain;copy_[i] 10\n");
    for (name, count) in [("copy", 60), ("copy_[k]", 30), ("copy_[i]", 10)] {
        assert_eq!(
            named(&drawn, name).iter().map(|frame| frame.count).sum::<u64>(),
            count,
            "{name}"
        );
    }
}

#[test]
fn a_title_says_how_fractions_are_scaled() {
    let drawn = svg("a 10.5\nb 300.25\n", &Options::default());
    assert!(drawn.contains(">CPU flame graph, counts \u{d7} 100</text>"), "{drawn}");
    assert!(drawn.contains("a (1,050 samples/100, 3.38%)"), "{drawn}");
    assert!(svg("a 10.5\n", &Options::default()).contains("only 10 samples"));
}

#[test]
fn a_search_that_is_no_expression_is_reported_in_the_graph() {
    let drawn = svg("main 100\n", &Options::default());
    let script = drawn.split_once("<script").unwrap().1.split_once("</script>").unwrap().0;
    assert!(script.contains("Not an expression: "), "{script}");
    assert!(script.find("function search(term)") < script.find("search = function (term)"));
}

/// Names that would be syntax: in the SVG, in its script, and to inferno's own line reader.
#[test]
fn hostile_names_are_text() {
    let names = [
        "<script>alert(1)</script>",
        "\" onload=\"alert(1)",
        "' x='",
        "]]>",
        "<!--",
        "&lt;b&gt;",
        "&#60;",
        "javascript:alert(1)",
        "${x}",
        "</title></svg>",
        "worker 3",
        "2.5 7.5",
        "#comment",
        "all",
        "a(b) (c)",
    ];
    let text: String = names.iter().map(|name| format!("{name};leaf {name} 100\n")).collect();
    let drawn = svg(
        &text,
        &Options {
            title: Some("<t>&\u{1}".into()),
            subtitle: Some("]]><s>".into()),
            ..Options::default()
        },
    );
    for live in ["<script>", "<t>", "<s>", "<!--;", "</title></svg>", "\" onload=\"alert"] {
        assert!(!drawn.contains(live), "{live}");
    }
    assert_eq!(drawn.matches("<script").count(), 1);
    let boxes = frames(&drawn);
    let folded = Folded::parse("in", text.as_bytes()).unwrap();
    let expected: usize = folded.stacks().map(|stack| stack.frames().count()).sum();
    assert_eq!(boxes.len(), 1 + expected, "nothing dropped, nothing split");
    assert_eq!(boxes.iter().map(|frame| frame.count).max(), Some(100 * names.len() as u64));
    assert!(drawn.contains("leaf worker\u{a0}3 (100 samples, 6.67%)"));
    well_formed(&drawn);
}

#[test]
fn ten_megabyte_names_are_drawn() {
    let drawn = svg(&format!("a;{} 7\nb 93\n", "<".repeat(10_000_000)), &Options::default());
    assert_eq!(drawn.matches("&lt;").count() / 10_000_000, 1);
    well_formed(&drawn);
}

/// Graphs as snapshots. A missing one fails, as does one that differs; `INSTA_UPDATE=always` writes
/// them.
#[test]
fn graphs_match_their_snapshots() {
    let profile = "main;serve;parse 310\nmain;serve;parse;alloc_[i] 40\nmain;serve;write_[k] 70\nmain;idle 5\n";
    let named = Options {
        title: Some("lab / variant, CPU".into()),
        subtitle: Some("425 samples at 98.7 Hz, perf-event".into()),
        ..Options::default()
    };
    for (name, options) in [
        ("cpu", named),
        ("off-cpu", Options { kind: Kind::OffCpu, ..Options::default() }),
        (
            "memory-inverted",
            Options { kind: Kind::Memory, shape: Shape::Inverted, ..Options::default() },
        ),
        ("reversed", Options { shape: Shape::Reversed, ..Options::default() }),
        ("chart", Options { shape: Shape::Chart, ..Options::default() }),
    ] {
        let drawn = without_script(&svg(profile, &options));
        insta::assert_binary_snapshot!(&format!("{name}.svg"), drawn.into_bytes());
    }
}

/// A graph with a line for each group, and without the script, which is inferno's.
fn without_script(svg: &str) -> String {
    let (before, script) = svg.split_once("<script").unwrap();
    format!("{before}{}\n", script.split_once("</script>").unwrap().1).replace("<g>", "\n<g>")
}

/// Tags balance and no character is one that XML forbids.
fn well_formed(svg: &str) {
    assert!(svg.chars().all(|c| matches!(c, '\n' | '\t' | ' '..='\u{fffd}' | '\u{10000}'..)));
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let (skip, end) = match rest {
            _ if rest.starts_with("<![CDATA[") => (true, "]]>"),
            _ if rest.starts_with("<!--") => (true, "-->"),
            _ if rest.starts_with("<!") || rest.starts_with("<?") => (true, ">"),
            _ => (false, ">"),
        };
        let close = rest.find(end).unwrap();
        let tag = &rest[1..close];
        rest = &rest[close + end.len()..];
        if skip || tag.ends_with('/') {
            continue;
        }
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name)),
            None => open.push(tag.split(' ').next().unwrap().to_string()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// FG-3: children lie within their parent, and a frame is itself and its children.
    #[test]
    fn children_never_exceed_their_parent(lines in prop::collection::vec("[a-d](;[a-d:]{1,2}){0,5} [1-9]", 1..30)) {
        let text = lines.join("\n");
        let drawn = flame(&text);
        let folded = Folded::parse("in", text.as_bytes()).unwrap();
        let total_self: u64 = drawn.iter().map(|frame| {
            let children: u64 = drawn.iter()
                .filter(|child| child.y + 16 == frame.y && child.x >= frame.x && child.x + child.count <= frame.x + frame.count)
                .map(|child| child.count).sum();
            assert!(children <= frame.count);
            frame.count - children
        }).sum();
        prop_assert_eq!(total_self, folded.total());
        for frame in drawn.iter().filter(|frame| frame.name != "all") {
            prop_assert_eq!(parents_below(&drawn, frame).len(), 1);
        }
    }

    /// Any printable names: the graph is well formed and counts every sample.
    #[test]
    fn any_names_can_be_drawn(lines in prop::collection::vec("\\PC{0,9}(;\\PC{0,9}){0,3} [1-9][0-9]{0,5}", 1..12)) {
        if let Ok(folded) = Folded::parse("in", lines.join("\n").as_bytes()) {
            let mut out = Vec::new();
            draw(&folded, &Options::default(), &mut out).unwrap();
            let drawn = String::from_utf8(out).unwrap();
            well_formed(&drawn);
            let all = format!("total_samples=\"{}\"", folded.total());
            prop_assert!(drawn.contains(&all));
        }
    }
}
