//! The claims about the drawing: checked on drawn graphs, since that is what a reader has. Each
//! check is handed what draws them, so that a test can hand it one that draws wrongly.

use lab_flame::draw::{self, Kind, Options, Shape};
use lab_flame::drawn::{Frame, ROW_PX, boxes};
use lab_flame::folded::Folded;
use lab_kit::{Figure, Gap, Judged, seed, statements};

use crate::rules;

const SEED: u64 = 13;
const LINES: u64 = 80;
const SHUFFLES: u64 = 50;

/// Draws folded stacks as SVG.
pub(crate) type Draw<'a> = &'a dyn Fn(&str, &Options) -> anyhow::Result<String>;

/// Counts the samples with a frame that is asked for.
pub(crate) type Search = fn(&Folded, fn(&str) -> bool) -> u64;

/// This project's flame graphs.
pub(crate) fn svg(folded: &str, options: &Options) -> anyhow::Result<String> {
    let mut out = Vec::new();
    draw::draw(&Folded::parse_in_order("the profile", folded)?, options, &mut out)?;
    Ok(String::from_utf8(out)?)
}

/// How a graph is drawn: correctly, or wrong in one way.
pub(crate) const WAYS: &[&str] = &[
    "ours",
    "time-order",
    "hanging",
    "pruned",
    "collapsed",
    "one-palette",
    "stretched",
    "unsplit",
];

/// Draws a graph in one of these [`WAYS`].
pub(crate) fn by(way: &str, folded: &str, options: &Options) -> anyhow::Result<String> {
    let with = |change: fn(&mut Options)| {
        let mut wrong = options.clone();
        change(&mut wrong);
        svg(folded, &wrong)
    };
    match way {
        "time-order" => with(|wrong| wrong.shape = Shape::Chart),
        "hanging" => with(|wrong| wrong.shape = Shape::Inverted),
        "pruned" => Ok(svg(
            folded,
            &Options { min_width: "5%".parse().map_err(anyhow::Error::msg)?, ..options.clone() },
        )?),
        "collapsed" => svg(&folded.replace("f;f;f", "f"), options),
        "one-palette" => with(|wrong| wrong.kind = Kind::Memory),
        "stretched" => Ok(twice(" width=\"", &twice(" y=\"", &svg(folded, options)?)?)?),
        "unsplit" => svg(&folded.replace(';', ":"), options),
        _ours => svg(folded, options),
    }
}

/// The graph with twice the value of an attribute.
fn twice(attribute: &str, svg: &str) -> anyhow::Result<String> {
    let mut parts = svg.split(attribute);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (value, rest) = part.split_once('"').unwrap_or((part, ""));
        let (number, unit) = value.split_at(value.trim_end_matches('%').len());
        let doubled = number.parse::<f64>().map(|number| format!("{}{unit}", 2.0 * number));
        text += &format!("{attribute}{}\"{rest}", doubled.unwrap_or(value.to_owned()));
    }
    Ok(text)
}

/// A search that counts a stack as often as it matches.
pub(crate) fn every_frame(folded: &Folded, is_it: fn(&str) -> bool) -> u64 {
    let matches = |frames: usize, count: u64| frames as u64 * count;
    folded.stacks().map(|s| matches(s.frames().filter(|f| is_it(f)).count(), s.count)).sum()
}

/// Alphabetical from left to right, and no trace of the order of the lines.
pub(crate) fn fg_1(draw: Draw<'_>) -> Judged {
    let profile = profile();
    let drawn = flame(draw, &profile)?;
    let mut alike = 0;
    for shuffle in 0..SHUFFLES {
        alike += u64::from(flame(draw, &shuffled(&profile, shuffle))? == drawn);
    }
    Figure::proportion(alike, SHUFFLES)?
        .near(1.0, 0.0)?
        .because("shuffled lines drawn byte for byte alike")?
        .and(none(rules::out_of_order(&boxes(&drawn)), "neighbours out of order"))
}

/// Width is count x 1,180 / total.
pub(crate) fn fg_2(draw: Draw<'_>) -> Judged {
    let error = rules::width_error_px(&boxes(&flame(draw, &profile())?));
    // A width is printed in percent with four decimals.
    Figure::exact(error, "px").at_most(0.001)?.because("largest error of a width")
}

