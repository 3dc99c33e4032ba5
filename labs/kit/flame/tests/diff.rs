//! Differentials: what every frame gained and lost, what is marked, and what is drawn.
//!
//! Where this differs from flamegraph.pl it is on purpose. There a delta belongs to the last frame
//! of a stack, callers stay white, and the shade runs to the largest delta of any line (DFG-2 and
//! DFG-3); here callers carry what their callees gained, a click shows self changes alone, and a
//! shade never says more than the error of sampling allows. There scaling truncates (DFG-5).
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use lab_flame::diff::svg::{self, Root, View};
use lab_flame::diff::table::{Measure, table, top};
use lab_flame::diff::{Change, Diff, Mark, Normalise, TrialStacks, diff, json, page};
use lab_flame::draw::Kind;
use lab_flame::folded::Folded;
use proptest::prelude::*;

fn trial(text: &str, requests: Option<u64>) -> TrialStacks {
    TrialStacks { stacks: Folded::parse("in", text).unwrap(), requests }
}

/// One trial a side, a thousand requests each.
fn by_requests(before: &str, after: &str) -> Diff {
    let [before, after] = [before, after].map(|text| [trial(text, Some(1_000))]);
    diff(&before, &after, Normalise::Requests, "samples").unwrap()
}

fn by_samples(before: &str, after: &str) -> Diff {
    let [before, after] = [before, after].map(|text| [trial(text, None)]);
    diff(&before, &after, Normalise::Samples, "samples").unwrap()
}

fn standalone(diff: &Diff, view: View, title: &str) -> String {
    svg::standalone(&svg::draw(diff, view, Root::Bottom, title))
}

fn html(diff: &Diff, before: &str, after: &str) -> String {
    page::page(diff, before, after, &page::graphs(diff, before, after, Root::Bottom), 20)
}

fn inclusive(diff: &Diff, frame: &str) -> Change {
    diff.names.iter().find(|name| name.frame == frame).unwrap().inclusive.clone()
}

fn own(diff: &Diff, frame: &str) -> Change {
    diff.names.iter().find(|name| name.frame == frame).unwrap().own.clone()
}

fn path<'a>(diff: &'a Diff, frame: &str) -> &'a lab_flame::diff::Path {
    diff.paths.iter().find(|path| diff.frame(path) == frame).unwrap()
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

/// The class, label and width of each box.
fn boxes(svg: &str) -> Vec<(String, String, f64)> {
    let attribute = |text: &str, key: &str| {
        text.split_once(&format!(" {key}=\"")).unwrap().1.split_once('"').unwrap().0.to_string()
    };
    svg.split("<g")
        .skip(1)
        .filter(|text| text.starts_with(" class="))
        .map(|text| {
            let title = text.split_once("<title>").unwrap().1.split_once('\n').unwrap().0;
            let rect = text.split_once("<rect").unwrap().1;
            (attribute(text, "class"), title.to_string(), attribute(rect, "width").parse().unwrap())
        })
        .collect()
}

fn box_of(svg: &str, label: &str) -> (String, f64) {
    let found = boxes(svg).into_iter().find(|(_, name, _)| name == label);
    let (class, _, width) = found.unwrap_or_else(|| panic!("no box `{label}`"));
    (class, width)
}

#[test]
fn growth_shows_on_the_frame_and_on_its_callers() {
    let diff = by_requests("idle 900\nmain;handle;foo 100\n", "idle 900\nmain;handle;foo 160\n");
    for frame in ["foo", "handle", "main"] {
        assert!(close(inclusive(&diff, frame).relative().unwrap(), 0.6), "{frame}");
        assert!(close(path(&diff, frame).inclusive.relative().unwrap(), 0.6), "{frame}");
    }
    assert!(close(own(&diff, "foo").relative().unwrap(), 0.6));
    assert_eq!(own(&diff, "handle").delta(), 0.0, "the caller itself gained nothing");
    assert_eq!(inclusive(&diff, "idle").delta(), 0.0);
    assert!(close(path(&diff, "all").inclusive.relative().unwrap(), 0.06));
}

#[test]
fn shares_shrink_where_another_frame_grows() {
    let diff = by_samples("idle 900\nmain;foo 100\n", "idle 900\nmain;foo 160\n");
    assert!(inclusive(&diff, "idle").delta() < 0.0);
    assert!(close(inclusive(&diff, "foo").after, 100.0 * 160.0 / 1_060.0));
    assert_eq!(path(&diff, "all").inclusive.delta(), 0.0);
}

