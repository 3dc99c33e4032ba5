//! The flame graphs of a run: every folded file of its trials, one graph for each variant and kind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lab_flame::folded::Folded;
use lab_record::{Backend, ProfileKind, ProfileQuality, Trial, read_json};

use crate::diff;
use crate::flame::Flame;
use crate::load::{Loaded, LoadedTrial};
use crate::samples;
use crate::stacks::{self, Boxes};
use crate::trial_heat::{HICCUP, TrialHeat, trial_heat};
use lab_text::quantity::number;

/// Boxes and bytes of names of all graphs of a page together.
const BOXES: usize = 90_000;
const NAME_BYTES: usize = 900_000;
/// The least share of the budget that a graph gets: of many large graphs, the last are left out
/// rather than all made tiny.
const LEAST_SHARE: usize = 12;
/// With fewer samples, shares are too uncertain to be read.
pub(crate) const FEW_SAMPLES: u64 = 100;

/// The graphs of a run's profiled trials.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    pub(crate) flames: Vec<Flame>,
    /// Each profiled trial's own latencies over time, with its samples.
    pub(crate) maps: Vec<TrialHeat>,
    /// What a reader must know, in whole sentences.
    pub(crate) notes: Vec<String>,
}

/// Reads and draws every folded file of the run's trials.
pub(crate) fn of_run(run: &Loaded) -> Profiles {
    let mut profiles = Profiled::new();
    for trial in &run.trials {
        for path in folded_files(trial) {
            let kind = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            // A profiler, a probe and the lab itself may cover the same time: added up, it would
            // count twice.
            let Trial { variant, profile, probe, .. } = &trial.trial;
            let key = (variant.clone(), kind, profile.is_some(), probe.clone());
            profiles.entry(key).or_default().push((trial, path));
        }
    }
    let Profiles { mut flames, mut maps, mut notes } = Profiles::default();
    differentials(&mut profiles, &mut flames, &mut notes);
    let drawn: usize = flames.iter().map(|flame| flame.tree.boxes.len()).sum();
    let (mut boxes_left, mut bytes_left) = (BOXES.saturating_sub(drawn), NAME_BYTES);
    let mut graphs_left = profiles.len();
    for ((variant, kind, ..), files) in profiles {
        let share = |left: usize, all: usize| left.min((left / graphs_left).max(all / LEAST_SHARE));
        let (boxes, bytes) = (share(boxes_left, BOXES), share(bytes_left, NAME_BYTES));
        graphs_left -= 1;
        // What remains would show a large graph's widest boxes alone.
        if boxes < BOXES / LEAST_SHARE / 4 || bytes < NAME_BYTES / LEAST_SHARE / 4 {
            notes.push(format!("Left out for size: the {kind} flame graph of {variant}."));
            continue;
        }
        let title = title(&variant, &kind, &files);
        match read(&files) {
            Ok(folded) if folded.total() == 0 => notes.push(format!("{title}: no samples.")),
            Ok(folded) => {
                let tree = stacks::tree(&folded, boxes, bytes);
                boxes_left = boxes_left.saturating_sub(tree.boxes.len() / 3);
                bytes_left -= tree.names.iter().map(String::len).sum::<usize>().min(bytes_left);
                if tree.left_out > 0 {
                    let (left_out, all) = (tree.left_out, tree.left_out + tree.boxes.len() / 3);
                    notes.push(format!(
                        "Left out for size: the {left_out} narrowest of {all} boxes of the {kind} flame graph of {variant}."
                    ));
                }
                let (found, mut no_window): (Vec<_>, Vec<_>) = {
                    let boxes = Boxes::of(&tree);
                    let over_time = files
                        .iter()
                        .map(|(trial, path)| over_time(trial, path, &boxes, flames.len()));
                    over_time.partition(Result::is_ok)
                };
                maps.extend(found.into_iter().flatten());
                no_window.dedup_by(|a, b| a.as_ref().err() == b.as_ref().err());
                let no_window = no_window.into_iter().filter_map(Result::err).collect();
                let unit = unit(&kind).to_owned();
                let few = unit == "samples" && folded.total() < FEW_SAMPLES;
                flames.push(Flame {
                    title,
                    unit,
                    tree,
                    variant,
                    hot_cold: kind == "hot-cold",
                    few,
                    kind,
                    no_window,
                    ..Flame::default()
                });
            }
            Err(error) => notes.push(format!("{title}: {error:#}")),
        }
    }
    Profiles { flames, maps, notes }
}