/// A box is itself and what stands on it; the root is everything.
pub(crate) fn fg_3(draw: Draw<'_>) -> Judged {
    let profile = profile();
    let (folded, drawn) = (parse(&profile)?, boxes(&flame(draw, &profile)?));
    let root = drawn.first().map_or(0, |root| root.count);
    none(rules::wrong_sums(&drawn, &folded), "boxes that do not add up")?
        .and(none(root.abs_diff(folded.total()) as usize, "samples missing from the root"))
}

/// One box for equal callers, and only for them.
pub(crate) fn fg_4(draw: Draw<'_>) -> Judged {
    let profile = profile();
    let (folded, drawn) = (parse(&profile)?, boxes(&flame(draw, &profile)?));
    none(rules::wrongly_merged(&drawn, &folded, 0.1), "boxes merged or parted wrongly")
}

/// A box narrower than 0.1 pixel, or than another bound that the user sets, is not drawn.
pub(crate) fn fg_5(draw: Draw<'_>) -> Judged {
    let profile = format!("{}wide 500000\n", profile());
    let folded = parse(&profile)?;
    let mut wrong = 0;
    for (said, px) in [("0.1", 0.1), ("1", 1.0), ("0.5%", 5.9), ("0", 0.0)] {
        let min_width = said.parse().map_err(Gap::Invalid)?;
        let drawn = drawn(draw, &profile, &Options { min_width, ..Options::default() })?;
        wrong += rules::wrongly_merged(&boxes(&drawn), &folded, px);
    }
    none(wrong, "boxes drawn or left out wrongly")
}

/// Callers below, callees above, recursion as a tower.
pub(crate) fn fg_6(draw: Draw<'_>) -> Judged {
    let drawn = boxes(&flame(draw, "main;f;f;f;leaf 90\nmain;f 10\n")?);
    let row = |path: &str| find(&drawn, path).map(|frame| frame.y);
    let tower = ["all", "all;main", "all;main;f", "all;main;f;f", "all;main;f;f;f"].map(row);
    let rises = |pair: &[Option<u64>]| pair[0].zip(pair[1]).is_some_and(|(a, b)| a == b + ROW_PX);
    let on_leaf = |frame: &Frame| frame.path.contains("leaf;");
    statements(&[
        ("recursion is not collapsed", count_of(&drawn, "f") == 3),
        ("each call stands one row above its caller", tower.windows(2).all(rises)),
        ("what runs is on top", count_of(&drawn, "leaf") == 1 && !drawn.iter().any(on_leaf)),
    ])
}