/// 1,013,879 / (1,013,879 / 100) is a little less than 100: a change as small as that is none.
#[test]
fn the_whole_of_both_sides_has_no_colour() {
    let diff = by_samples("main;a 962533\nmain;b 1\n", "main;a 1013879\n");
    for frame in ["all", "main"] {
        assert_eq!(path(&diff, frame).inclusive.delta(), 0.0, "{frame}");
        assert_eq!(box_of(&standalone(&diff, View::After, ""), frame).0, "i0 s0");
    }
    assert!(top(&diff, Measure::Inclusive, 9).iter().all(|name| name.frame != "main"));
}

#[test]
fn a_removed_path_is_seen_and_comes_first() {
    let before = "main;serve;parse 400\nmain;serve;check;crc 300\nmain;idle 300\n";
    let after = "main;serve;parse 410\nmain;idle 295\n";
    for diff in [by_requests(before, after), by_samples(before, after)] {
        assert_eq!(top(&diff, Measure::Inclusive, 1)[0].frame, "check");
        assert_eq!(top(&diff, Measure::Own, 1)[0].frame, "crc");
        assert_eq!(path(&diff, "check").mark, Mark::Vanished);
        let elided = standalone(&diff, View::Elided, "elided");
        let (class, width) = box_of(&elided, "\u{2212} check");
        assert!(class.ends_with("gone") && (width - 1180.0).abs() < 0.01, "{class} {width}");
        let (class, width) = box_of(&standalone(&diff, View::Before, "before"), "\u{2212} crc");
        assert!(class.contains("in5") && class.ends_with("gone"), "{class}");
        assert!((width - 0.3 * 1180.0).abs() < 5.0, "{width}");
        let page = html(&diff, "base", "new");
        assert!(page.contains("<tr><td>\u{2212} check<td>"));
        assert!(page.contains("30.0 %) have no box in after"));
        assert!(table(&diff, 12).lines().nth(4).unwrap().starts_with("\u{2212} check"));
    }
}

#[test]
fn new_frames_have_a_mark_of_their_own() {
    let diff = by_requests("main;a 100\n", "main;a 100\nmain;b;c 10\n");
    assert_eq!(path(&diff, "c").mark, Mark::New);
    assert_eq!(inclusive(&diff, "c").relative(), None);
    let after = standalone(&diff, View::After, "after");
    assert!(box_of(&after, "+ b").0.ends_with(" new"));
    assert!(!standalone(&diff, View::Before, "before").contains("+ b"));
    assert!(standalone(&diff, View::Elided, "elided").contains("nothing vanished"));
}

#[test]
fn recursion_counts_once_by_name() {
    let diff = by_requests("f;f;g;f 10\nf;g 5\n", "f;f;g;f 20\nf;g 5\n");
    assert_eq!(
        inclusive(&diff, "f"),
        Change { verdict: inclusive(&diff, "f").verdict, before: 15.0, after: 25.0 }
    );
    assert_eq!(inclusive(&diff, "g").before, 15.0);
    assert_eq!(own(&diff, "f").after, 20.0);
}

/// DFG-5: nothing truncates; 251 one-sample stacks against 200 keep all their weight.
#[test]
fn scaling_keeps_one_sample_stacks() {
    let ones = |n: usize| (0..n).map(|i| format!("main;f{i:03} 1\n")).collect::<String>();
    let diff = by_samples(&ones(251), &ones(200));
    let sum: f64 = diff.paths.iter().map(|path| path.own.before).sum();
    assert!((sum - 100.0).abs() < 1e-9, "{sum}");
    assert_eq!(diff.paths.iter().filter(|path| path.mark == Mark::Vanished).count(), 51);
    assert_eq!(diff.paths.iter().filter(|path| path.mark == Mark::New).count(), 0);
}

/// DFG-5: the same program at half load is all blue as it stands, and of no colour normalised.
#[test]
fn half_the_load_with_the_same_shares_is_no_change() {
    let (full, half) = ("main;a 600\nmain;b 400\n", "main;a 300\nmain;b 200\n");
    let sides = |requests| ([trial(full, Some(requests * 2))], [trial(half, Some(requests))]);
    let (before, after) = sides(500);
    let raw = diff(&before, &after, Normalise::Nothing, "samples").unwrap();
    assert!(
        boxes(&standalone(&raw, View::After, "")).iter().all(|(class, ..)| class.starts_with("in"))
    );
    for normalise in [Normalise::Requests, Normalise::Samples] {
        let diff = diff(&before, &after, normalise, "samples").unwrap();
        assert!(
            boxes(&standalone(&diff, View::After, "")).iter().all(|(class, ..)| class == "i0 s0")
        );
    }
}

