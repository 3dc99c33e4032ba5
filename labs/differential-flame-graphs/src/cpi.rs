//! CPI flame graphs from columns written down by hand: this machine may have no cycle counter.
//!
//! The engine is that of a differential. Where a frame's share of the instructions falls short of
//! its share of the cycles, its cycles are spent waiting, and it is blue; where it exceeds it, it
//! is red. Widths are cycles.

use lab_flame::diff::svg::View;
use lab_flame::diff::{Diff, Normalise};
use lab_flame::draw::USABLE_PX;
use lab_kit::{Evidence, Figure, Gap, Judged};

use crate::method::{all, ours};
use crate::ours::{Frame, boxes};

/// No measurement: figures in the shape that the article describes. A stack, its cycles and its
/// instructions, both in millions.
const RECORDED: &str = include_str!("../recorded/cpi.columns");

/// Widths are CPU time.
pub fn cpi_1(_: &Evidence) -> Judged {
    let (rows, drawn) = (rows(), boxes(&picture()?, View::Before));
    let total: f64 = rows.iter().map(|row| row.cycles as f64).sum();
    let error = |row: &Row| {
        let leaf = row.stack.rsplit(';').next().unwrap_or_default();
        let width = drawn.iter().find(|frame| frame.name() == leaf).map(|frame| frame.width_px);
        (width.unwrap_or(f64::NAN) / USABLE_PX - row.cycles as f64 / total).abs()
    };
    // A box that is missing must not pass for one without error.
    let errors: Vec<f64> = rows.iter().map(error).collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let found = errors.iter().all(|error| !error.is_nan());
    Figure::exact(worst, "ratio")
        .at_most(1e-5)?
        .because("widths against cycles, worst leaf")?
        .and(all(&[("every leaf has a box", found)]))
}

/// The highest CPI is the deepest blue, the lowest the deepest red, and hues follow in between.
pub fn cpi_2(_: &Evidence) -> Judged {
    let by_cpi = by_cpi()?;
    let [(_, fastest), .., (_, slowest)] = by_cpi.as_slice() else {
        return Err(Gap::Unavailable("fewer than two stacks".into()));
    };
    let mean = mean_cpi();
    let sided = |(cpi, frame): &(f64, Frame)| (*cpi > mean) == (frame.own_shade() < 0);
    all(&[
        ("the highest CPI is blue", slowest.own_shade() < 0),
        ("the lowest is red", fastest.own_shade() > 0),
        ("blue is above the mean CPI, red below", by_cpi.iter().all(sided)),
    ])
}

/// A lock that is spun on looks fast: the lowest CPI of all.
pub fn cpi_3(_: &Evidence) -> Judged {
    let by_cpi = by_cpi()?;
    let name = |row: Option<&(f64, Frame)>| row.map(|(_, frame)| frame.name().to_owned());
    all(&[
        ("a spin lock has the lowest CPI", name(by_cpi.first()) == Some("spin_lock".into())),
        ("page tables the highest", name(by_cpi.last()) == Some("walk_page_table".into())),
    ])
}

struct Row {
    stack: &'static str,
    cycles: u64,
    instructions: u64,
}

impl Row {
    fn cpi(&self) -> f64 {
        self.cycles as f64 / self.instructions as f64
    }
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let mut words = line.rsplitn(3, ' ');
        let instructions = words.next()?.parse().ok()?;
        let cycles = words.next()?.parse().ok()?;
        Some(Row { stack: words.next()?, cycles, instructions })
    };
    RECORDED.lines().filter_map(row).collect()
}

fn mean_cpi() -> f64 {
    let sum = |column: fn(&Row) -> u64| rows().iter().map(column).sum::<u64>() as f64;
    sum(|row| row.cycles) / sum(|row| row.instructions)
}

fn picture() -> Result<Diff, Gap> {
    let column = |of: fn(&Row) -> u64| -> String {
        rows().iter().map(|row| format!("{} {}\n", row.stack, of(row))).collect()
    };
    ours(&column(|row| row.cycles), &column(|row| row.instructions), Normalise::Samples)
}

/// The leaves and their CPI, the lowest first.
fn by_cpi() -> Result<Vec<(f64, Frame)>, Gap> {
    let drawn = boxes(&picture()?, View::Before);
    let mut found: Vec<(f64, Frame)> = Vec::new();
    for row in rows() {
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

    #[test]
    fn every_line_is_a_row() {
        assert_eq!(rows().len(), RECORDED.lines().count());
        assert!(rows().iter().all(|row| row.cpi() > 0.0));
    }
}
