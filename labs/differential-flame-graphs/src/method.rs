//! The claims about the method: checked on what its published tools draw, and on what ours does
//! instead where it differs on purpose. Each check is handed the tools, so that a test can hand it
//! wrong ones.

use inferno::differential::Options;
use lab_flame::diff::svg::View;
use lab_flame::diff::{Diff, Mark, Normalise};
use lab_flame::draw::USABLE_PX;
use lab_flame::drawn::Frame;
use lab_flame::export;
use lab_flame::folded::Folded;
use lab_flame::strip::strip_hex;
use lab_kit::{Figure, Gap, Judged, statements};

use crate::ours;
use crate::port::{self, shade};
use crate::sides::compare;

/// The published tools and this project's.
#[derive(Clone, Copy)]
pub(crate) struct Tools {
    /// difffolded.pl: two profiles as lines with two counts, sorted.
    pub columns: fn(&str, &str, Options) -> anyhow::Result<String>,
    /// flamegraph.pl: such lines, drawn; `true` negates.
    pub draw: fn(&str, bool) -> anyhow::Result<Vec<Frame>>,
    /// Our differential.
    pub differ: fn(&str, &str, Normalise) -> anyhow::Result<Diff>,
    /// Our boxes.
    pub boxes: fn(&Diff, View) -> Vec<ours::Frame>,
    /// Our lines with two counts.
    pub write: fn(&str, &str) -> anyhow::Result<String>,
    /// How ours strips addresses.
    pub strip: fn(&[u8]) -> Vec<u8>,
}

/// Which tools there are: as published, or wrong in one way.
pub(crate) const WAYS: &[&str] =
    &["published", "hues-swapped", "one-shade", "first-alone", "sides-swapped"];

/// As they are.
pub(crate) const TOOLS: Tools = Tools {
    columns: port::columns,
    draw: port::draw,
    differ,
    boxes: ours::boxes,
    write,
    strip: strip_hex,
};

fn differ(before: &str, after: &str, normalise: Normalise) -> anyhow::Result<Diff> {
    let parse = |text: &str| Folded::parse("the profile", text);
    compare(&parse(before)?, &parse(after)?, normalise)
}

fn all_red(mut drawn: Vec<Frame>) -> anyhow::Result<Vec<Frame>> {
    drawn.iter_mut().for_each(|frame| frame.fill = [255, 100, 100]);
    Ok(drawn)
}

fn write(before: &str, after: &str) -> anyhow::Result<String> {
    let parse = |text: &str| Folded::parse("the profile", text);
    let mut out = Vec::new();
    export::differential(&parse(before)?, &parse(after)?, false, &mut out)?;
    Ok(String::from_utf8(out)?.trim_end().to_owned())
}

impl Tools {
    /// The tools in one of these [`WAYS`].
    pub(crate) fn of(way: &str) -> Self {
        match way {
            "hues-swapped" => {
                Self { draw: |columns, negate| port::draw(columns, !negate), ..TOOLS }
            }
            "one-shade" => {
                Self { draw: |columns, _| all_red(port::draw(columns, false)?), ..TOOLS }
            }
            "first-alone" => Self { columns: |before, _, _| Ok(before.to_owned()), ..TOOLS },
            "sides-swapped" => Self { differ: |b, a, normalise| differ(a, b, normalise), ..TOOLS },
            _published => TOOLS,
        }
    }

    fn columns(&self, before: &str, after: &str, options: Options) -> Result<String, Gap> {
        (self.columns)(before, after, options).map_err(invalid)
    }

    fn drawn(&self, columns: &str, negate: bool) -> Result<Vec<Frame>, Gap> {
        (self.draw)(columns, negate).map_err(invalid)
    }

    fn port(&self, before: &str, after: &str, negate: bool) -> Result<Vec<Frame>, Gap> {
        self.drawn(&self.columns(before, after, Options::default())?, negate)
    }

