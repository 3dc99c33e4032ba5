//! A differential as JSON, schema `perf-lab.flamediff/1`.
//!
//! ```json
//! { "schema": "perf-lab.flamediff/1", "before": "<label>", "after": "<label>",
//!   "normalised_by": "requests|samples|nothing", "unit": "samples per 1,000 requests",
//!   "trials": [5, 5], "counts": [10230, 11007],
//!   "paths_left_out": 12,
//!   "names": [{ "frame": "parse", "mark": "both|new|vanished",
//!               "inclusive": CHANGE, "self": CHANGE }],
//!   "paths": [{ "frame": "parse", "depth": 2, "mark": "both", "inclusive": CHANGE, "self": CHANGE }] }
//! ```
//! where a CHANGE is
//! ```json
//! { "before": 41.2, "after": 66.0, "delta": 24.8, "relative": 0.602,
//!   "low": 0.48, "high": 0.73, "beyond_error": true, "p": 0.008, "significant": true }
//! ```
//! `names` adds a function up wherever it was called, in the order of its first box; `paths` are
//! the boxes of the merged graph, parents first, siblings by name, so depths make the tree; the
//! first is the root, `all`. Boxes that no graph draws, under 0.1 of 1,180 pixels before and after,
//! are left out and counted; `names` has every frame. `relative` is null for what is new, `low` and `high` (of `relative`,
//! 95 %) are null where one side has nothing, and they, `beyond_error`, `p` and `significant` are
//! absent where nothing can be said: shares under 1 % with several trials, or one trial a side of
//! what is not sampled. `p` is how often chance takes any frame as far, where nothing moved; with too few
//! trials to find anything it is null.

use std::io::Write;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::significance::Verdict;
use super::svg::MIN_WIDTH_PX;
use super::{Change, Diff, Mark, Normalise, Path};
use crate::draw::USABLE_PX;

/// Writes the differential of `before` and `after`, as the sides are called.
pub fn write(diff: &Diff, before: &str, after: &str, out: &mut dyn Write) -> Result<()> {
    let visible = visible(diff);
    let document = Document {
        schema: "perf-lab.flamediff/1",
        before,
        after,
        normalised_by: match diff.normalise {
            Normalise::Requests => "requests",
            Normalise::Samples => "samples",
            Normalise::Nothing => "nothing",
        },
        unit: diff.unit(),
        trials: diff.trials,
        counts: diff.totals,
        paths_left_out: diff.paths.len() - visible.len(),
        names: diff
            .names
            .iter()
            .map(|name| Row {
                frame: &name.frame,
                depth: None,
                mark: word(name.mark),
                inclusive: Cell::of(&name.inclusive),
                own: Cell::of(&name.own),
            })
            .collect(),
        paths: visible
            .into_iter()
            .map(|path| Row {
                frame: diff.frame(path),
                depth: Some(path.depth),
                mark: word(path.mark),
                inclusive: Cell::of(&path.inclusive),
                own: Cell::of(&path.own),
            })
            .collect(),
    };
    // In one piece: a call for each number would cost more than the number.
    let text = serde_json::to_vec(&document).context("cannot write the differential as JSON")?;
    Ok(out.write_all(&text)?)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    before: &'a str,
    after: &'a str,
    normalised_by: &'a str,
    unit: String,
    trials: [usize; 2],
    counts: [u64; 2],
    paths_left_out: usize,
    names: Vec<Row<'a>>,
    paths: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    frame: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<usize>,
    mark: &'a str,
    inclusive: Cell,
    #[serde(rename = "self")]
    own: Cell,
}

#[derive(Serialize)]
struct Cell {
    before: f64,
    after: f64,
    delta: f64,
    relative: Option<f64>,
    #[serde(flatten)]
    said: Option<Said>,
}

#[derive(Serialize)]
struct Said {
    low: Option<f64>,
    high: Option<f64>,
    beyond_error: bool,
    p: Option<f64>,
    significant: bool,
}

impl Cell {
    fn of(change: &Change) -> Cell {
        Cell {
            before: change.before,
            after: change.after,
            delta: change.delta(),
            relative: change.relative(),
            said: change.verdict.as_deref().map(Said::of),
        }
    }
}

impl Said {
    fn of(verdict: &Verdict) -> Said {
        Said {
            low: verdict.interval.map(|(low, _)| low),
            high: verdict.interval.map(|(_, high)| high),
            beyond_error: verdict.beyond_error,
            p: verdict.p,
            significant: verdict.significant,
        }
    }
}

/// The boxes wide enough to be drawn in one of the graphs.
fn visible(diff: &Diff) -> Vec<&Path> {
    let root = &diff.paths[0].inclusive;
    let least = MIN_WIDTH_PX / USABLE_PX * root.before.max(root.after);
    let widest = |path: &&Path| path.inclusive.before.max(path.inclusive.after);
    diff.paths.iter().filter(|path| widest(path) >= least).collect()
}

fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Both => "both",
        Mark::New => "new",
        Mark::Vanished => "vanished",
    }
}
