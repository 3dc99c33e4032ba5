//! A differential flame graph of `diff.json` (schema `perf-lab.flamediff/1`), for a page.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;
use lab_flame::diff::{Normalise, TrialStacks, diff, json};
use lab_flame::folded::Folded;
use lab_record::{Schema, read_json};
use serde::Deserialize;

use crate::flame::{Flame, View};
use crate::stacks::Tree;

/// Boxes of one graph at most.
pub(crate) const BOXES: usize = 30_000;
/// Shades of a change, each way.
const SHADES: f64 = 5.0;

/// Reads a differential as a flame graph with three views: before, after, and what vanished.
///
/// # Errors
/// The file is missing, damaged or of another schema, or holds no box.
pub(crate) fn read(path: &Path, most_boxes: usize) -> anyhow::Result<Flame> {
    let document: Document = read_json(path)?;
    ensure!(!document.paths.is_empty(), "{}: no frame at all", path.display());
    Ok(flame(&document, most_boxes))
}

/// The differential of stacks that a lab kept of two sides, a profile a trial.
///
/// # Errors
/// A side has no stacks.
pub(crate) fn of_stacks(
    before: Vec<Folded>,
    after: Vec<Folded>,
    most_boxes: usize,
) -> anyhow::Result<Flame> {
    let [before, after] = [before, after].map(|side| {
        let trial = |stacks| TrialStacks { stacks, requests: None };
        side.into_iter().map(trial).collect::<Vec<TrialStacks>>()
    });
    let diff = diff(&before, &after, Normalise::Samples, "samples")?;
    let mut document = Vec::new();
    json::write(&diff, "before", "after", &mut document)?;
    Ok(flame(&serde_json::from_slice(&document)?, most_boxes))
}

fn flame(document: &Document, most_boxes: usize) -> Flame {
    let widest = |row: &Row| row.inclusive.before.max(row.inclusive.after);
    let mut widths: Vec<f64> = document.paths.iter().map(widest).collect();
    widths.sort_by(|a, b| b.total_cmp(a));
    let least = widths.get(most_boxes).copied().unwrap_or(-1.0);
    let elided = elided(&document.paths);
    let mut known: HashMap<&str, u64> = HashMap::new();
    let mut tree = Tree::default();
    let mut views = ["before", "after", "elided"].map(|name| View { name, counts: Vec::new() });
    let mut changes = Vec::new();
    // The root comes first, and a box is no wider than its parent: none is kept without it.
    for (row, elided) in document.paths.iter().zip(elided) {
        if widest(row) <= least {
            tree.left_out += 1;
            continue;
        }
        let index = *known.entry(&row.frame).or_insert_with(|| {
            tree.names.push(row.frame.clone());
            tree.names.len() as u64 - 1
        });
        let (before, after) = (short(row.inclusive.before), short(row.inclusive.after));
        tree.boxes.extend([row.depth as u64, index, 0]);
        for (view, width) in views.iter_mut().zip([before, after, short(elided)]) {
            view.counts.push(width);
        }
        changes.push((before, after, shade(&row.inclusive)));
    }
    Flame {
        title: format!("{} → {}", document.before, document.after),
        unit: document.unit.clone(),
        tree,
        views: views.into(),
        changes,
        ..Flame::default()
    }
}

/// Vanished boxes as they were, and above each the sum of what vanished in it.
fn elided(paths: &[Row]) -> Vec<f64> {
    let mut widths = vec![0.0; paths.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, row) in paths.iter().enumerate() {
        open.truncate(row.depth);
        if row.mark == "vanished" {
            widths[index] = row.inclusive.before;
            // Only the topmost vanished box counts for those above: it holds the others.
            if open.last().is_none_or(|parent| paths[*parent].mark != "vanished") {
                open.iter().for_each(|above| widths[*above] += row.inclusive.before);
            }
        }
        open.push(index);
    }
    widths
}

/// From −5 (less) to 5 (more) by the size of the change; 0 where the rule for several trials, or
/// with too few for it the error, finds nothing real.
fn shade(change: &Change) -> i8 {
    let real = change.significant.unwrap_or(false)
        || change.p.is_none() && change.beyond_error.unwrap_or(false);
    if !real {
        return 0;
    }
    let both = change.before.max(change.after);
    let size = if both > 0.0 { (change.after - change.before).abs() / both } else { 0.0 };
    let strength = (size * SHADES).ceil().clamp(1.0, SHADES) as i8;
    if change.after > change.before { strength } else { -strength }
}

/// Four decimals: more are not seen.
fn short(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[derive(Deserialize)]
struct Document {
    before: String,
    after: String,
    unit: String,
    paths: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    frame: String,
    depth: usize,
    mark: String,
    inclusive: Change,
}

#[derive(Deserialize)]
struct Change {
    before: f64,
    after: f64,
    beyond_error: Option<bool>,
    p: Option<f64>,
    significant: Option<bool>,
}

impl Schema for Document {
    const NAME: &'static str = "perf-lab.flamediff";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(frame: &str, depth: usize, mark: &str, before: f64, after: f64) -> Row {
        let inclusive = Change {
            before,
            after,
            beyond_error: Some(true),
            p: Some(0.01),
            significant: Some(true),
        };
        Row { frame: frame.into(), depth, mark: mark.into(), inclusive }
    }

    #[test]
    fn a_vanished_frame_keeps_its_old_width_and_counts_for_its_callers() {
        let paths = vec![
            row("all", 0, "both", 100.0, 80.0),
            row("main", 1, "both", 100.0, 80.0),
            row("old", 2, "vanished", 30.0, 0.0),
            row("older", 3, "vanished", 20.0, 0.0),
            row("run", 2, "both", 70.0, 80.0),
        ];
        assert_eq!(elided(&paths), [30.0, 30.0, 30.0, 20.0, 0.0]);
        let document =
            Document { before: "a".into(), after: "b".into(), unit: "samples".into(), paths };
        let whole = flame(&document, 100);
        assert_eq!(whole.views[1].counts, [80.0, 80.0, 0.0, 0.0, 80.0]);
        assert_eq!(
            whole.changes.iter().map(|change| change.2).collect::<Vec<_>>(),
            [-1, -1, -5, -5, 1]
        );
        let few = flame(&document, 2);
        assert_eq!((few.tree.boxes.len() / 3, few.tree.left_out), (2, 3));
    }
}