    /// Our differential of two profiles, each one trial.
    pub(crate) fn ours(
        &self,
        before: &str,
        after: &str,
        normalise: Normalise,
    ) -> Result<Diff, Gap> {
        (self.differ)(before, after, normalise).map_err(invalid)
    }
}

const BEFORE: &str = "main;parse 40\nmain;serve;hash 30\nmain;serve;gone 20\nmain;idle 110\n";
const AFTER: &str = "main;parse 20\nmain;serve;hash 70\nmain;idle 110\n";

/// The second profile gives the widths, the difference the colours.
pub(crate) fn dfg_1(tools: &Tools) -> Judged {
    let drawn = tools.port(BEFORE, AFTER, false)?;
    let found = |name| find(&drawn, name);
    let as_wide = |name, count: f64| {
        found(name).is_some_and(|frame| (frame.width_px - count * USABLE_PX / 200.0).abs() < 0.01)
    };
    statements(&[
        (
            "widths are those of the second",
            as_wide("parse", 20.0) && as_wide("hash", 70.0) && as_wide("idle", 110.0),
        ),
        ("what gained is red", found("hash").is_some_and(|f| shade(f) > 0.0)),
        ("what lost is blue", found("parse").is_some_and(|f| shade(f) < 0.0)),
        ("what stayed is neither", found("idle").is_some_and(|f| shade(f) == 0.0)),
        ("a larger change is deeper", {
            let deep = |name| found(name).map_or(0.0, |f| shade(f).abs());
            deep("hash") > deep("parse")
        }),
    ])
}

/// The colour belongs to the function that changed, not to those who call it.
pub(crate) fn dfg_2(tools: &Tools) -> Judged {
    let drawn = tools.port(BEFORE, AFTER, false)?;
    let white = |name| find(&drawn, name).is_some_and(|f| shade(f) == 0.0);
    let diff = tools.ours(BEFORE, AFTER, Normalise::Nothing)?;
    let change = |name: &str| diff.names.iter().find(|n| n.frame == name);
    statements(&[
        ("callers stay white", white("main") && white("serve")),
        // Ours shows both: a caller's own cost, and its cost with all that it calls.
        ("ours: a caller's own change is 0", change("serve").is_some_and(|c| c.own.delta() == 0.0)),
        ("and its inclusive one is not", {
            change("serve").is_some_and(|c| c.inclusive.delta() == 20.0)
        }),
    ])
}

/// The shade is linear in the change over the largest of any line, at least 1.
pub(crate) fn dfg_3(tools: &Tools) -> Judged {
    let line = |delta: i64| format!("f{:03} 1000 {}\n", delta + 50, 1000 + delta);
    let columns: String = (-50..=50).map(line).collect();
    let drawn = tools.drawn(&columns, false)?;
    let deepest = find(&drawn, "f100").map_or(0.0, shade);
    let palest = find(&drawn, "f051").map_or(0.0, shade);
    // A straight line between the palest and the deepest, to the rounding of a colour.
    let expected =
        |delta: f64| delta.signum() * (palest + (deepest - palest) * (delta.abs() - 1.0) / 49.0);
    let error = |delta: i64| {
        let found = find(&drawn, &format!("f{:03}", delta + 50)).map_or(f64::NAN, shade);
        if delta == 0 { found.abs() } else { (found - expected(delta as f64)).abs() }
    };
    let worst = (-50..=50).map(error).fold(0.0, nan_or_max);
    Figure::exact(worst * 255.0, "levels")
        .at_most(1.5)?
        .because("from a straight line, of 255")?
        .and(Figure::exact(deepest, "ratio").at_least(0.5)?.because("the largest change is deep"))
}

