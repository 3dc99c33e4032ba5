//! `cargo xtask flame`: pictures, differentials and exports from folded stacks.
//!
//! The drawing itself lives in `lab-flame`; here are the arguments, the files and the terminal.

pub(crate) mod differential;
mod source;

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use lab_flame::draw::{self, Kind, MinWidth, Palette, Picture, Shape};
use lab_flame::export;
use lab_flame::folded::Folded;
use lab_record::Run;

use crate::exit::{Code, usage};
use crate::output::{Format, print};
use source::Source;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run directories, labs for their newest run, or folded files (which are added up)
    #[arg(required_unless_present = "diff", value_name = "RUN|FOLDED")]
    inputs: Vec<PathBuf>,

    /// Compare two sides, each a run or a lab, or folded files joined by commas; give it again to add trials
    #[arg(long, num_args = 2, value_names = ["BASE", "NEW"], action = clap::ArgAction::Append)]
    #[arg(conflicts_with_all = ["inputs", "inverted", "chart", "palette", "min_width", "export", "subtitle", "title"])]
    diff: Vec<PathBuf>,

    /// What a differential divides by; by default requests where every trial knows them
    #[arg(long, value_name = "WHAT")]
    normalise: Option<NormaliseArg>,

    /// How many frames the tables of a differential show
    #[arg(long, value_name = "N", default_value_t = 12, requires = "diff")]
    top: usize,

    /// How to print a differential; its page and graphs are written in any case
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// What the profile counts; by default what its file name or quality file says, else cpu
    #[arg(long, value_name = "KIND")]
    kind: Option<KindArg>,

    /// Only this variant of a run
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,

    /// Root on top, leaves at the bottom
    #[arg(long, group = "shape")]
    inverted: bool,

    /// Merge from the leaves: who ends here, and who called it
    #[arg(long, group = "shape")]
    reverse: bool,

    /// Lines in the order of time, only neighbours merged
    #[arg(long, group = "shape")]
    chart: bool,

    /// Leave out frames narrower than this: pixels of 1,200, or a share as `0.5%`
    #[arg(long, value_name = "WIDTH", default_value = "0.1")]
    min_width: MinWidth,

    /// Colours: hot, io, mem, blue, green, red, yellow, rust, java … instead of the kind's own
    #[arg(long, value_name = "NAME")]
    palette: Option<Palette>,

    /// The title
    #[arg(long)]
    title: Option<String>,

    /// The line under the title
    #[arg(long)]
    subtitle: Option<String>,

    /// Write the stacks in another format instead of drawing them
    #[arg(long, value_name = "FORMAT")]
    export: Option<Export>,

    /// The file to write, or the directory where there are several; by default beside the stacks
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    Cpu,
    OffCpu,
    Memory,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NormaliseArg {
    Requests,
    Samples,
    Nothing,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Export {
    /// Merged and sorted, one line a stack
    Folded,
    /// JSON for speedscope.app
    Speedscope,
    /// Gzipped protobuf for `go tool pprof` and its kin
    Pprof,
}

impl Export {
    fn extension(self) -> &'static str {
        match self {
            Export::Folded => "folded",
            Export::Speedscope => "speedscope.json",
            Export::Pprof => "pb.gz",
        }
    }
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Kind {
        match kind {
            KindArg::Cpu => Kind::Cpu,
            KindArg::OffCpu => Kind::OffCpu,
            KindArg::Memory => Kind::Memory,
        }
    }
}

