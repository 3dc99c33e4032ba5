//! When each sample of a profile was taken: the stacks of a profiled trial by interval, so that a page
//! can draw the flame graph of any window.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use lab_flame::folded::Folded;
use serde::Serialize;

use crate::heat::HeatMap;
use crate::stacks::Boxes;

const NS_PER_S: f64 = 1e9;

/// The samples of a trial, by the columns of its heat map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Samples {
    /// The flame graph, by its place among those of the page.
    pub(crate) flame: usize,
    /// For each column: box, samples, box, samples …; a sample stands at the last box of its stack.
    pub(crate) columns: Vec<Vec<u64>>,
    /// Samples before the first column and after the last: set-up, and what was still to be answered.
    pub(crate) outside: u64,
}

/// Lays the samples of `folded` (a file) into the columns of `map`, by the `.times` file beside it.
///
/// # Errors
/// A file cannot be read, or the times are not those of these stacks.
pub(crate) fn by_column(
    path: &Path,
    began_ns: u64,
    map: &HeatMap,
    boxes: &Boxes<'_>,
    flame: usize,
) -> anyhow::Result<Samples> {
    let times = path.with_extension("times");
    let text = lab_files::read_text(&times)?;
    let folded = Folded::open_in_order(path)?;
    let stacks: Vec<_> = folded.stacks().collect();
    let box_of: Vec<usize> = stacks.iter().map(|stack| boxes.last(stack.frames())).collect();
    let mut seen = vec![0; stacks.len()];
    let mut columns = vec![BTreeMap::new(); map.cells.len()];
    let mut outside = 0;
    for line in text.lines() {
        let parsed = line
            .split_once(' ')
            .and_then(|(ns, stack)| Some((ns.parse::<u64>().ok()?, stack.parse::<usize>().ok()?)));
        let (ns, stack) =
            parsed.with_context(|| format!("{}: `{line}`: no time and line", times.display()))?;
        ensure!(stack < stacks.len(), "{}: there is no line {stack}", path.display());
        seen[stack] += 1;
        match map.column_at((ns as f64 - began_ns as f64) / NS_PER_S) {
            Some(column) => *columns[column].entry(box_of[stack] as u64).or_default() += 1,
            None => outside += 1,
        }
    }
    let whole = stacks.iter().map(|stack| stack.count).eq(seen);
    ensure!(whole, "{}: not the times of these stacks", times.display());
    let flat = |column: BTreeMap<u64, u64>| column.into_iter().flat_map(|(b, n)| [b, n]).collect();
    Ok(Samples { flame, columns: columns.into_iter().map(flat).collect(), outside })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::stacks::tree;

    fn laid(times: &str) -> anyhow::Result<Samples> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cpu.folded");
        fs::write(&path, "main;b 2\nmain;a 1\nmain 1\n").unwrap();
        fs::write(path.with_extension("times"), times).unwrap();
        let map = HeatMap {
            starts_s: vec![0.0, 1.0],
            end_s: 2.0,
            warmup: 1,
            cells: vec![Vec::new(), Vec::new()],
        };
        // Boxes by name: all, main, a, b.
        let tree = tree(&Folded::open(&path).unwrap(), 100, 100);
        by_column(&path, 5_000_000_000, &map, &Boxes::of(&tree), 7)
    }

    #[test]
    fn a_sample_stands_in_the_column_of_its_time_at_the_end_of_its_stack() {
        let found = laid("4999999999 0\n5000000000 1\n6500000000 0\n6600000000 2\n").unwrap();
        let columns = vec![vec![2, 1], vec![1, 1, 3, 1]];
        assert_eq!(found, Samples { flame: 7, columns, outside: 1 });
    }

    #[test]
    fn times_of_other_stacks_are_refused() {
        for (times, said) in [
            ("5000000000 0\n", "not the times of these stacks"),
            ("5000000000 9\n", "no line 9"),
            ("soon 0\n", "no time and line"),
        ] {
            let error = laid(times).unwrap_err();
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
