//! CPI flame graphs from columns written down by hand: this machine may have no cycle counter.
//!
//! The engine is that of a differential. Where a frame's share of the instructions falls short of
//! its share of the cycles, its cycles are spent waiting, and it is blue; where it exceeds it, it
//! is red. Widths are cycles.

use lab_flame::diff::svg::View;
use lab_flame::diff::{Diff, Normalise};
use lab_flame::draw::USABLE_PX;
use lab_kit::{Figure, Gap, Judged, statements};

use crate::method::Tools;
use crate::ours::Frame;

/// Made-up figures in the shape that the article describes, not measured. A stack, its cycles and
/// its instructions, both in millions.
pub(crate) const RECORDED: &str = include_str!("../recorded/cpi.columns");

/// Widths are CPU time.
pub(crate) fn cpi_1(recorded: &str, tools: &Tools) -> Judged {
    let rows = rows(recorded);
    let drawn = (tools.boxes)(&diff_of(&rows, tools)?, View::Before);
    let total: f64 = rows.iter().map(|row| row.cycles as f64).sum();
    let error = |row: &Row<'_>| {
        let leaf = row.stack.rsplit(';').next().unwrap_or_default();
        let width = drawn.iter().find(|frame| frame.name() == leaf).map(|frame| frame.width_px);
        (width.unwrap_or(f64::NAN) / USABLE_PX - row.cycles as f64 / total).abs()
    };
    // A missing box must not count as one without error.
    let errors: Vec<f64> = rows.iter().map(error).collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let found = errors.iter().all(|error| !error.is_nan());
    Figure::exact(worst, "ratio")
        .at_most(1e-5)?
        .because("widths against cycles, worst leaf")?
        .and(statements(&[("every leaf has a box", found)]))
}

/// The highest CPI is the deepest blue, the lowest the deepest red, and hues follow in between.
pub(crate) fn cpi_2(recorded: &str, tools: &Tools) -> Judged {
    let by_cpi = by_cpi(&rows(recorded), tools)?;
    let [(_, fastest), .., (_, slowest)] = by_cpi.as_slice() else {
        return Err(Gap::Unavailable("fewer than two stacks".into()));
    };
    let mean = mean_cpi(&rows(recorded));
    let sided = |(cpi, frame): &(f64, Frame)| (*cpi > mean) == (frame.own_shade() < 0);
    statements(&[
        ("the highest CPI is blue", slowest.own_shade() < 0),
        ("the lowest is red", fastest.own_shade() > 0),
        ("blue is above the mean CPI, red below", by_cpi.iter().all(sided)),
    ])
}

/// A lock that is spun on looks fast, and is the deepest red; a walk of page tables the deepest
/// blue.
pub(crate) fn cpi_3(recorded: &str, tools: &Tools) -> Judged {
    let drawn = by_cpi(&rows(recorded), tools)?;
    let shades = || drawn.iter().map(|(_, frame)| frame.own_shade());
    // Of few shades several boxes may have the deepest.
    let has = |name: &str, shade: Option<i32>| {
        drawn.iter().any(|(_, f)| f.name() == name && Some(f.own_shade()) == shade)
    };
    statements(&[
        ("a spin lock is the deepest red", has("spin_lock", shades().max())),
        ("page tables the deepest blue", has("walk_page_table", shades().min())),
    ])
}

struct Row<'a> {
    stack: &'a str,
    cycles: u64,
    instructions: u64,
}

impl Row<'_> {
    fn cpi(&self) -> f64 {
        self.cycles as f64 / self.instructions as f64
    }
}

fn rows(recorded: &str) -> Vec<Row<'_>> {
    let row = |line| {
        let mut words = str::rsplitn(line, 3, ' ');
        let instructions = words.next()?.parse().ok()?;
        let cycles = words.next()?.parse().ok()?;
        Some(Row { stack: words.next()?, cycles, instructions })
    };
    recorded.lines().filter_map(row).collect()
}

fn mean_cpi(rows: &[Row<'_>]) -> f64 {
    let sum = |column: fn(&Row<'_>) -> u64| rows.iter().map(column).sum::<u64>() as f64;
    sum(|row| row.cycles) / sum(|row| row.instructions)
}

fn diff_of(rows: &[Row<'_>], tools: &Tools) -> Result<Diff, Gap> {
    let column = |of: fn(&Row<'_>) -> u64| -> String {
        rows.iter().map(|row| format!("{} {}\n", row.stack, of(row))).collect()
    };
    tools.ours(&column(|row| row.cycles), &column(|row| row.instructions), Normalise::Samples)
}

/// The leaves and their CPI, the lowest first.
fn by_cpi(rows: &[Row<'_>], tools: &Tools) -> Result<Vec<(f64, Frame)>, Gap> {
    let drawn = (tools.boxes)(&diff_of(rows, tools)?, View::Before);
    let mut found: Vec<(f64, Frame)> = Vec::new();
    for row in rows {
        let leaf = row.stack.rsplit(';').next().unwrap_or_default();
        let frame = drawn.iter().find(|frame| frame.name() == leaf);
        let frame = frame.ok_or_else(|| Gap::Invalid(format!("{leaf} has no box")))?;
        found.push((row.cpi(), frame.clone()));
    }
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::TOOLS;
    use crate::ours;

    #[test]
    fn every_recorded_line_is_parsed_as_a_row() {
        let rows = rows(RECORDED);
        assert_eq!(rows.len(), RECORDED.lines().count());
        assert!(rows.iter().all(|row| row.cpi() > 0.0));
    }

    fn assert_broken(words: &str, judged: Judged) {
        let finding = judged.unwrap();
        assert!(!finding.holds && finding.required.contains(words), "{words}: {finding:?}");
    }

    /// Our boxes with the classes of one changed.
    fn reclassed(diff: &Diff, view: View, leaf: &str, class: &str) -> Vec<Frame> {
        let mut boxes = ours::boxes(diff, view);
        let wrong = boxes.iter_mut().filter(|frame| frame.name() == leaf);
        wrong.for_each(|frame| frame.class = class.to_owned());
        boxes
    }

    #[test]
    fn wrong_widths_and_hues_fail_the_check() {
        let of_instructions = |diff: &Diff, _| ours::boxes(diff, View::After);
        let wrong = cpi_1(RECORDED, &Tools { boxes: of_instructions, ..TOOLS });
        assert_broken("widths against cycles", wrong);
        let without_one = |diff: &Diff, view| {
            let boxes = ours::boxes(diff, view);
            boxes.into_iter().filter(|frame| frame.name() != "spin_lock").collect()
        };
        let wrong = cpi_1(RECORDED, &Tools { boxes: without_one, ..TOOLS });
        assert_broken("not so: every leaf", wrong);
        for (words, boxes) in [
            (
                "not so: the highest",
                (|d, v| reclassed(d, v, "walk_page_table", "i0 sp1")) as fn(&Diff, View) -> _,
            ),
            ("not so: the lowest", |d, v| reclassed(d, v, "spin_lock", "i0 s0")),
            ("not so: blue", |d, v| reclassed(d, v, "copy_pages", "i0 sp2")),
        ] {
            assert_broken(words, cpi_2(RECORDED, &Tools { boxes, ..TOOLS }));
        }
    }

    #[test]
    fn wrong_extremes_fail_the_check() {
        let other = RECORDED.replace("spin_lock", "compute");
        assert_broken("not so: a spin lock", cpi_3(&other, &TOOLS));
        let other = RECORDED.replace("walk_page_table", "wait");
        assert_broken("not so: page tables", cpi_3(&other, &TOOLS));
    }
}
