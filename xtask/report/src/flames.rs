//! The flame graphs of a run: every folded file of its trials, one graph for each variant and kind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lab_flame::folded::Folded;
use lab_record::{ProfileQuality, read_json};

use crate::data::Flame;
use crate::load::{Loaded, LoadedTrial};
use crate::stacks;

/// Boxes and bytes of names of all graphs of a page together.
const BOXES: usize = 90_000;
const NAME_BYTES: usize = 900_000;
/// A share that a graph has at least, so that many graphs are cut off rather than made empty.
const LEAST_SHARES: usize = 12;
/// Under this many samples a share is known too badly to read anything from it.
const FEW_SAMPLES: u64 = 100;

/// The graphs, and what a reader must know of them.
pub(crate) fn of_run(run: &Loaded) -> (Vec<Flame>, Vec<String>) {
    let mut profiles: BTreeMap<(String, String), Vec<(&LoadedTrial, PathBuf)>> = BTreeMap::new();
    for trial in &run.trials {
        for path in folded_files(&trial.dir) {
            let kind = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let key = (trial.trial.variant.clone(), kind);
            profiles.entry(key).or_default().push((trial, path));
        }
    }
    let share = profiles.len().clamp(1, LEAST_SHARES);
    let mut notes = Vec::new();
    let mut flames = Vec::new();
    for ((variant, kind), files) in profiles {
        if flames.len() == LEAST_SHARES {
            notes.push(format!("Left out for size: the {kind} flame graph of {variant}."));
            continue;
        }
        let title = title(&variant, &kind, &files);
        match read(&files) {
            Ok(folded) if folded.total() == 0 => notes.push(format!("{title}: no samples.")),
            Ok(folded) => {
                let tree = stacks::tree(&folded, BOXES / share, NAME_BYTES / share);
                if tree.left_out > 0 {
                    let (left_out, all) = (tree.left_out, tree.left_out + tree.boxes.len() / 3);
                    notes.push(format!(
                        "Left out for size: the {left_out} narrowest of {all} boxes of the {kind} flame graph of {variant}."
                    ));
                }
                let unit = unit(&kind).to_owned();
                flames.push(Flame { title, unit, tree, ..Flame::default() });
            }
            Err(error) => notes.push(format!("{title}: {error:#}")),
        }
    }
    (flames, notes)
}

fn folded_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let mut folded: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "folded")).collect();
    folded.sort();
    folded
}

fn read(files: &[(&LoadedTrial, PathBuf)]) -> anyhow::Result<Folded> {
    let parts: Vec<Folded> =
        files.iter().map(|(_, path)| Folded::open(path)).collect::<anyhow::Result<_>>()?;
    Folded::merge(&parts)
}

/// `fan-out, cpu: 1,590 samples at 98.7 Hz of 99 Hz, perf-event`.
fn title(variant: &str, kind: &str, files: &[(&LoadedTrial, PathBuf)]) -> String {
    let qualities: Option<Vec<ProfileQuality>> =
        files.iter().map(|(_, path)| read_json(&path.with_extension("json")).ok()).collect();
    let Some(qualities) = qualities.filter(|all| !all.is_empty()) else {
        return format!("{variant}, {kind}: no quality figures beside the stacks");
    };
    let samples: u64 = qualities.iter().map(|quality| quality.samples).sum();
    let few = if samples < FEW_SAMPLES { ": too few to trust" } else { "" };
    let ProfileQuality { achieved_hz, requested_hz, backend, .. } = &qualities[0];
    let rate = achieved_hz.map_or("–".into(), |hz| format!("{hz:.1} Hz"));
    format!(
        "{variant}, {kind}: {samples} samples at {rate} of {requested_hz:.0} Hz, {backend}{few}"
    )
}

fn unit(kind: &str) -> &'static str {
    match kind {
        "off-cpu" | "wakeup" | "offwake" => "µs",
        "alloc" | "memory" => "bytes",
        _ => "samples",
    }
}