/// A stack and two counts; a stack that one side lacks counts 0 there.
pub(crate) fn dfg_4(tools: &Tools) -> Judged {
    let (before, after) = ("func_a;func_b;func_c 31\nfunc_a;x 2\n", "func_a;func_b;func_c 33\n");
    let columns = tools.columns(before, after, Options::default())?;
    let ours = (tools.write)(before, after).map_err(invalid)?;
    let read = Folded::parse_differential("columns", ours.clone()).map_err(invalid)?;
    statements(&[
        ("two columns", columns.contains("func_a;func_b;func_c 31 33")),
        ("absent is 0", columns.contains("func_a;x 2 0")),
        ("ours are the same", ours == columns),
        ("and are read as they were", {
            let [one, two] = read.map(|side| side.to_text());
            (one.as_str(), two.as_str()) == (before, after)
        }),
    ])
}

/// Without normalisation a change of load paints everything; with it, the scale truncates.
pub(crate) fn dfg_5(tools: &Tools) -> Judged {
    let (full, half) = ("main;a 600\nmain;b 401\n", "main;a 300\nmain;b 200\nmain;c 1\n");
    let normalised = Options { normalize: true, ..Options::default() };
    let raw = tools.port(full, half, false)?;
    let blue = ["a", "b"].iter().all(|name| find(&raw, name).is_some_and(|f| shade(f) < 0.0));
    // One sample of each of 251 stacks, scaled to 200 in all: int(200 / 251) is 0.
    let ones = |n: usize| (0..n).map(|i| format!("main;f{i:03} 1\n")).collect::<String>();
    let scaled = tools.columns(&ones(251), &ones(200), normalised)?;
    let left: u64 =
        scaled.lines().filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).sum();
    let diff = tools.ours(&ones(251), &ones(200), Normalise::Samples)?;
    let kept: f64 = diff.paths.iter().map(|path| path.own.before).sum();
    statements(&[
        ("half the load is all blue as it stands", blue),
        ("int() loses every one-sample stack", left == 0),
        ("ours keeps their weight", (kept - 100.0).abs() < 1e-9),
        ("ours: half the load has no change", {
            let diff =
                tools.ours("m;a 600\nm;b 400\n", "m;a 300\nm;b 200\n", Normalise::Samples)?;
            diff.paths.iter().all(|path| path.own.delta() == 0.0)
        }),
    ])
}

/// Addresses in names part what belongs together; stripped, they do not.
pub(crate) fn dfg_6(tools: &Tools) -> Judged {
    let (before, after) = ("main;0x7f01 5\n", "main;0x7fa9 6\n");
    let parted = tools.columns(before, after, Options::default())?;
    let stripped = Options { strip_hex: true, ..Options::default() };
    let joined = tools.columns(before, after, stripped)?;
    statements(&[
        ("two addresses are two stacks", parted.lines().count() == 2),
        ("stripped they are one", joined == "main;0x... 5 6"),
        ("ours is stripped alike", (tools.strip)(after.as_bytes()) == b"main;0x... 6\n"),
    ])
}

/// What vanished has no box; a reversed differential or a graph of its own shows it.
pub(crate) fn dfg_7(tools: &Tools) -> Judged {
    let lost = 20.0;
    let forward = tools.port(BEFORE, AFTER, false)?;
    let reversed = tools.port(AFTER, BEFORE, true)?;
    let diff = tools.ours(BEFORE, AFTER, Normalise::Nothing)?;
    let vanished = diff.paths.iter().filter(|path| path.mark == Mark::Vanished);
    let elided = (tools.boxes)(&diff, View::Elided);
    let gone = elided.iter().find(|frame| frame.name() == "gone");
    statements(&[
        ("it has no box", find(&forward, "gone").is_none()),
        ("the other way round it has", find(&reversed, "gone").is_some_and(|f| f.count == 20)),
        ("blue, for what will happen", find(&reversed, "gone").is_some_and(|f| shade(f) < 0.0)),
        ("what vanished is what was lost", vanished.map(|p| p.own.before).sum::<f64>() == lost),
        (
            "and all of our elided graph",
            gone.is_some_and(|f| (f.width_px - USABLE_PX).abs() < 0.01),
        ),
    ])
}

