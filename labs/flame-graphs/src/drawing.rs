//! The claims about the drawing: checked on pictures, since that is what a reader has.

use lab_flame::draw::{Kind, Picture, Shape};
use lab_flame::folded::Folded;
use lab_kit::{Evidence, Figure, Gap, Judged, seed};

use crate::drawn::{Frame, ROW_PX, boxes, svg};
use crate::laws;

const SEED: u64 = 13;
const LINES: u64 = 80;
const SHUFFLES: u64 = 50;

/// Alphabetical from left to right, and no trace of the order of the lines.
pub fn fg_1(_: &Evidence) -> Judged {
    let profile = profile();
    let drawn = draw(&profile, Shape::Flame)?;
    let mut alike = 0;
    for shuffle in 0..SHUFFLES {
        alike += u64::from(draw(&shuffled(&profile, shuffle), Shape::Flame)? == drawn);
    }
    Figure::proportion(alike, SHUFFLES)?
        .near(1.0, 0.0)?
        .because("shuffled lines drawn byte for byte alike")?
        .and(none(laws::out_of_order(&boxes(&drawn)), "neighbours out of order"))
}

/// Width is count x 1,180 / total.
pub fn fg_2(_: &Evidence) -> Judged {
    let error = laws::width_error_px(&boxes(&draw(&profile(), Shape::Flame)?));
    // A width is printed in percent with four decimals.
    Figure::exact(error, "px").at_most(0.001)?.because("largest error of a width")
}

/// A box is itself and what stands on it; the root is everything.
pub fn fg_3(_: &Evidence) -> Judged {
    let profile = profile();
    let (folded, drawn) = (parse(&profile)?, boxes(&draw(&profile, Shape::Flame)?));
    let root = drawn.first().map_or(0, |root| root.count);
    none(laws::wrong_sums(&drawn, &folded), "boxes that do not add up")?
        .and(none(root.abs_diff(folded.total()) as usize, "samples missing from the root"))
}

/// One box for equal callers, and only for them.
pub fn fg_4(_: &Evidence) -> Judged {
    let profile = profile();
    let (folded, drawn) = (parse(&profile)?, boxes(&draw(&profile, Shape::Flame)?));
    none(laws::wrongly_merged(&drawn, &folded, 0.1), "boxes merged or parted wrongly")
}

/// Narrower than 0.1 pixel is not drawn; nor than any other bound one sets.
pub fn fg_5(_: &Evidence) -> Judged {
    let profile = format!("{}wide 500000\n", profile());
    let folded = parse(&profile)?;
    let mut wrong = 0;
    for (said, px) in [("0.1", 0.1), ("1", 1.0), ("0.5%", 5.9), ("0", 0.0)] {
        let min_width = said.parse().map_err(Gap::Invalid)?;
        let drawn = picture(&profile, &Picture { min_width, ..Picture::default() })?;
        wrong += laws::wrongly_merged(&boxes(&drawn), &folded, px);
    }
    none(wrong, "boxes drawn or left out wrongly")
}

/// Callers below, callees above, recursion as a tower.
pub fn fg_6(_: &Evidence) -> Judged {
    let drawn = boxes(&draw("main;f;f;f;leaf 90\nmain;f 10\n", Shape::Flame)?);
    let row = |path: &str| find(&drawn, path).map(|frame| frame.y);
    let tower = ["all", "all;main", "all;main;f", "all;main;f;f", "all;main;f;f;f"].map(row);
    let rises = |pair: &[Option<u64>]| pair[0].zip(pair[1]).is_some_and(|(a, b)| a == b + ROW_PX);
    facts(&[
        ("each call stands one row above its caller", tower.windows(2).all(rises)),
        ("recursion is not collapsed", count_of(&drawn, "f") == 3),
        ("what runs is on top", drawn.iter().all(|f| f.name() != "leaf" || f.y < drawn[3].y)),
    ])
}

