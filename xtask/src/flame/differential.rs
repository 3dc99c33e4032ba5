//! `cargo xtask flame --diff BASE NEW`: the differences between two sides of profiles.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use lab_flame::diff::svg::{self, Root, View};
use lab_flame::diff::{self, Diff, Normalise, TrialStacks, json, page, table};
use lab_flame::draw::Kind;
use lab_flame::export;
use lab_flame::folded::{Folded, count_samples};

use super::source::{self, STANDARD, Source};
use super::target::{check_not_an_input, write as write_file};
use super::{Args, Export, NormaliseArg, Reading, tell_notes};
use crate::exit::{Code, usage};
use crate::output::{Format, print};

/// The directory of a differential without `--out`.
const DEFAULT_OUT: &str = "target/perf-lab/flame-diff";

/// Compares, writes the page and its parts, and prints the tables.
pub(super) fn run(args: &Args) -> Result<Code> {
    if let Some(third) = args.inputs.first() {
        let third = third.display();
        return Err(usage(format!(
            "--diff compares two sides, BASE and NEW: {third} is a third; join the trials of a \
             side by commas"
        )));
    }
    let Sides { trials: [mut before, mut after], labels, kind } = match args.diff.as_slice() {
        [both] => columns(args, both)?,
        pairs if pairs.len().is_multiple_of(2) => pairs_of(args, pairs)?,
        _ => return Err(usage("--diff takes BASE and NEW each time, or one differential file")),
    };
    if kind == Kind::Cpu {
        let mut all: Vec<_> =
            before.iter_mut().chain(&mut after).map(|trial| &mut trial.stacks).collect();
        if let Some(note) = count_samples(&mut all) {
            eprintln!("note: {note}");
        }
    }
    if let Some(export) = args.export {
        return export_sides(args, export, &before, &after);
    }
    let normalise = match args.normalise {
        Some(NormaliseArg::Requests) => Normalise::Requests,
        Some(NormaliseArg::Samples) => Normalise::Samples,
        Some(NormaliseArg::Nothing) => Normalise::Nothing,
        None => Normalise::best(&before, &after, kind),
    };
    let diff = diff::diff(&before, &after, normalise, kind.unit())?;

    for note in diff.notes() {
        eprintln!("note: {note}");
    }
    let out = args.out.clone().unwrap_or_else(|| DEFAULT_OUT.into());
    if out.as_os_str() == STANDARD {
        return Err(usage("a differential is several files: --out names a directory"));
    }
    for file in ["diff.html", "diff.json", "before.svg", "after.svg", "elided.svg"] {
        check_not_an_input(&out.join(file), args.diff.iter().map(PathBuf::as_path))?;
    }
    let root = if args.inverted { Root::Top } else { Root::Bottom };
    write(&diff, &labels, &out, Layout { root, top: args.top })
        .with_context(|| format!("cannot write into {}", out.display()))?;
    let page = out.join("diff.html").display().to_string();
    print(&match args.format {
        Format::Human => format!("{}{page}\n", table::table(&diff, args.top)),
        Format::Json => {
            let mut text = Vec::new();
            json::write(&diff, &labels[0], &labels[1], &mut text)?;
            String::from_utf8(text)? + "\n"
        }
        Format::Md => table::markdown(&diff, args.top),
    })?;
    if args.format != Format::Human {
        eprintln!("{page}");
    }
    Ok(Code::Fine)
}

/// What is compared.
struct Sides {
    trials: [Vec<TrialStacks>; 2],
    labels: [String; 2],
    kind: Kind,
}

/// `--diff A B --diff C D` arrives as A B C D.
fn pairs_of(args: &Args, paths: &[PathBuf]) -> Result<Sides> {
    let side = |first| sources(args, paths.iter().skip(first).step_by(2));
    let (base, new) = (side(0)?, side(1)?);
    let kind = base[0].kind;
    if kind != new[0].kind {
        return Err(usage("the sides count different units: choose with --kind"));
    }
    // In parallel: reading is a third of the work, and the sides are independent.
    let (before, after) = thread::scope(|scope| {
        let after = scope.spawn(|| trials(args, &new));
        (trials(args, &base), after.join().expect("reading a file does not panic"))
    });
    let trials = [before?, after?];
    trials.iter().flatten().for_each(|trial| tell_notes(&trial.stacks));
    Ok(Sides { trials, labels: [label(&base), label(&new)], kind })
}