/// DFG-1: after has the widths of after, and one unit is equally wide in both.
#[test]
fn before_and_after_widths_share_one_scale() {
    let diff = by_requests("main;a 100\nmain;b 100\n", "main;a 100\nmain;b 300\n");
    let (before, after) = (standalone(&diff, View::Before, ""), standalone(&diff, View::After, ""));
    assert!((box_of(&after, "main").1 - 1180.0).abs() < 0.01);
    assert!((box_of(&before, "main").1 - 590.0).abs() < 0.01);
    assert_eq!(box_of(&before, "a").1, box_of(&after, "a").1);
    assert_eq!(box_of(&after, "b").0, "ip5 sp5");
    assert_eq!(
        box_of(&after, "main").0,
        "ip5 s0",
        "the caller is red for what it calls, not for itself"
    );
}

/// DFG-7: what has no box in after is all in the elided graph, at its old weight.
#[test]
fn elided_widths_are_the_lost_samples() {
    let before = "main;a 50\nmain;gone 20\nmain;a;gone;deep 7\nalso;gone 3\nmain;a;stays 20\n";
    let diff = by_requests(before, "main;a;stays 100\n");
    let elided = standalone(&diff, View::Elided, "");
    let lost: f64 = boxes(&elided)
        .iter()
        .filter(|(_, label, _)| label.ends_with(" gone") || label.ends_with(" also"))
        .map(|(.., width)| width)
        .sum();
    // `also` holds its `gone`, and is counted with it.
    assert!((lost - (20.0 + 7.0 + 3.0 + 3.0) / 30.0 * 1180.0).abs() < 0.01, "{lost}");
    assert!(
        (box_of(&elided, "a").1 - 7.0 / 30.0 * 1180.0).abs() < 0.01,
        "a caller is as wide as what it lost"
    );
}

/// DFG-8: the other way round swaps hues, and marks.
#[test]
fn swapping_the_sides_swaps_the_hues() {
    let (one, two) = ("main;a 500\nmain;b 200\nmain;x 90\n", "main;a 300\nmain;b 400\nmain;y 90\n");
    let there = standalone(&by_requests(one, two), View::After, "");
    let back = standalone(&by_requests(two, one), View::Before, "");
    let swapped: Vec<_> = boxes(&back)
        .into_iter()
        .map(|(class, label, width)| {
            let class = class.replace("in", "i?").replace("ip", "in").replace("i?", "ip");
            let class = class
                .replace("sn", "s?")
                .replace("sp", "sn")
                .replace("s?", "sp")
                .replace("gone", "new");
            (class, label.replace('\u{2212}', "+"), width)
        })
        .collect();
    assert_eq!(boxes(&there), swapped);
}

/// Hung from the top, a callee is as far below the root as it else stands above it.
#[test]
fn an_icicle_has_the_boxes_of_the_flame_upside_down() {
    let diff = by_requests("main;a;b 500\nmain;c 200\n", "main;a;b 300\nmain;c 400\n");
    let rows = |root| {
        let svg = svg::draw(&diff, View::After, root, "");
        let ys = svg.split("<rect x=").skip(1).map(|rest| {
            rest.split_once(" y=\"").unwrap().1.split_once('"').unwrap().0.parse::<f64>().unwrap()
        });
        ys.collect::<Vec<_>>()
    };
    let (flame, icicle) = (rows(Root::Bottom), rows(Root::Top));
    assert_eq!(icicle.len(), 5);
    let from_root = |ys: &[f64]| ys.iter().map(|y| (y - ys[0]).abs()).collect::<Vec<_>>();
    assert_eq!(from_root(&flame), from_root(&icicle));
    assert!(flame.iter().all(|y| *y <= flame[0]) && icicle.iter().all(|y| *y >= icicle[0]));
}

#[test]
fn a_change_within_its_error_stays_pale() {
    let diff = by_requests("main;a 100\nmain;b 100\n", "main;a 110\nmain;b 100\n");
    assert_eq!(box_of(&standalone(&diff, View::After, ""), "a").0, "ip1 sp1");
    assert!(standalone(&diff, View::After, "").contains("sampling error, 95 %"));
}

