//! The claims about the method: checked on what its published tools draw, and on what ours does
//! instead where it differs on purpose.

use inferno::differential::Options;
use lab_flame::diff::svg::View;
use lab_flame::diff::{Diff, Mark, Normalise};
use lab_flame::draw::USABLE_PX;
use lab_flame::folded::Folded;
use lab_kit::{Evidence, Figure, Gap, Judged};

use crate::ours;
use crate::port::{self, Frame, shade};
use crate::sides::compare;

const BEFORE: &str = "main;parse 40\nmain;serve;hash 30\nmain;serve;gone 20\nmain;idle 110\n";
const AFTER: &str = "main;parse 20\nmain;serve;hash 70\nmain;idle 110\n";

/// The second profile gives the widths, the difference the colours.
pub fn dfg_1(_: &Evidence) -> Judged {
    let drawn = port(BEFORE, AFTER, Options::default(), false)?;
    let error = |frame: &Frame| (frame.width_px - frame.count as f64 * USABLE_PX / 200.0).abs();
    let found = |name| find(&drawn, name);
    all(&[
        ("widths are those of the second", drawn.iter().all(|f| error(f) < 0.01)),
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
pub fn dfg_2(_: &Evidence) -> Judged {
    let drawn = port(BEFORE, AFTER, Options::default(), false)?;
    let white = |name| find(&drawn, name).is_some_and(|f| shade(f) == 0.0);
    let diff = ours(BEFORE, AFTER, Normalise::Nothing)?;
    let change = |name: &str| diff.names.iter().find(|n| n.frame == name);
    all(&[
        ("callers stay white", white("main") && white("serve")),
        // Ours tells both: a caller's own cost, and what it costs with all that it calls.
        ("ours: a caller's own change is 0", change("serve").is_some_and(|c| c.own.delta() == 0.0)),
        ("and its inclusive one is not", {
            change("serve").is_some_and(|c| c.inclusive.delta() == 20.0)
        }),
    ])
}

/// The shade is linear in the change over the largest of any line, at least 1.
pub fn dfg_3(_: &Evidence) -> Judged {
    let line = |delta: i64| format!("f{:03} 1000 {}\n", delta + 50, 1000 + delta);
    let columns: String = (-50..=50).map(line).collect();
    let drawn = port::draw(&columns, false).map_err(invalid)?;
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
pub fn dfg_4(_: &Evidence) -> Judged {
    let columns = columns("func_a;func_b;func_c 31\nfunc_a;x 2\n", "func_a;func_b;func_c 33\n")?;
    all(&[
        ("two columns", columns.contains("func_a;func_b;func_c 31 33")),
        ("absent is 0", columns.contains("func_a;x 2 0")),
    ])
}

/// Without normalisation a change of load paints everything; with it, the scale truncates.
pub fn dfg_5(_: &Evidence) -> Judged {
    let (full, half) = ("main;a 600\nmain;b 401\n", "main;a 300\nmain;b 200\nmain;c 1\n");
    let normalised = Options { normalize: true, ..Options::default() };
    let raw = port(full, half, Options::default(), false)?;
    let blue = ["a", "b"].iter().all(|name| find(&raw, name).is_some_and(|f| shade(f) < 0.0));
    // One sample of each of 251 stacks, scaled to 200 in all: int(200 / 251) is 0.
    let ones = |n: usize| (0..n).map(|i| format!("main;f{i:03} 1\n")).collect::<String>();
    let scaled = port::columns(&ones(251), &ones(200), normalised).map_err(invalid)?;
    let left: u64 =
        scaled.lines().filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).sum();
    let diff = ours(&ones(251), &ones(200), Normalise::Samples)?;
    let kept: f64 = diff.paths.iter().map(|path| path.own.before).sum();
    all(&[
        ("half the load is all blue as it stands", blue),
        ("int() loses every one-sample stack", left == 0),
        ("ours keeps their weight", (kept - 100.0).abs() < 1e-9),
        ("ours: half the load has no change", {
            let diff = ours("m;a 600\nm;b 400\n", "m;a 300\nm;b 200\n", Normalise::Samples)?;
            diff.paths.iter().all(|path| path.own.delta() == 0.0)
        }),
    ])
}

/// Addresses in names part what belongs together; stripped, they do not.
pub fn dfg_6(_: &Evidence) -> Judged {
    let (before, after) = ("main;0x7f01 5\n", "main;0x7fa9 6\n");
    let stripped = Options { strip_hex: true, ..Options::default() };
    let joined = port::columns(before, after, stripped).map_err(invalid)?;
    all(&[
        ("two addresses are two stacks", columns(before, after)?.lines().count() == 2),
        ("stripped they are one", joined == "main;0x... 5 6"),
    ])
}

/// What vanished has no box; a reversed differential or a graph of its own shows it.
pub fn dfg_7(_: &Evidence) -> Judged {
    let lost = 20.0;
    let forward = port(BEFORE, AFTER, Options::default(), false)?;
    let reversed = port(AFTER, BEFORE, Options::default(), true)?;
    let diff = ours(BEFORE, AFTER, Normalise::Nothing)?;
    let vanished = diff.paths.iter().filter(|path| path.mark == Mark::Vanished);
    let elided = ours::boxes(&diff, View::Elided);
    let gone = elided.iter().find(|frame| frame.name() == "gone");
    all(&[
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
pub fn dfg_8(_: &Evidence) -> Judged {
    let there = port(BEFORE, AFTER, Options::default(), false)?;
    let back = port(BEFORE, AFTER, Options::default(), true)?;
    let swapped = |(a, b): (&Frame, &Frame)| {
        (&a.name, a.width_px, shade(a)) == (&b.name, b.width_px, -shade(b))
    };
    let same = there.iter().zip(&back).filter(|pair| swapped(*pair)).count();
    Figure::proportion(same as u64, there.len() as u64)?
        .near(1.0, 0.0)?
        .because("boxes with the hue swapped and all else alike")?
        .and(Figure::exact(there.len().abs_diff(back.len()) as f64, "boxes").near(0.0, 0.0))
}

/// Both profiles, and what vanished, as graphs beside each other.
pub fn dfg_12(_: &Evidence) -> Judged {
    let diff = ours(BEFORE, AFTER, Normalise::Nothing)?;
    let has = |view, name: &str| ours::boxes(&diff, view).iter().any(|frame| frame.name() == name);
    let width = |view| {
        let boxes = ours::boxes(&diff, view);
        boxes.iter().find(|frame| frame.name() == "idle").map(|frame| frame.width_px)
    };
    all(&[
        ("before has what vanished", has(View::Before, "gone")),
        ("after has not", !has(View::After, "gone")),
        ("elided has that alone", has(View::Elided, "gone") && !has(View::Elided, "idle")),
        ("one scale for both", width(View::Before) == width(View::After)),
    ])
}

fn port(before: &str, after: &str, options: Options, negate: bool) -> Result<Vec<Frame>, Gap> {
    let columns = port::columns(before, after, options).map_err(invalid)?;
    port::draw(&columns, negate).map_err(invalid)
}

fn columns(before: &str, after: &str) -> Result<String, Gap> {
    port::columns(before, after, Options::default()).map_err(invalid)
}

/// Our differential of two profiles, each one trial.
pub fn ours(before: &str, after: &str, normalise: Normalise) -> Result<Diff, Gap> {
    let parse = |text: &str| Folded::parse("the profile", text).map_err(invalid);
    compare(&parse(before)?, &parse(after)?, normalise).map_err(invalid)
}

fn find<'a>(drawn: &'a [Frame], name: &str) -> Option<&'a Frame> {
    drawn.iter().find(|frame| frame.name == name)
}

fn invalid(error: impl Into<anyhow::Error>) -> Gap {
    Gap::Invalid(format!("{:#}", error.into()))
}

/// Not a number is worse than any.
fn nan_or_max(worst: f64, next: f64) -> f64 {
    if worst.is_nan() || next.is_nan() { f64::NAN } else { worst.max(next) }
}

/// How many statements hold, of which all must; the first that does not is named.
pub fn all(statements: &[(&str, bool)]) -> Judged {
    let hold = statements.iter().filter(|(_, holds)| *holds).count();
    let broken = statements.iter().find(|(_, holds)| !holds);
    let says: Vec<&str> = statements.iter().map(|(says, _)| *says).collect();
    let words = broken.map_or_else(|| says.join(", "), |(says, _)| format!("not so: {says}"));
    Figure::exact(hold as f64, "statements").near(statements.len() as f64, 0.0)?.because(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_does_not_hold_is_named() {
        let finding = all(&[("one", true), ("two", false)]).unwrap();
        assert!(!finding.holds && finding.required.starts_with("not so: two"), "{finding:?}");
        assert!(all(&[("one", true)]).unwrap().holds);
    }

    #[test]
    fn shades_tell_hue_and_depth() {
        let frame = |fill| Frame { name: String::new(), count: 1, width_px: 1.0, fill };
        assert!(shade(&frame([255, 100, 100])) > shade(&frame([255, 200, 200])));
        assert!(shade(&frame([100, 100, 255])) < 0.0);
        assert_eq!(shade(&frame([250, 250, 250])), 0.0);
    }

    #[test]
    fn a_missing_box_is_no_small_error() {
        assert!(nan_or_max(0.0, f64::NAN).is_nan() && nan_or_max(f64::NAN, 1.0).is_nan());
        assert_eq!(nan_or_max(1.0, 2.0), 2.0);
    }
}