/// Negated, hues change sides and nothing else does.
pub(crate) fn dfg_8(tools: &Tools) -> Judged {
    let there = tools.port(BEFORE, AFTER, false)?;
    let back = tools.port(BEFORE, AFTER, true)?;
    let swapped = |(a, b): (&Frame, &Frame)| {
        (&a.path, a.width_px, shade(a)) == (&b.path, b.width_px, -shade(b))
    };
    let same = there.iter().zip(&back).filter(|pair| swapped(*pair)).count();
    Figure::proportion(same as u64, there.len() as u64)?
        .near(1.0, 0.0)?
        .because("boxes with the hue swapped and all else alike")?
        .and(Figure::exact(there.len().abs_diff(back.len()) as f64, "boxes").near(0.0, 0.0))
}

/// Both profiles, and what vanished, as graphs beside each other.
pub(crate) fn dfg_12(tools: &Tools) -> Judged {
    let diff = tools.ours(BEFORE, AFTER, Normalise::Nothing)?;
    let has =
        |view, name: &str| (tools.boxes)(&diff, view).iter().any(|frame| frame.name() == name);
    let width = |view| {
        let boxes = (tools.boxes)(&diff, view);
        boxes.iter().find(|frame| frame.name() == "idle").map(|frame| frame.width_px)
    };
    statements(&[
        ("before has what vanished", has(View::Before, "gone")),
        ("after has not", !has(View::After, "gone")),
        ("elided has that alone", has(View::Elided, "gone") && !has(View::Elided, "idle")),
        ("one scale for both", width(View::Before) == width(View::After)),
    ])
}

fn find<'a>(drawn: &'a [Frame], name: &str) -> Option<&'a Frame> {
    drawn.iter().find(|frame| frame.name() == name)
}

fn invalid(error: impl Into<anyhow::Error>) -> Gap {
    Gap::Invalid(format!("{:#}", error.into()))
}