/// Hues have no meaning but the palette's.
pub(crate) fn fg_7(draw: Draw<'_>) -> Judged {
    let palette = |kind, text: &str, ranges| -> Result<f64, Gap> {
        let drawn = drawn(draw, text, &Options { kind, ..Options::default() })?;
        Ok(rules::in_palette(&boxes(&drawn), ranges))
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
pub(crate) fn fg_8(draw: Draw<'_>) -> Judged {
    let says_few = |samples: u64| -> Result<bool, Gap> {
        Ok(flame(draw, &format!("main;f {samples}\n"))?.contains("too few to trust"))
    };
    let drawn = flame(draw, "main;f 100\n")?;
    let rows = boxes(&drawn);
    statements(&[
        ("rows are 16 px apart", rows.windows(2).all(|pair| pair[0].y == pair[1].y + ROW_PX)),
        ("the font is 12 px", drawn.contains("font-size:12px")),
        ("99 samples are said to be few", says_few(99)?),
        ("100 are not", !says_few(100)?),
        ("no samples are an error", flame(draw, "").is_err()),
    ])
}

/// A search counts a stack once, however often it matches.
pub(crate) fn fg_9(draw: Draw<'_>, search: Search) -> Judged {
    let profile = "main;f;f 10\nmain;f;g;f 5\nmain;g 5\n";
    let (folded, drawn) = (parse(profile)?, boxes(&flame(draw, profile)?));
    let matching = search(&folded, |frame| frame == "f");
    let boxes_of_f = drawn.iter().filter(|frame| frame.name() == "f");
    let by_boxes: u64 = boxes_of_f.map(|frame| frame.count).sum();
    Figure::exact(matching as f64 / folded.total() as f64, "ratio")
        .near(0.75, 0.0)?
        .because("matched")?
        .and(Figure::exact(by_boxes as f64, "samples").near(30.0, 0.0)?.because("sum of its boxes"))
}

/// Charts keep time, icicles hang, reversed graphs begin with what runs.
pub(crate) fn fg_10(draw: Draw<'_>) -> Judged {
    let profile = "a;x 60\nb;x 40\na;x 50\n";
    let shape = |shape| -> Result<Vec<Frame>, Gap> {
        Ok(boxes(&drawn(draw, profile, &Options { shape, ..Options::default() })?))
    };
    let (flame, icicle) = (shape(Shape::Flame)?, shape(Shape::Inverted)?);
    let (chart, reversed) = (shape(Shape::Chart)?, shape(Shape::Reversed)?);
    let y = |drawn: &[Frame], path| find(drawn, path).map(|frame| frame.y);
    let of_a = chart.iter().filter(|frame| frame.path == "all;a").map(|a| (a.x, a.count));
    statements(&[
        ("flames rise", y(&flame, "all;a") < y(&flame, "all")),
        ("icicles hang", y(&icicle, "all;a") > y(&icicle, "all")),
        ("a chart keeps time", of_a.eq([(0, 60), (100, 50)])),
        ("reversed, callees merge", find(&reversed, "all;x").is_some_and(|x| x.count == 150)),
    ])
}

/// A line is a stack and a count, so `grep` is a filter.
pub(crate) fn fg_11(draw: Draw<'_>) -> Judged {
    let profile = profile();
    let one = boxes(&flame(draw, "a;b;c 31\n")?);
    let frames = one.iter().map(|frame| (frame.path.as_str(), frame.count));
    let grepped: String =
        profile.lines().filter(|line| line.contains('e')).map(|line| format!("{line}\n")).collect();
    let left = boxes(&flame(draw, &grepped)?).first().map_or(0, |root| root.count);
    let wanted = parse(&profile)?.matching(|frame| frame.contains('e'));
    statements(&[
        (
            "a;b;c 31 is three frames and 31 samples",
            frames.eq([("all", 31), ("all;a", 31), ("all;a;b", 31), ("all;a;b;c", 31)]),
        ),
        ("grep leaves what a search matches", left == wanted && left > 0),
    ])
}

/// Random stacks of few names, so that they share callers, recur and repeat.
pub(crate) fn profile() -> String {
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

fn flame(draw: Draw<'_>, folded: &str) -> Result<String, Gap> {
    drawn(draw, folded, &Options::default())
}

fn drawn(draw: Draw<'_>, folded: &str, options: &Options) -> Result<String, Gap> {
    draw(folded, options).map_err(|error| Gap::Invalid(format!("{error:#}")))
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn assert_holds(judged: Judged) {
        let finding = judged.unwrap();
        assert!(finding.holds, "{finding:?}");
    }

    /// Not reproduced, and the words say which of its statements is broken.
    fn assert_broken(words: &str, judged: Judged) {
        let finding = judged.unwrap();
        assert!(!finding.holds && finding.required.contains(words), "{words}: {finding:?}");
    }

    /// The correct graph of other stacks.
    fn retold(tell: fn(&str) -> String) -> impl Fn(&str, &Options) -> anyhow::Result<String> {
        move |folded, options| svg(&tell(folded), options)
    }

    /// A different graph of the correct stacks.
    fn redrawn(change: fn(&mut Options)) -> impl Fn(&str, &Options) -> anyhow::Result<String> {
        move |folded, options| {
            let mut options = options.clone();
            change(&mut options);
            svg(folded, &options)
        }
    }

    /// The correct graph, changed afterwards.
    fn edited(
        from: &'static str,
        to: &'static str,
    ) -> impl Fn(&str, &Options) -> anyhow::Result<String> {
        move |folded, options| {
            let right = svg(folded, options)?;
            Ok(right.replace(from, to))
        }
    }

    /// Flames in the place of one shape.
    fn without(shape: Shape) -> impl Fn(&str, &Options) -> anyhow::Result<String> {
        move |folded, options| {
            let other = Options { shape: Shape::Flame, ..options.clone() };
            svg(folded, if options.shape == shape { &other } else { options })
        }
    }

    fn without_first_line(folded: &str) -> String {
        match folded.split_once('\n') {
            Some((_, rest)) if !rest.is_empty() => rest.to_owned(),
            _ => folded.to_owned(),
        }
    }

    /// Rows of twice the height.
    fn stretched(folded: &str, options: &Options) -> anyhow::Result<String> {
        let right = svg(folded, options)?;
        let mut parts = right.split(" y=\"");
        let mut wrong = parts.next().unwrap().to_owned();
        for part in parts {
            let (y, rest) = part.split_once('"').unwrap();
            wrong += &format!(" y=\"{}\"{rest}", 2.0 * y.parse::<f64>()?);
        }
        Ok(wrong)
    }

    #[test]
    fn wrong_order_width_and_sums_fail_the_checks() {
        assert_broken("byte for byte", fg_1(&redrawn(|options| options.shape = Shape::Chart)));
        assert_broken("out of order", fg_1(&edited("<title>a (", "<title>z (")));
        assert_broken("error of a width", fg_2(&edited(" width=\"1", " width=\"2")));
        let narrow = |options: &mut Options| options.min_width = "5%".parse().unwrap();
        assert_broken("do not add up", fg_3(&redrawn(narrow)));
        let without_a = |folded: &str| {
            let others = folded.lines().filter(|line| !line.starts_with(['a']));
            others.map(|line| format!("{line}\n")).collect()
        };
        assert_broken("missing from the root", fg_3(&retold(without_a)));
        assert_broken("merged", fg_4(&redrawn(|options| options.shape = Shape::Chart)));
        let everything = |options: &mut Options| options.min_width = Options::default().min_width;
        assert_broken("left out wrongly", fg_5(&redrawn(everything)));
    }

    #[test]
    fn wrong_stacks_of_calls_fail_the_checks() {
        assert_holds(fg_6(&svg));
        let collapsed = retold(|folded| folded.replace("f;f;f", "f"));
        assert_broken("not so: recursion", fg_6(&collapsed));
        let hanging = redrawn(|options| options.shape = Shape::Inverted);
        assert_broken("not so: each call", fg_6(&hanging));
        let covered = retold(|folded| folded.replace("leaf", "leaf;more"));
        assert_broken("not so: what runs", fg_6(&covered));
    }

    #[test]
    fn a_wrong_palette_fails_the_check() {
        for wrong in 0..6 {
            let drawn = Cell::new(0);
            let black = |folded: &str, options: &Options| {
                let right = svg(folded, options)?;
                let is_it = drawn.replace(drawn.get() + 1) == wrong;
                let to = if is_it { " fill=\"rgb(0,0,0)\" was=\"" } else { " fill=\"" };
                Ok(right.replace(" fill=\"", to))
            };
            assert_broken("within their palette", fg_7(&black));
            assert_eq!(drawn.get(), 6);
        }
        assert_broken("within their palette", fg_7(&edited("<g>", "")));
    }

    #[test]
    fn wrong_sizes_and_warnings_fail_the_checks() {
        assert_holds(fg_8(&svg));
        assert_broken("not so: rows", fg_8(&stretched));
        assert_broken("not so: the font", fg_8(&edited("font-size:12px", "font-size:13px")));
        assert_broken("not so: 99", fg_8(&edited("too few to trust", "")));
        assert_broken("not so: 100", fg_8(&retold(|folded| folded.replace("100", "99"))));
        let forgiving = |folded: &str, options: &Options| match folded {
            "" => Ok(String::new()),
            _ => svg(folded, options),
        };
        assert_broken("not so: no samples", fg_8(&forgiving));
    }

    #[test]
    fn wrong_searches_shapes_and_lines_fail_the_checks() {
        let twice = |folded: &Folded, is_it: fn(&str) -> bool| {
            let matches = folded.stacks().map(|stack| {
                stack.count * stack.frames().filter(|frame| is_it(frame)).count() as u64
            });
            matches.sum()
        };
        assert_broken("matched", fg_9(&svg, twice));
        let merged = retold(|folded| folded.replace("f;f", "f"));
        assert_broken("sum of its boxes", fg_9(&merged, Folded::matching));
        assert_broken("not so: flames", fg_10(&redrawn(|options| options.shape = Shape::Inverted)));
        assert_broken("not so: icicles", fg_10(&without(Shape::Inverted)));
        assert_broken("not so: a chart", fg_10(&without(Shape::Chart)));
        assert_broken("not so: reversed", fg_10(&without(Shape::Reversed)));
        assert_broken("not so: a;b;c", fg_11(&retold(|folded| folded.replace(';', ":"))));
        assert_broken("not so: grep", fg_11(&retold(without_first_line)));
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