/// A differential file has both sides of one trial.
fn columns(args: &Args, path: &Path) -> Result<Sides> {
    let source = source::file(path, args.kind.map(Kind::from), args.variant.as_deref())?;
    let mut sides = Folded::parse_differential(&source::shown(path), source::bytes(path)?)?;
    if args.strip {
        sides = sides.map(|side| side.stripped());
    }
    tell_notes(&sides[0]);
    Ok(Sides {
        trials: sides.map(|stacks| vec![trial(args, stacks, None)]),
        labels: ["before", "after"].map(|side| format!("{}, {side}", path.display())),
        kind: source.kind,
    })
}

/// Writes all trials of both sides as one differential file.
fn export_sides(
    args: &Args,
    export: Export,
    before: &[TrialStacks],
    after: &[TrialStacks],
) -> Result<Code> {
    if !matches!(export, Export::Folded) {
        return Err(usage("a differential is exported as folded only"));
    }
    let scaled = match args.normalise {
        None | Some(NormaliseArg::Nothing) => false,
        Some(NormaliseArg::Samples) => true,
        Some(NormaliseArg::Requests) => {
            return Err(usage("counts are whole: export with --normalise samples or nothing"));
        }
    };
    let merged = |trials: &[TrialStacks]| Folded::merge(trials.iter().map(|trial| &trial.stacks));
    let (before, after) = (merged(before)?, merged(after)?);
    let path = args.out.clone().unwrap_or_else(|| Path::new(DEFAULT_OUT).join("diff.folded"));
    check_not_an_input(&path, args.diff.iter().map(PathBuf::as_path))?;
    write_file(&path, |out| export::differential(&before, &after, scaled, out))?;
    print(&format!("{}\n", path.display()))?;
    Ok(Code::Fine)
}

/// The profiles of a side: one variant of a run, or files, several joined by commas.
fn sources<'a>(args: &Args, side: impl Iterator<Item = &'a PathBuf>) -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for path in side {
        // A comma in the name of an existing file is part of the name.
        match path.to_str().filter(|text| text.contains(',') && !path.exists()) {
            Some(list) => paths.extend(list.split(',').map(PathBuf::from)),
            None => paths.push(path.clone()),
        }
    }
    let sources = source::find(&paths, args.kind.map(Kind::from), args.variant.as_deref())?;
    let variants: BTreeSet<_> =
        sources.iter().map(|source| source.origin.as_ref().map(|(_, variant)| variant)).collect();
    if variants.len() > 1 {
        let names: Vec<_> = variants.into_iter().flatten().map(String::as_str).collect();
        let names = names.join(", ");
        return Err(usage(format!(
            "several variants on one side ({names}): choose with --variant"
        )));
    }
    Ok(sources)
}

fn trials(args: &Args, sources: &[Source]) -> Result<Vec<TrialStacks>> {
    let read =
        |source: &Source| Ok(trial(args, reading(args).open(&source.path)?, source.requests));
    sources.iter().map(read).collect()
}

fn trial(args: &Args, stacks: Folded, requests: Option<u64>) -> TrialStacks {
    TrialStacks { stacks: if args.reverse { stacks.reversed() } else { stacks }, requests }
}

fn reading(args: &Args) -> Reading {
    Reading { in_order: false, strip: args.strip }
}

/// The name of a side: its run and variant, or its first file.
fn label(side: &[Source]) -> String {
    let first = &side[0];
    let more = if side.len() > 1 { format!(" and {} more", side.len() - 1) } else { String::new() };
    match &first.origin {
        Some((lab, variant)) => {
            let run = first.home.parent().and_then(Path::file_name).unwrap_or_default();
            format!("{lab} / {variant} ({})", run.to_string_lossy())
        }
        None => format!("{}{more}", first.path.display()),
    }
}

/// How the pages of a differential are laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) root: Root,
    /// The number of frames in a table.
    pub(crate) top: usize,
}

/// Writes the page, its graphs and the JSON into `out`.
pub(crate) fn write(diff: &Diff, labels: &[String; 2], out: &Path, layout: Layout) -> Result<()> {
    let [before, after] = labels;
    fs::create_dir_all(out)?;
    thread::scope(|scope| {
        // In parallel: the JSON takes as long as the graphs, and does not depend on them.
        let json = scope.spawn(|| {
            write_file(&out.join("diff.json"), |file| json::write(diff, before, after, file))
        });
        let graphs = page::graphs(diff, before, after, layout.root);
        let text = |name: &str, text: String| {
            write_file(&out.join(name), |file| Ok(file.write_all(text.as_bytes())?))
        };
        for (view, graph) in View::ALL.into_iter().zip(&graphs) {
            text(&format!("{}.svg", view.name()), svg::standalone(graph))?;
        }
        text("diff.html", page::page(diff, before, after, &graphs, layout.top))?;
        json.join().expect("writing JSON does not panic")
    })
}
