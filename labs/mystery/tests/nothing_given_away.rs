//! Neither the description nor a page says what is wrong with a box.

use std::fs;
use std::time::Duration;

use lab_kit::{Mode, Rehearsal, rehearse};
use mystery::LAB;

/// Functions of the boxes, and words of their solutions.
const SOLUTIONS: [&str; 21] = [
    "append",
    "checksum",
    "collect",
    "datagram",
    "encode",
    "fetch",
    "greet",
    "name server",
    "o_sync",
    "pinned",
    "recursi",
    "render",
    "resolve",
    "route",
    "scan",
    "segv",
    "short-lived",
    "stack limit",
    "timeout",
    "verify",
    "walk",
];

fn assert_gives_nothing_away(what: &str, text: &str) {
    let text = text.to_lowercase();
    for word in SOLUTIONS {
        if let Some((before, after)) = text.split_once(word) {
            let last: String = before.lines().last().unwrap_or_default().into();
            let next: String = after.chars().take(60).collect();
            panic!("{what} says `{word}`: {last}{word}{next}");
        }
    }
}

/// What a reader sees of a page: no program, no style, no data of charts.
fn visible(page: &str) -> String {
    let mut rest = page.to_owned();
    for part in ["script", "style"] {
        while let Some(from) = rest.find(&format!("<{part}")) {
            let end = format!("</{part}>");
            let to = rest[from..].find(&end).map_or(rest.len(), |at| from + at + end.len());
            rest.replace_range(from..to, "");
        }
    }
    rest
}

#[test]
fn a_description_gives_nothing_away() {
    assert_gives_nothing_away("the description", include_str!("../describe.json"));
    let described = LAB.describe();
    let boxes = described.variants.iter().filter(|variant| variant.asks);
    let why: Vec<String> = boxes.clone().map(|b| b.why.replace(&b.name, "N")).collect();
    assert_eq!(why, ["black box N"; 9], "all read alike");
    for variant in boxes {
        let plain = !variant.profiled && variant.probes.is_empty() && variant.set.is_empty();
        assert!(plain, "box {} differs from the others", variant.name);
        assert_eq!(variant.live, described.variants[0].live);
    }
    // A claim reads the example, or all boxes: none tells which one it is about.
    for claim in &described.claims {
        for check in &claim.checks {
            let example = check.reads.len() == 1 && check.reads[0].variant == "example";
            assert!(example || check.reads.len() == 9, "{}", claim.id);
        }
    }
}

#[test]
fn a_page_gives_nothing_away() {
    let dir = tempfile::tempdir().unwrap();
    let variants = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let measure = Some(Duration::from_millis(200));
    let what = Rehearsal { mode: Mode::Live, variants: &variants, set: &[], measure };
    rehearse(&LAB, dir.path(), what).unwrap();
    let page = lab_report::write_run(dir.path(), None).unwrap();
    assert_gives_nothing_away("the page", &visible(&fs::read_to_string(page).unwrap()));
    let text = dir.path().join(lab_report::TEXT);
    assert_gives_nothing_away("the text", &fs::read_to_string(text).unwrap());
    assert_gives_nothing_away(
        "the claims",
        &fs::read_to_string(dir.path().join("claims.json")).unwrap(),
    );
}

#[test]
fn a_run_of_one_box_does_not_tell_which_claim_is_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let measure = Some(Duration::from_millis(200));
    let what = Rehearsal { mode: Mode::Live, variants: &["6"], set: &[], measure };
    for judged in rehearse(&LAB, dir.path(), what).unwrap() {
        assert!(!judged.chosen && judged.measured.is_none(), "{judged:?}");
    }
}