/// Does what the arguments ask and prints the paths written.
pub(crate) fn run(args: &Args) -> Result<Code> {
    if !args.diff.is_empty() {
        return differential::run(args);
    }
    // clap does not require `--diff` of them, since it conflicts with the inputs that are there.
    if args.format != Format::Human || args.normalise.is_some() {
        return Err(usage("--format and --normalise go with --diff: a picture has no table"));
    }
    let sources = source::find(&args.inputs, args.kind.map(Kind::from), args.variant.as_deref())?;
    let graphs = source::graphs(sources);
    for graph in &graphs {
        let path = target(args, graph, graphs.len() > 1)?;
        draw_one(args, graph, &path)?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(Code::Fine)
}

/// Draws the CPU profiles of a run into its `flame/`, one graph for each variant. Those that a
/// trial left empty have nothing to show.
pub(crate) fn draw_run(run: &Run) -> Result<()> {
    let mut sources = source::of_run(run, Kind::Cpu, None)?;
    sources.retain(|source| fs::metadata(&source.path).is_ok_and(|file| file.len() > 0));
    for graph in source::graphs(sources) {
        let path = graph[0].home.join(format!("{}.svg", source::file_stem(&graph)));
        let folded = read(&graph, false)?;
        write(&path, |out| draw::draw(&folded, &picture(&graph), out))?;
    }
    Ok(())
}

/// The picture that [`draw_run`] makes of a variant, relative to the run.
pub(crate) fn picture_of(variant: &str) -> String {
    format!("flame/{variant}-cpu.svg")
}

/// Draws a folded file beside itself, and returns the picture's path.
pub(crate) fn draw_file(folded: &Path, title: String) -> Result<PathBuf> {
    let graph = source::find(&[folded.to_owned()], None, None)?;
    let stacks = read(&graph, false)?;
    let picture = Picture { title: Some(title), ..picture(&graph) };
    let path = folded.with_extension("svg");
    write(&path, |out| draw::draw(&stacks, &picture, out))?;
    Ok(path)
}

/// Draws or exports one graph.
fn draw_one(args: &Args, graph: &[Source], path: &Path) -> Result<()> {
    let folded = read(graph, args.chart)?;
    for note in graph.iter().filter_map(|source| source.quality.as_ref()).flat_map(|q| &q.notes) {
        eprintln!("note: {note}");
    }
    let kind = graph[0].kind;
    write(path, |out| match args.export {
        Some(Export::Folded) => Ok(out.write_all(folded.to_text().as_bytes())?),
        Some(Export::Speedscope) => export::speedscope(&folded, &name(args, graph), kind, out),
        Some(Export::Pprof) => export::pprof(&folded, kind, source::achieved_hz(graph), out),
        None => draw::draw(&folded, &as_asked(args, picture(graph)), out),
    })
}

fn write(path: &Path, draw: impl FnOnce(&mut BufWriter<fs::File>) -> Result<()>) -> Result<()> {
    let written = || -> Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut out = BufWriter::new(fs::File::create(path)?);
        draw(&mut out)?;
        Ok(out.flush()?)
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// What an exported profile is called.
fn name(args: &Args, graph: &[Source]) -> String {
    let title = args.title.clone().or_else(|| source::title(graph));
    title.unwrap_or_else(|| source::file_stem(graph))
}

/// A graph as it comes.
fn picture(graph: &[Source]) -> Picture {
    Picture {
        kind: graph[0].kind,
        shape: Shape::Flame,
        palette: None,
        min_width: MinWidth::default(),
        title: source::title(graph),
        subtitle: source::subtitle(graph),
        samples: source::samples(graph),
    }
}

fn as_asked(args: &Args, picture: Picture) -> Picture {
    Picture {
        shape: match args {
            Args { inverted: true, .. } => Shape::Inverted,
            Args { reverse: true, .. } => Shape::Reversed,
            Args { chart: true, .. } => Shape::Chart,
            _ => Shape::Flame,
        },
        palette: args.palette,
        min_width: args.min_width,
        title: args.title.clone().or(picture.title),
        subtitle: args.subtitle.clone().or(picture.subtitle),
        ..picture
    }
}

/// The stacks of a graph, and on standard error what a reader should know about them.
fn read(graph: &[Source], in_order: bool) -> Result<Folded> {
    if in_order && graph.len() > 1 {
        return Err(usage("--chart shows one file: the order among several is not known"));
    }
    let open = if in_order { Folded::open_in_order } else { Folded::open };
    let mut parts = graph.iter().map(|source| open(&source.path)).collect::<Result<Vec<_>>>()?;
    for note in parts.iter().flat_map(Folded::notes) {
        eprintln!("note: {note}");
    }
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        Some(last) => Folded::merge(parts.iter().chain([&last])),
        None => bail!("no profile"),
    }
}

/// Where a graph goes.
fn target(args: &Args, graph: &[Source], several: bool) -> Result<PathBuf> {
    let extension = args.export.map_or("svg", Export::extension);
    let file = format!("{}.{extension}", source::file_stem(graph));
    let path = match &args.out {
        Some(dir) if several || dir.is_dir() => dir.join(file),
        Some(path) => path.clone(),
        None => graph[0].home.join(file),
    };
    if graph.iter().any(|source| source.path == path) {
        let path = path.display();
        return Err(usage(format!("{path} would be overwritten: name another file with --out")));
    }
    Ok(path)
}