#[test]
fn off_cpu_time_has_no_sampling_error() {
    let sides = ["main;wait 100\n", "main;wait 500\n"].map(|text| [trial(text, Some(10))]);
    let diff = diff(&sides[0], &sides[1], Normalise::Requests, "us").unwrap();
    assert_eq!(inclusive(&diff, "wait").verdict, None);
    assert_eq!(diff.unit(), "us per 1,000 requests");
    assert!(box_of(&standalone(&diff, View::After, ""), "wait").0.starts_with("ip5"));
}

#[test]
fn requests_are_used_only_where_all_know_them() {
    let (with, without) = ([trial("a 1\n", Some(5))], [trial("a 1\n", None)]);
    assert_eq!(Normalise::best(&with, &with, Kind::Cpu), Normalise::Requests);
    assert_eq!(Normalise::best(&with, &without, Kind::Cpu), Normalise::Samples);
    assert_eq!(Normalise::best(&without, &without, Kind::Memory), Normalise::Nothing);
    assert_eq!(Normalise::best(&with, &with, Kind::OffCpu), Normalise::Requests);
    assert!(diff(&with, &without, Normalise::Requests, "samples").is_err());
    assert!(diff(&[], &with, Normalise::Samples, "samples").is_err());
}

#[test]
fn ten_times_the_memory_in_equal_shares_is_reported_first() {
    let sides =
        ["main;load 1000000\nmain;cache 9000000\n", "main;load 10000000\nmain;cache 90000000\n"];
    let [before, after] = sides.map(|text| [trial(text, None)]);
    let best = Normalise::best(&before, &after, Kind::Memory);
    let diff = diff(&before, &after, best, Kind::Memory.unit()).unwrap();
    let text = table(&diff, 12);
    assert_eq!(text.lines().next(), Some("Total: 10.00 MB before, 100.0 MB after, +900%"));
    assert_eq!(inclusive(&diff, "cache").relative(), Some(9.0));
    assert!(html(&diff, "a", "b").contains("<p>Total: 10.00 MB before, 100.0 MB after, +900%."));
}

#[test]
fn a_side_of_three_samples_is_pale_and_labelled_too_few() {
    let diff = by_samples("main;read 3\n", "main;read 500\nmain;write 500\n");
    let (low, high) = inclusive(&diff, "read").verdict.unwrap().interval.unwrap();
    assert!(low < -0.5 && high > 0.1, "{low} {high}");
    assert!(box_of(&standalone(&diff, View::After, ""), "read").0.contains("in1"));
    assert_eq!(diff.notes(), ["only 3 samples before: too few to trust"]);
}

#[test]
fn periods_that_are_not_converted_to_samples_have_no_interval() {
    let before = "main;a 737373730\nmain;b 737373730\nmain;b;c 10101010\n";
    let diff = by_samples(before, "main;a 949494940\nmain;b 535353530\n");
    assert_eq!(inclusive(&diff, "a").verdict, None);
}

#[test]
fn sides_with_differing_names_are_told_to_use_strip() {
    let side = |lambda: u32| format!("java;Y$$Lambda${lambda}.call;go 300\njava;idle 10\n");
    let (before, after) = (side(469), side(512));
    let notes = by_samples(&before, &after).notes();
    assert!(
        notes[0].contains("97 % of before vanished") && notes[0].contains("--strip"),
        "{notes:?}"
    );
    let stripped =
        |text: &str| TrialStacks { stacks: trial(text, None).stacks.stripped(), requests: None };
    let sides = [[stripped(&before)], [stripped(&after)]];
    let same = diff(&sides[0], &sides[1], Normalise::Samples, "samples").unwrap();
    assert!(same.notes().is_empty() && same.paths.iter().all(|path| path.mark == Mark::Both));
}

#[test]
fn fractional_counts_keep_their_weight_beside_whole_ones() {
    let sides =
        ["main;a 2.5\nmain;b 7.5\n", "main;a 5\nmain;b 5\n"].map(|text| [trial(text, None)]);
    let diff = diff(&sides[0], &sides[1], Normalise::Nothing, "bytes").unwrap();
    let change = inclusive(&diff, "a");
    assert_eq!((change.before, change.after, diff.totals), (2.5, 5.0, [10, 10]));
}

#[test]
fn a_long_title_keeps_its_end() {
    let diff = by_requests("a 100\n", "a 100\n");
    let title = format!("Before: {}/one/before.folded", "long/".repeat(40));
    let svg = svg::draw(&diff, View::Before, Root::Bottom, &title);
    let shown = svg.split_once("class=\"title\" x=\"600\" y=\"24\">").unwrap().1;
    let shown = shown.split_once('<').unwrap().0;
    assert!(shown.starts_with('\u{2026}') && shown.ends_with("one/before.folded"), "{shown}");
    assert_eq!(shown.chars().count(), 110);
    assert!(svg.contains(&format!("aria-label=\"{title}\"")), "whole for those who listen");
}