/// Hues have no meaning but the palette's.
pub fn fg_7(_: &Evidence) -> Judged {
    let palette = |kind, text: &str, ranges| -> Result<f64, Gap> {
        let drawn = picture(text, &Picture { kind, ..Picture::default() })?;
        Ok(laws::in_palette(&boxes(&drawn), ranges))
    };
    let profile = profile();
    let least = [
        palette(Kind::Cpu, &profile, [[205, 255], [0, 230], [0, 55]])?,
        palette(Kind::OffCpu, &profile, [[80, 140], [80, 140], [190, 245]])?,
        palette(Kind::Memory, &profile, [[0, 0], [190, 240], [0, 210]])?,
        palette(Kind::Cpu, "- 100\n", [[200, 200]; 3])?,
        // Kernel purple and inlined cyan are this project's own shades.
        palette(Kind::Cpu, "write_[k] 100\n", [[175, 220], [110, 155], [200, 245]])?,
        palette(Kind::Cpu, "small_[i] 100\n", [[140, 185], [215, 237], [225, 247]])?,
    ];
    let least = least.into_iter().fold(1.0, f64::min);
    Figure::exact(least, "ratio").near(1.0, 0.0)?.because("boxes within their palette, worst of 6")
}

/// Rows of 16 pixels, type of 12, and a word about what is too little to draw.
pub fn fg_8(_: &Evidence) -> Judged {
    let says_few = |samples: u64| -> Result<bool, Gap> {
        Ok(draw(&format!("main;f {samples}\n"), Shape::Flame)?.contains("too few to trust"))
    };
    let drawn = draw("main;f 100\n", Shape::Flame)?;
    let rows = boxes(&drawn);
    facts(&[
        ("rows are 16 px apart", rows.windows(2).all(|pair| pair[0].y == pair[1].y + ROW_PX)),
        ("the font is 12 px", drawn.contains("font-size:12px")),
        ("99 samples are said to be few", says_few(99)?),
        ("100 are not", !says_few(100)?),
        ("no samples are an error", Folded::parse("empty", "").is_err()),
    ])
}

/// A search counts a stack once, however often it matches.
pub fn fg_9(_: &Evidence) -> Judged {
    let folded = parse("main;f;f 10\nmain;f;g;f 5\nmain;g 5\n")?;
    let drawn = boxes(&draw(&folded.to_text(), Shape::Flame)?);
    let matching = folded.matching(|frame| frame == "f");
    let boxes_of_f = drawn.iter().filter(|frame| frame.name() == "f");
    let by_boxes: u64 = boxes_of_f.map(|frame| frame.count).sum();
    Figure::exact(matching as f64 / folded.total() as f64, "ratio")
        .near(0.75, 0.0)?
        .because("matched")?
        .and(Figure::exact(by_boxes as f64, "samples").near(30.0, 0.0)?.because("sum of its boxes"))
}

/// Charts keep time, icicles hang, reversed graphs begin with what runs.
pub fn fg_10(_: &Evidence) -> Judged {
    let profile = "a;x 60\nb;x 40\na;x 50\n";
    let shape = |shape| -> Result<Vec<Frame>, Gap> { Ok(boxes(&draw(profile, shape)?)) };
    let (flame, icicle) = (shape(Shape::Flame)?, shape(Shape::Inverted)?);
    let (chart, reversed) = (shape(Shape::Chart)?, shape(Shape::Reversed)?);
    let y = |drawn: &[Frame], path| find(drawn, path).map(|frame| frame.y);
    let of_a = chart.iter().filter(|frame| frame.path == "all;a").map(|a| (a.x, a.count));
    facts(&[
        ("flames rise", y(&flame, "all;a") < y(&flame, "all")),
        ("icicles hang", y(&icicle, "all;a") > y(&icicle, "all")),
        ("a chart keeps time", of_a.eq([(0, 60), (100, 50)])),
        ("reversed, callees merge", find(&reversed, "all;x").is_some_and(|x| x.count == 150)),
    ])
}