/// The larger error; NaN counts as the largest.
fn nan_or_max(worst: f64, next: f64) -> f64 {
    if worst.is_nan() || next.is_nan() { f64::NAN } else { worst.max(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: [u8; 3] = [250; 3];
    const RED: [u8; 3] = [255, 100, 100];

    /// Not reproduced, and the words say which of its statements is broken.
    fn assert_broken(words: &str, judged: Judged) {
        let finding = judged.unwrap();
        assert!(!finding.holds && finding.required.contains(words), "{words}: {finding:?}");
    }

    fn repainted(mut drawn: Vec<Frame>, name: &str, fill: [u8; 3]) -> anyhow::Result<Vec<Frame>> {
        drawn.iter_mut().filter(|frame| frame.name() == name).for_each(|frame| frame.fill = fill);
        Ok(drawn)
    }

    /// Our differential with one frame changed by name.
    fn altered(
        (before, after, normalise): (&str, &str, Normalise),
        frame: &str,
        alter: fn(&mut lab_flame::diff::Name),
    ) -> anyhow::Result<Diff> {
        let mut diff = differ(before, after, normalise)?;
        diff.names.iter_mut().filter(|name| name.frame == frame).for_each(alter);
        Ok(diff)
    }

    #[test]
    fn wrong_widths_and_colours_fail_the_check() {
        let of_the_first = |columns: &str, _: bool| {
            let swap = |line: &str| {
                let [after, before, stack] = line.rsplitn(3, ' ').collect::<Vec<_>>()[..] else {
                    panic!("{line}: two counts")
                };
                format!("{stack} {after} {before}\n")
            };
            port::draw(&columns.lines().map(swap).collect::<String>(), true)
        };
        assert_broken("not so: widths", dfg_1(&Tools { draw: of_the_first, ..TOOLS }));
        for (words, draw) in [
            ("not so: what gained", (|c, n| port::draw(c, !n)) as fn(&str, bool) -> _),
            ("not so: what lost", |c, n| repainted(port::draw(c, n)?, "parse", WHITE)),
            ("not so: what stayed", |c, n| repainted(port::draw(c, n)?, "idle", RED)),
            ("not so: a larger", |c, n| repainted(port::draw(c, n)?, "hash", [255, 250, 250])),
        ] {
            assert_broken(words, dfg_1(&Tools { draw, ..TOOLS }));
        }
    }

    #[test]
    fn colours_of_the_wrong_frame_fail_the_check() {
        let draw = |c: &str, n| repainted(port::draw(c, n)?, "serve", RED);
        assert_broken("not so: callers", dfg_2(&Tools { draw, ..TOOLS }));
        let differ = |b: &str, a: &str, n| altered((b, a, n), "serve", |f| f.own.after += 1.0);
        assert_broken("not so: ours: a caller", dfg_2(&Tools { differ, ..TOOLS }));
        let differ =
            |b: &str, a: &str, n| altered((b, a, n), "serve", |f| f.inclusive.after = 50.0);
        assert_broken("not so: and its inclusive", dfg_2(&Tools { differ, ..TOOLS }));
    }

    #[test]
    fn wrong_shades_fail_the_check() {
        let bent = |c: &str, n| repainted(port::draw(c, n)?, "f075", WHITE);
        assert_broken("straight line", dfg_3(&Tools { draw: bent, ..TOOLS }));
        let missing = |c: &str, n| {
            let drawn = port::draw(c, n)?;
            Ok(drawn.into_iter().filter(|frame| frame.name() != "f075").collect())
        };
        assert_broken("straight line", dfg_3(&Tools { draw: missing, ..TOOLS }));
        let pale = |c: &str, n| {
            let mut drawn = port::draw(c, n)?;
            for fill in drawn.iter_mut().flat_map(|frame| &mut frame.fill) {
                *fill = 255 - (255 - *fill) / 4;
            }
            Ok(drawn)
        };
        let finding = dfg_3(&Tools { draw: pale, ..TOOLS }).unwrap();
        assert!(!finding.holds && finding.figure.unit == "ratio", "{finding:?}");
    }

    #[test]
    fn wrong_columns_fail_the_check() {
        let first_alone = |b: &str, _: &str, _| Ok(b.to_owned());
        assert_broken("not so: two columns", dfg_4(&Tools { columns: first_alone, ..TOOLS }));
        let common = |b: &str, a: &str, o| {
            let columns = port::columns(b, a, o)?;
            Ok(columns.lines().filter(|line| !line.contains(" 0")).collect())
        };
        assert_broken("not so: absent", dfg_4(&Tools { columns: common, ..TOOLS }));
        let swapped = |b: &str, a: &str| write(a, b);
        assert_broken("not so: ours", dfg_4(&Tools { write: swapped, ..TOOLS }));
        // The same wrong columns from both.
        let columns =
            |_: &str, _: &str, _| Ok("func_a;func_b;func_c 31 33\nfunc_a;x 2 0\nx 1 1".into());
        let write = |_: &str, _: &str| Ok("func_a;func_b;func_c 31 33\nfunc_a;x 2 0\nx 1 1".into());
        assert_broken("not so: and are read", dfg_4(&Tools { columns, write, ..TOOLS }));

        let stripped = |b: &str, a: &str, o| port::columns(b, a, Options { strip_hex: true, ..o });
        assert_broken("not so: two addresses", dfg_6(&Tools { columns: stripped, ..TOOLS }));
        let kept = |b: &str, a: &str, o| port::columns(b, a, Options { strip_hex: false, ..o });
        assert_broken("not so: stripped", dfg_6(&Tools { columns: kept, ..TOOLS }));
        let strip = <[u8]>::to_vec;
        assert_broken("not so: ours", dfg_6(&Tools { strip, ..TOOLS }));
    }

    #[test]
    fn wrong_normalising_fails_the_check() {
        let draw = |c: &str, n| repainted(port::draw(c, n)?, "a", RED);
        assert_broken("not so: half the load is all", dfg_5(&Tools { draw, ..TOOLS }));
        let columns = |b: &str, a: &str, _| port::columns(b, a, Options::default());
        assert_broken("not so: int()", dfg_5(&Tools { columns, ..TOOLS }));
        let differ_by_nothing = |b: &str, a: &str, n| {
            differ(b, a, if b.starts_with("main;") { Normalise::Nothing } else { n })
        };
        assert_broken("not so: ours keeps", dfg_5(&Tools { differ: differ_by_nothing, ..TOOLS }));
        let differ_by_nothing = |b: &str, a: &str, n| {
            differ(b, a, if b.starts_with("m;") { Normalise::Nothing } else { n })
        };
        assert_broken("not so: ours: half", dfg_5(&Tools { differ: differ_by_nothing, ..TOOLS }));
    }

    #[test]
    fn hidden_or_invented_vanished_frames_fail_the_check() {
        let kept = |c: &str, n| port::draw(&c.replace("gone 20 0", "gone 20 1"), n);
        assert_broken("not so: it has no box", dfg_7(&Tools { draw: kept, ..TOOLS }));
        let hidden = |c: &str, n| port::draw(&c.replace("gone 0 20", "gone 0 0"), n);
        assert_broken("not so: the other way", dfg_7(&Tools { draw: hidden, ..TOOLS }));
        let red = |c: &str, n| repainted(port::draw(c, n)?, "gone", RED);
        assert_broken("not so: blue", dfg_7(&Tools { draw: red, ..TOOLS }));
        let unmarked = |b: &str, a: &str, n| {
            let mut diff = differ(b, a, n)?;
            diff.paths.iter_mut().for_each(|path| path.mark = Mark::Both);
            Ok(diff)
        };
        assert_broken("not so: what vanished", dfg_7(&Tools { differ: unmarked, ..TOOLS }));
        let boxes = |diff: &Diff, _| ours::boxes(diff, View::Before);
        assert_broken("not so: and all", dfg_7(&Tools { boxes, ..TOOLS }));
    }

    #[test]
    fn wrong_negation_fails_the_check() {
        let draw = |c: &str, _| port::draw(c, false);
        assert_broken("hue swapped", dfg_8(&Tools { draw, ..TOOLS }));
        let draw = |c: &str, n| {
            let mut drawn = port::draw(c, n)?;
            drawn.truncate(drawn.len() - usize::from(n));
            Ok(drawn)
        };
        assert_broken("boxes", dfg_8(&Tools { draw, ..TOOLS }));
    }

    #[test]
    fn wrong_views_fail_the_check() {
        for (words, boxes) in [
            (
                "not so: before",
                (|d, v| ours::boxes(d, if v == View::Before { View::After } else { v }))
                    as fn(&Diff, View) -> _,
            ),
            ("not so: after", |d, v| {
                ours::boxes(d, if v == View::After { View::Before } else { v })
            }),
            ("not so: elided", |d, v| {
                ours::boxes(d, if v == View::Elided { View::Before } else { v })
            }),
            ("not so: one scale", |d, v| {
                let mut boxes = ours::boxes(d, v);
                boxes.iter_mut().filter(|_| v == View::After).for_each(|b| b.width_px *= 2.0);
                boxes
            }),
        ] {
            assert_broken(words, dfg_12(&Tools { boxes, ..TOOLS }));
        }
    }

    #[test]
    fn a_shade_has_a_hue_and_a_depth() {
        let frame = |fill| Frame { path: String::new(), count: 1, width_px: 1.0, x: 0, y: 0, fill };
        assert!(shade(&frame([255, 100, 100])) > shade(&frame([255, 200, 200])));
        assert!(shade(&frame([100, 100, 255])) < 0.0);
        assert_eq!(shade(&frame([250, 250, 250])), 0.0);
    }

    #[test]
    fn a_missing_box_counts_as_a_large_error() {
        assert!(nan_or_max(0.0, f64::NAN).is_nan() && nan_or_max(f64::NAN, 1.0).is_nan());
        assert_eq!(nan_or_max(1.0, 2.0), 2.0);
    }
}