#[test]
fn hostile_names_are_text_everywhere() {
    let names = [
        "<script>alert(1)</script>",
        "\" onload=\"x",
        "'",
        "]]>",
        "</style>",
        "a&b",
        "</title></svg>",
        "${x}",
    ];
    let text: String = names.iter().map(|name| format!("main;{name} 100\n")).collect();
    let diff = by_requests(&text, "main;\" onload=\"x 100\nmain;<b> 7\n");
    let title = "<i>&\"";
    let page = html(&diff, title, "'<u>");
    for (what, text) in [("page", &page), ("svg", &standalone(&diff, View::Before, title))] {
        for live in ["<script>alert", "\" onload=\"x", "<i>", "<u>", "<b>", "</title></svg>"] {
            assert!(!text.contains(live), "{live} in the {what}");
        }
        assert_eq!(text.matches("<script").count(), 1, "{what}");
        assert_eq!(text.matches("</style>").count(), 1, "{what}");
    }
    let mut out = Vec::new();
    json::write(&diff, title, "new", &mut out).unwrap();
    let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(read["schema"], "perf-lab.flamediff/1");
    assert_eq!(read["before"], title);
    assert_eq!(read["names"].as_array().unwrap().len(), 10);
    assert_eq!(read["paths"][0]["frame"], "all");
}

/// The page runs the one script that its policy names.
#[test]
fn the_content_policy_allows_only_its_own_script() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let page = html(&by_requests("a 1\n", "a 2\n"), "a", "b");
    let script = page.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let digest = base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(script));
    assert!(
        page.contains(&format!("script-src 'sha256-{digest}'")),
        "page::SCRIPT_SHA256 should be {digest}"
    );
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("://"), "nothing to fetch");
}

#[test]
fn tables_fit_a_terminal() {
    let long = "crate::module::".repeat(9);
    let before = format!("main;{long}end 1\nmain;x 999999999999\nmain;\u{1f525}\u{1f525} 3\n");
    let after = format!("main;{long}end 900000\nmain;y 99999999999\nmain;\u{1f525}\u{1f525} 9\n");
    for line in table(&by_requests(&before, &after), 20).lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Boxes are themselves and their children; names and boxes hold the same self weight.
    #[test]
    fn inclusive_weights_are_own_weights_plus_those_of_callees(
        before in prop::collection::vec("[a-d](;[a-d]){0,4} [1-9]", 1..25),
        after in prop::collection::vec("[a-d](;[a-d]){0,4} [1-9]", 1..25),
    ) {
        let diff = by_requests(&before.join("\n"), &after.join("\n"));
        let mut sums = vec![0.0; diff.paths.len()];
        let mut open: Vec<usize> = vec![];
        for (index, path) in diff.paths.iter().enumerate() {
            open.truncate(path.depth);
            if let Some(&caller) = open.last() { sums[caller] += path.inclusive.after; }
            sums[index] += path.own.after;
            open.push(index);
        }
        for (path, sum) in diff.paths.iter().zip(&sums) {
            prop_assert!(close(path.inclusive.after, *sum));
            prop_assert!(path.inclusive.before <= diff.paths[0].inclusive.before + 1e-9);
        }
        let by_name: f64 = diff.names.iter().map(|name| name.own.before).sum();
        prop_assert!(close(by_name, diff.paths[0].inclusive.before));
        for name in &diff.names {
            prop_assert!(name.inclusive.before <= diff.paths[0].inclusive.before + 1e-9, "counted twice");
        }
    }

    /// The order of lines shows nowhere.
    #[test]
    fn shuffled_lines_give_a_differential_without_changes(mut lines in prop::collection::vec("[a-c](;[a-c]){0,3} [1-9]", 1..20)) {
        let all = |diff: &Diff| {
            let mut out = Vec::new();
            json::write(diff, "a", "b", &mut out).unwrap();
            (out, html(diff, "a", "b"), table(diff, 9))
        };
        let other = "a;b 3\nc 4\n";
        let one = all(&by_requests(&lines.join("\n"), other));
        lines.reverse();
        prop_assert_eq!(all(&by_requests(&lines.join("\n"), other)), one);
    }
}