/// A line is a stack and a count, so `grep` is a filter.
pub fn fg_11(_: &Evidence) -> Judged {
    let profile = profile();
    let folded = parse(&profile)?;
    let grepped: String =
        profile.lines().filter(|line| line.contains("e")).map(|line| format!("{line}\n")).collect();
    let left = parse(&grepped)?.total();
    let wanted = folded.matching(|frame| frame.contains('e'));
    facts(&[
        ("a;b;c 31 is three frames and 31 samples", {
            let one = parse("a;b;c 31\n")?;
            one.total() == 31 && one.stacks().all(|stack| stack.frames().eq(["a", "b", "c"]))
        }),
        ("grep leaves what a search matches", left == wanted && left < folded.total()),
    ])
}

/// Random stacks of few names, so that they share callers, recur and repeat.
pub fn profile() -> String {
    let draw = |path: &[u64], below: f64| (seed::uniform(SEED, path) * below) as u64;
    let line = |line: u64| {
        let depth = 1 + draw(&[line], 6.0);
        let name = |at| ["a", "b", "b::new", "c", "d", "e"][draw(&[line, at], 6.0) as usize];
        let frames: Vec<&str> = (1..=depth).map(name).collect();
        format!("{} {}\n", frames.join(";"), 1 + draw(&[line, 0], 99.0))
    };
    (0..LINES).map(line).collect()
}

fn shuffled(profile: &str, shuffle: u64) -> String {
    let mut lines: Vec<(usize, &str)> = profile.lines().enumerate().collect();
    let key = |at: usize| seed::uniform(SEED, &[u64::MAX, shuffle, at as u64]);
    lines.sort_by(|(a, _), (b, _)| key(*a).total_cmp(&key(*b)));
    lines.iter().map(|(_, line)| format!("{line}\n")).collect()
}

fn draw(folded: &str, shape: Shape) -> Result<String, Gap> {
    picture(folded, &Picture { shape, ..Picture::default() })
}

fn picture(folded: &str, picture: &Picture) -> Result<String, Gap> {
    svg(folded, picture).map_err(|error| Gap::Invalid(format!("{error:#}")))
}

fn parse(folded: &str) -> Result<Folded, Gap> {
    Folded::parse("the profile", folded).map_err(|error| Gap::Invalid(format!("{error:#}")))
}

fn find<'a>(boxes: &'a [Frame], path: &str) -> Option<&'a Frame> {
    boxes.iter().find(|frame| frame.path == path)
}

fn count_of(boxes: &[Frame], name: &str) -> usize {
    boxes.iter().filter(|frame| frame.name() == name).count()
}

fn none(count: usize, of: &str) -> Judged {
    Figure::exact(count as f64, "count").near(0.0, 0.0)?.because(of)
}

/// How many statements hold, of which all must; the first that does not is named.
fn facts(facts: &[(&str, bool)]) -> Judged {
    let hold = facts.iter().filter(|(_, holds)| *holds).count();
    let broken = facts.iter().find(|(_, holds)| !holds).map(|(says, _)| format!("not so: {says}"));
    let says: Vec<&str> = facts.iter().map(|(says, _)| *says).collect();
    Figure::exact(hold as f64, "statements")
        .near(facts.len() as f64, 0.0)?
        .because(&broken.unwrap_or_else(|| says.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_does_not_hold_is_named() {
        let finding = facts(&[("one", true), ("two", false)]).unwrap();
        assert!(!finding.holds && finding.required.starts_with("not so: two"), "{finding:?}");
        assert!(facts(&[("one", true)]).unwrap().holds);
        assert!(!none(1, "things").unwrap().holds);
    }

    #[test]
    fn a_shuffle_keeps_the_lines_and_not_their_order() {
        let (profile, shuffled) = (profile(), shuffled(&profile(), 1));
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&profile), sorted(&shuffled));
        assert_ne!(profile, shuffled);
    }
}