/// The stacks of one kind of a variant: what recorded them, and the files of its trials.
type Profiled<'a> =
    BTreeMap<(String, String, bool, Option<String>), Vec<(&'a LoadedTrial, PathBuf)>>;

/// Draws each pair of `before` and `after` that a lab kept as what changed, instead of side by
/// side.
fn differentials(profiles: &mut Profiled<'_>, flames: &mut Vec<Flame>, notes: &mut Vec<String>) {
    let key = |variant: &String, kind: &str| (variant.clone(), kind.to_owned(), false, None);
    let paired = |variant: &&String| profiles.contains_key(&key(variant, "after"));
    let before = profiles.keys().filter(|(_, kind, ..)| kind == "before").map(|(name, ..)| name);
    let variants: Vec<String> = before.filter(paired).cloned().collect();
    // All together a third: each box has its width before, after and in what vanished.
    let most_boxes = (BOXES / 3 / variants.len().max(1)).min(BOXES / LEAST_SHARE);
    for variant in variants {
        let mut side = |kind| -> anyhow::Result<Vec<Folded>> {
            let files = profiles.remove(&key(&variant, kind)).unwrap_or_default();
            files.iter().map(|(_, path)| Folded::open(path)).collect()
        };
        let (before, after) = (side("before"), side("after"));
        let title = format!("{variant}: what changed from before to after");
        match differential(before, after, most_boxes) {
            Ok(flame) => {
                flames.push(Flame { title, variant, kind: "differential".into(), ..flame });
            }
            Err(error) => notes.push(format!("{title}: {error:#}")),
        }
    }
}

fn differential(
    before: anyhow::Result<Vec<Folded>>,
    after: anyhow::Result<Vec<Folded>>,
    most_boxes: usize,
) -> anyhow::Result<Flame> {
    let (before, after) = (before?, after?);
    let samples = |side: &[Folded]| side.iter().map(Folded::total).sum::<u64>();
    let few = samples(&before).min(samples(&after)) < FEW_SAMPLES;
    Ok(Flame { few, ..diff::of_stacks(before, after, most_boxes)? })
}

/// A profiler and the lab itself write beside the trial's logs, a probe into a folder of its own.
/// What the lab keeps while either slows it counts no more than its latencies do.
fn folded_files(trial: &LoadedTrial) -> Vec<PathBuf> {
    let dir = if trial.trial.probe.is_some() { trial.dir.join("probe") } else { trial.dir.clone() };
    let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let profile = trial.trial.profile.as_ref().map(|profile| profile.kind.name());
    let wanted = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "folded")
            && profile.is_none_or(|kind| path.file_stem().is_some_and(|stem| stem == kind))
    };
    let mut folded: Vec<PathBuf> = files.filter(wanted).collect();
    folded.sort();
    folded
}

/// A profiled trial's own heat map, with the samples of the graph `flame`; or why there is none.
fn over_time(
    trial: &LoadedTrial,
    path: &Path,
    boxes: &Boxes<'_>,
    flame: usize,
) -> Result<TrialHeat, String> {
    let without = |why: &str| format!("No window of this profile can be picked: {why}.");
    let log = |name: &str| trial.series(name).and_then(Result::ok);
    if !path.with_extension("times").is_file() {
        let profile = trial.trial.profile.as_ref();
        return Err(without(if profile.is_some_and(|p| p.backend == Backend::Pprof) {
            "pprof takes no times of its samples"
        } else if profile.is_some_and(|p| p.kind == ProfileKind::OffCpu) {
            "a wait has a length, and no one time"
        } else if profile.is_some_and(|p| p.kind == ProfileKind::Memory) {
            "the allocator takes no times of its samples"
        } else if profile.is_some_and(|p| p.kind == ProfileKind::Faults) {
            "a sample stands for as many faults as came before it"
        } else if trial.trial.probe.is_some() {
            "a probe adds its stacks up in the kernel, without times"
        } else if trial.trial.profile.is_none() {
            "the lab kept sums, without times"
        } else {
            "there are no times of its samples"
        }));
    }
    let began_ns = trial.metrics.as_ref().and_then(|metrics| metrics.began_ns);
    let began_ns = began_ns.ok_or_else(|| without("the lab does not say when its time began"))?;
    let response = log("response").ok_or_else(|| without("the trial has no log of responses"))?;
    let heat = trial_heat(trial, &response, log(HICCUP).as_ref(), log("lateness").as_ref());
    let mut heat = heat.ok_or_else(|| without("the trial's log of responses is empty"))?;
    let samples = samples::by_column(path, began_ns, &heat.map, boxes, flame);
    heat.samples = Some(samples.map_err(|error| without(&format!("{error:#}")))?);
    Ok(heat)
}

fn read(files: &[(&LoadedTrial, PathBuf)]) -> anyhow::Result<Folded> {
    let parts: Vec<Folded> =
        files.iter().map(|(_, path)| Folded::open(path)).collect::<anyhow::Result<_>>()?;
    Folded::merge(&parts)
}

/// `fan-out, cpu: 1,590 samples at 98.7 Hz of 99 Hz, perf-event`.
fn title(variant: &str, kind: &str, files: &[(&LoadedTrial, PathBuf)]) -> String {
    if let Some(probe) = files.iter().find_map(|(trial, _)| trial.trial.probe.as_ref()) {
        return format!("{variant}, {kind}: as {probe} saw it");
    }
    let qualities: Option<Vec<ProfileQuality>> =
        files.iter().map(|(_, path)| read_json(&path.with_extension("json")).ok()).collect();
    let Some(qualities) = qualities.filter(|all| !all.is_empty()) else {
        let whose = if kind == "cpu" {
            "no quality figures beside the stacks"
        } else {
            "as the lab itself kept it"
        };
        return format!("{variant}, {kind}: {whose}");
    };
    let samples: u64 = qualities.iter().map(|quality| quality.samples).sum();
    // Off-CPU profiles are complete, however few waits they have.
    let few = samples < FEW_SAMPLES && qualities[0].blocked_seconds.is_none();
    let few = if few { ": too few to trust" } else { "" };
    let qualities: Vec<_> = qualities.iter().collect();
    let line = ProfileQuality::line(&qualities, &number(samples as f64));
    format!("{variant}, {kind}: {line}{few}")
}

/// Folded stacks have no unit, so it follows from their name.
fn unit(kind: &str) -> &'static str {
    match kind {
        "off-cpu" | "wakeup" | "offwake" | "hot-cold" | "within-requests" => "µs",
        "alloc" | "memory" => "bytes",
        _ => "samples",
    }
}
