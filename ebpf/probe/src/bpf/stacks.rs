//! Names and folds the stacks that a program has recorded.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use lab_probe_common::stack::StackKey;
use lab_record::probe::ProbeStacks;

use super::found::Found;
use super::load::Loaded;
use super::maps;
use crate::cpu::fold::{is_rooted, text};
use crate::cpu::images::Images;
use crate::cpu::replay::Stack;
use crate::cpu::symbols::{Names, printable};

/// Kernel frames of the act of observing, on the leaf side of `__schedule` and its like.
const OURS: [&str; 4] = ["bpf_", "__bpf_", "__traceiter_", "trace_"];

/// A named stack of a thread.
pub(super) struct Frames {
    /// The thread.
    pub(super) thread: String,
    /// Outermost first.
    pub(super) frames: Vec<String>,
    /// Whether it reaches the function in which its thread began.
    rooted: bool,
}

/// The weight of stacks.
pub(super) struct Weight {
    /// The kind of stacks, also the name of their file.
    kind: &'static str,
    /// The unit of a line's number.
    unit: &'static str,
    /// How many of the program's counts make one unit.
    per_unit: u64,
}

impl Weight {
    /// Nanoseconds, written in microseconds.
    pub(super) const fn time(kind: &'static str) -> Self {
        Self { kind, unit: "us", per_unit: 1000 }
    }

    /// Counts, as they are.
    pub(super) const fn count(kind: &'static str, unit: &'static str) -> Self {
        Self { kind, unit, per_unit: 1 }
    }
}

/// Folds what was counted by stacks into `<kind>.folded`.
///
/// `keys` are the stacks of an entry, `line` puts their frames together; the first one decides
/// whether the entry has a root.
pub(super) fn fold<K>(
    loaded: &mut Loaded,
    found: &mut Found,
    weight: &Weight,
    counted: &[(K, u64)],
    keys: impl Fn(&K) -> Vec<StackKey>,
    line: impl Fn(&K, &[&Frames]) -> Vec<String>,
) -> Result<()> {
    let wanted: HashSet<StackKey> = counted.iter().flat_map(|(key, _)| keys(key)).collect();
    let named = name(loaded, found, wanted)?;
    put(found, weight, counted, &named, keys, line);
    Ok(())
}

/// The lines of one file.
fn put<K>(
    found: &mut Found,
    weight: &Weight,
    counted: &[(K, u64)],
    named: &HashMap<StackKey, Frames>,
    keys: impl Fn(&K) -> Vec<StackKey>,
    line: impl Fn(&K, &[&Frames]) -> Vec<String>,
) {
    let (mut lines, mut all, mut rootless) = (BTreeMap::<String, u64>::new(), 0, 0);
    for (key, count) in counted {
        let stacks: Vec<&Frames> = keys(key).iter().map(|key| &named[key]).collect();
        *lines.entry(line(key, &stacks).join(";")).or_default() += count;
        all += count;
        rootless += if stacks[0].rooted { 0 } else { *count };
    }
    let (text, total) = text(&lines, weight.per_unit);
    let stacks = ProbeStacks {
        kind: weight.kind.to_owned(),
        file: format!("{}.folded", weight.kind),
        unit: weight.unit.to_owned(),
        total,
        rootless: if all == 0 { 0.0 } else { rootless as f64 / all as f64 },
    };
    found.folded.push((stacks, text));
}

/// Folds what was counted by one stack, under the name of its thread: each kind into a file of its
/// own.
pub(super) fn fold_single(
    loaded: &mut Loaded,
    found: &mut Found,
    kinds: &[(Weight, Vec<(StackKey, u64)>)],
) -> Result<()> {
    let wanted = kinds.iter().flat_map(|(_, counted)| counted.iter().map(|(key, _)| *key));
    let named = name(loaded, found, wanted.collect())?;
    for (weight, counted) in kinds {
        let line = |_: &StackKey, stacks: &[&Frames]| {
            [vec![printable(&stacks[0].thread)], stacks[0].frames.clone()].concat()
        };
        put(found, weight, counted, &named, |key| vec![*key], line);
    }
    Ok(())
}

/// The names of every frame of these stacks.
fn name(
    loaded: &mut Loaded,
    found: &mut Found,
    keys: HashSet<StackKey>,
) -> Result<HashMap<StackKey, Frames>> {
    // Kept until the names are found: it holds open the root directory of a process's files.
    let mut mappings = loaded.take_mappings()?;
    if mappings.lost() > 0 {
        let lost = mappings.lost();
        found.notes.push(format!("{lost} reports of mapped memory were lost: frames lack names"));
    }
    let mut images = Images::below(mappings.root());
    let processes = keys.iter().map(|key| key.tgid).collect();
    let world = mappings.end(processes, &mut images);
    let mut stacks = Vec::new();
    for key in keys {
        let (kernel, user) = (loaded.stack(key.kernel)?, loaded.stack(key.user)?);
        let thread = maps::name(&key.comm.bytes());
        stacks.push((key, world.stack(key.tgid, thread.as_bytes(), &kernel, &user)));
    }
    let mut names = Names::new(&images);
    if !names.kernel_readable() {
        let hidden =
            "the kernel hides its symbols (kernel.kptr_restrict): its frames have no names";
        found.notes.push(hidden.to_owned());
    }
    Ok(stacks.into_iter().map(|(key, stack)| (key, frames(&stack, &mut names))).collect())
}

fn frames(stack: &Stack, names: &mut Names<'_>) -> Frames {
    let of_observing = |names: &mut Names<'_>, at: usize| {
        let named = names.of(stack.places[at]);
        named.frames.iter().any(|frame| OURS.iter().any(|ours| frame.starts_with(ours)))
    };
    // Searched from the root, so that a function which only looks like ours by name does not stop
    // the search.
    let ours = (0..stack.kernel).rev().find(|&at| of_observing(names, at)).map_or(0, |at| at + 1);
    let places = stack.places[ours..].iter().rev();
    Frames {
        thread: printable(&String::from_utf8_lossy(stack.thread.as_deref().unwrap_or_default())),
        frames: places.flat_map(|&place| names.of(place).frames.clone()).collect(),
        rooted: is_rooted(stack, names),
    }
}
