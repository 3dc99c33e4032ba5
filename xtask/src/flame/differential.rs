//! `cargo xtask flame --diff BASE NEW`: what two sides of profiles differ in.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use lab_flame::diff::svg::{self, View};
use lab_flame::diff::{self, Diff, Normalise, Trial, json, page, table};
use lab_flame::draw::Kind;
use lab_flame::folded::Folded;

use super::source::{self, Source};
use super::{Args, NormaliseArg};
use crate::exit::{Code, usage};
use crate::output::{Format, print};

/// Where a differential goes without `--out`.
const DEFAULT_OUT: &str = "target/perf-lab/flame-diff";

/// Compares, writes the page and its parts, and prints the tables.
pub(super) fn run(args: &Args) -> Result<Code> {
    // `--diff A B --diff C D` arrives as A B C D.
    let side = |first| args.diff.iter().skip(first).step_by(2);
    let (base, new) = (sources(args, side(0))?, sources(args, side(1))?);
    let kind = base[0].kind;
    if kind != new[0].kind {
        return Err(usage("the sides count different things: choose with --kind"));
    }
    let (before, after) = (trials(&base, args.reverse)?, trials(&new, args.reverse)?);
    let normalise = match args.normalise {
        Some(NormaliseArg::Requests) => Normalise::Requests,
        Some(NormaliseArg::Samples) => Normalise::Samples,
        Some(NormaliseArg::Nothing) => Normalise::Nothing,
        None => Normalise::best(&before, &after),
    };
    let diff = diff::diff(&before, &after, normalise, kind.unit())?;

    let out = args.out.clone().unwrap_or_else(|| DEFAULT_OUT.into());
    write(&diff, &label(&base), &label(&new), &out, args.top)
        .with_context(|| format!("cannot write into {}", out.display()))?;
    let page = out.join("diff.html").display().to_string();
    print(&match args.format {
        Format::Human => format!("{}{page}\n", table::table(&diff, args.top)),
        Format::Json => {
            let mut text = Vec::new();
            json::write(&diff, &label(&base), &label(&new), &mut text)?;
            String::from_utf8(text)? + "\n"
        }
        Format::Md => table::markdown(&diff, args.top),
    })?;
    if args.format != Format::Human {
        eprintln!("{page}");
    }
    Ok(Code::Fine)
}

/// The profiles of a side: one variant of a run, or files, several joined by commas.
fn sources<'a>(args: &Args, side: impl Iterator<Item = &'a PathBuf>) -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for path in side {
        // A comma in the name of a file that is there is part of the name.
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

fn trials(sources: &[Source], reverse: bool) -> Result<Vec<Trial>> {
    let trial = |source: &Source| {
        let stacks = Folded::open(&source.path)?;
        for note in stacks.notes() {
            eprintln!("note: {note}");
        }
        let stacks = if reverse { stacks.reversed() } else { stacks };
        Ok(Trial { stacks, requests: source.requests })
    };
    sources.iter().map(trial).collect()
}

/// How a side is called: its run and variant, or its first file.
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

/// Writes the page, its graphs and the JSON into `out`.
pub(crate) fn write(diff: &Diff, before: &str, after: &str, out: &Path, top: usize) -> Result<()> {
    fs::create_dir_all(out)?;
    let graphs = page::graphs(diff, before, after);
    for (view, graph) in View::ALL.into_iter().zip(&graphs) {
        fs::write(out.join(view.name()).with_extension("svg"), svg::standalone(graph))?;
    }
    fs::write(out.join("diff.html"), page::page(diff, before, after, &graphs, top))?;
    let mut file = BufWriter::new(fs::File::create(out.join("diff.json"))?);
    json::write(diff, before, after, &mut file)?;
    file.flush()?;
    Ok(())
}
