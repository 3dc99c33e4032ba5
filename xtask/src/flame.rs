//! `cargo xtask flame`: flame graphs, differentials and exports from folded stacks.
//!
//! The drawing itself lives in `lab-flame`; here are the arguments, the files and the terminal.

pub(crate) mod differential;
mod source;
mod target;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use lab_flame::draw::{self, Kind, MinWidth, Options, Palette, Shape};
use lab_flame::export;
use lab_flame::folded::{Folded, count_samples};
use lab_record::probe::{ProbeRecord, ProbeStacks};
use lab_record::{FinishedTrial, ProfileKind, Run, read_json};
use lab_text::terminal::one_line;

use crate::exit::{Code, usage};
use crate::output::{Format, print};
use source::Source;
use target::{Target, write};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run directories, labs for their newest run, or folded files (which are added up), `-` for
    /// standard input. Text of `perf script` and gzip are read, too
    #[arg(required_unless_present = "diff", value_name = "RUN|FOLDED")]
    inputs: Vec<PathBuf>,

    /// Compare two sides, each a run, a lab, or folded files joined by commas; repeat it to add
    /// trials. Or one differential file, with two counts on each line: before and after
    #[arg(long, num_args = 1..=2, value_names = ["BASE", "NEW"], action = clap::ArgAction::Append)]
    #[arg(conflicts_with_all = ["chart", "palette", "min_width", "subtitle", "title"])]
    diff: Vec<PathBuf>,

    /// What a differential divides counts by; by default requests, if every trial has them
    #[arg(long, value_name = "WHAT", requires = "diff")]
    normalise: Option<NormaliseArg>,

    /// How many frames the tables of a differential show
    #[arg(long, value_name = "N", default_value_t = 12, requires = "diff")]
    top: usize,

    /// How to print a differential; its page and graphs are written in any case
    #[arg(long, value_enum, default_value_t = Format::Human, requires = "diff")]
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

    /// Merge from the leaves: the running function at the root, its callers above
    #[arg(long, group = "shape")]
    reverse: bool,

    /// A flame chart: stacks in the order of time, only neighbours merged
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

    /// Strip from names what changes from build to build or run to run, so that their stacks merge:
    /// addresses, numbers of closures and lambdas, hashes, process ids in thread names
    #[arg(long, alias = "strip-hex")]
    strip: bool,

    /// Write the stacks in another format instead of drawing them
    #[arg(long, value_name = "FORMAT")]
    #[arg(conflicts_with_all = ["inverted", "palette", "min_width", "subtitle", "top"])]
    export: Option<Export>,

    /// The file to write, `-` for standard output, or the directory where there are several; by
    /// default beside the stacks, and standard output for those that come through a pipe
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    Cpu,
    OffCpu,
    Memory,
    Faults,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NormaliseArg {
    Requests,
    Samples,
    Nothing,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Export {
    /// Merged and sorted, one line a stack; of a differential with two counts, as difffolded.pl has
    /// it
    Folded,
    /// JSON for speedscope.app
    Speedscope,
    /// Gzipped protobuf for `go tool pprof` and similar tools
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
            KindArg::Faults => Kind::Faults,
        }
    }
}

/// Draws or exports what the arguments ask for, and prints the paths written.
pub(crate) fn run(args: &Args) -> Result<Code> {
    if !args.diff.is_empty() {
        return differential::run(args);
    }
    let sources = source::find(&args.inputs, args.kind.map(Kind::from), args.variant.as_deref())?;
    let graphs = source::graphs(sources);
    for graph in &graphs {
        let target = Target::of(args, graph, graphs.len() > 1)?;
        draw_one(args, graph, &target)?;
        if let Target::File(path) = target {
            print(&format!("{}\n", path.display()))?;
        }
    }
    Ok(Code::Fine)
}

/// Draws the profiles of a run into its `flame/`, one graph for each variant, and the stacks of
/// probes, except empty ones.
pub(crate) fn draw_run(run: &Run) -> Result<()> {
    // A run is profiled for one kind, or for none.
    let profile = run.plan.trials.iter().find_map(|trial| trial.profile.as_ref());
    let kind = profile.map(|profile| match profile.kind {
        ProfileKind::Cpu => Kind::Cpu,
        ProfileKind::OffCpu => Kind::OffCpu,
        ProfileKind::Memory => Kind::Memory,
        ProfileKind::Faults => Kind::Faults,
    });
    let sources = kind.map(|kind| source::of_run(run, kind, None)).transpose()?;
    let home = lab_files::dir_below(&run.dir, "flame")?;
    for graph in source::graphs(sources.unwrap_or_default()) {
        let path = home.join(format!("{}.svg", source::file_stem(&graph)));
        let folded = read(&graph, Reading::AS_IT_IS)?;
        write(&path, |out| draw::draw(&folded, &options(&graph), out))?;
    }
    for finished in &run.finished {
        if let Some(probe) = &finished.trial.probe {
            draw_probed(run, finished, probe)?;
        }
    }
    Ok(())
}

/// The flame graph that [`draw_run`] makes of a variant's profile of this kind, relative to the
/// run.
pub(crate) fn graph_of(variant: &str, kind: &str) -> String {
    format!("flame/{variant}-{kind}.svg")
}

/// The flame graph that [`draw_run`] makes of a probe's stacks. Its name has the probe's if a
/// profile of the same kind would share it.
pub(crate) fn graph_of_probe(run: &Run, variant: &str, kind: &str, probe: &str) -> String {
    let mut profiles = run.plan.trials.iter().filter_map(|trial| trial.profile.as_ref());
    if profiles.any(|profile| profile.kind.name() == kind) {
        graph_of(variant, &format!("{kind}-{probe}"))
    } else {
        graph_of(variant, kind)
    }
}

/// Draws the stacks that a probe wrote for a trial.
fn draw_probed(run: &Run, finished: &FinishedTrial, probe: &str) -> Result<()> {
    let home = finished.dir.join("probe");
    let record: ProbeRecord = read_json(&home.join(probe).with_extension("json"))?;
    let (lab, variant) = (&finished.trial.lab, &finished.trial.variant);
    for ProbeStacks { kind, file, rootless, total, .. } in &record.folded {
        if *total == 0 {
            continue;
        }
        let options = Options {
            kind: Kind::OffCpu,
            shape: Shape::Flame,
            palette: None,
            min_width: MinWidth::default(),
            title: Some(format!("{lab} / {variant}, {kind}")),
            subtitle: Some(format!(
                "{} events, {} lost, {:.1} % without a root, ebpf {probe}",
                record.cost.events,
                record.losses.total(),
                rootless * 100.0
            )),
            samples: None,
        };
        let folded = Folded::open_in_order(&home.join(file))?;
        let path = run.dir.join(graph_of_probe(run, variant, kind, probe));
        write(&path, |out| draw::draw(&folded, &options, out))?;
    }
    Ok(())
}

/// Draws a folded file beside itself, and returns the graph's path.
pub(crate) fn draw_file(folded: &Path, title: String) -> Result<PathBuf> {
    let graph = source::find(&[folded.to_owned()], None, None)?;
    let stacks = read(&graph, Reading::AS_IT_IS)?;
    let options = Options { title: Some(title), ..options(&graph) };
    let path = folded.with_extension("svg");
    write(&path, |out| draw::draw(&stacks, &options, out))?;
    Ok(path)
}

/// Draws or exports one graph.
fn draw_one(args: &Args, graph: &[Source], target: &Target) -> Result<()> {
    if args.chart && graph.len() > 1 {
        return Err(usage("--chart shows one file: the order among several is not known"));
    }
    // Drawing sorts the stacks anyway.
    let reading = Reading { in_order: args.chart || args.export.is_none(), strip: args.strip };
    let mut folded = read(graph, reading)?;
    // Drawing reverses a graph by itself; an export needs it done here.
    if args.reverse && args.export.is_some() {
        folded = folded.reversed();
    }
    for note in graph.iter().filter_map(|source| source.quality.as_ref()).flat_map(|q| &q.notes) {
        eprintln!("note: {}", one_line(note));
    }
    let kind = graph[0].kind;
    if matches!(args.export, Some(Export::Speedscope))
        && let Some(note) = export::speedscope_note(&folded)
    {
        eprintln!("note: {note}");
    }
    target.write(|out| match args.export {
        Some(Export::Folded) => Ok(folded.write_text(out)?),
        Some(Export::Speedscope) => export::speedscope(&folded, &name(args, graph), kind, out),
        Some(Export::Pprof) => export::pprof(&folded, kind, source::requested_hz(graph), out),
        None => draw::draw(&folded, &as_asked(args, options(graph)), out),
    })
}

/// The name of an exported profile.
fn name(args: &Args, graph: &[Source]) -> String {
    let title = args.title.clone().or_else(|| source::title(graph));
    title.unwrap_or_else(|| source::file_stem(graph))
}

/// The default options of a graph.
fn options(graph: &[Source]) -> Options {
    Options {
        kind: graph[0].kind,
        shape: Shape::Flame,
        palette: None,
        min_width: MinWidth::default(),
        title: source::title(graph),
        subtitle: source::subtitle(graph),
        samples: source::samples(graph),
    }
}

fn as_asked(args: &Args, options: Options) -> Options {
    Options {
        shape: match args {
            Args { inverted: true, .. } => Shape::Inverted,
            Args { reverse: true, .. } => Shape::Reversed,
            Args { chart: true, .. } => Shape::Chart,
            _ => Shape::Flame,
        },
        palette: args.palette,
        min_width: args.min_width,
        title: args.title.clone().or(options.title),
        subtitle: args.subtitle.clone().or(options.subtitle),
        ..options
    }
}

/// How the lines of a folded file are read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    in_order: bool,
    strip: bool,
}

impl Reading {
    /// As the file has them, to be drawn.
    const AS_IT_IS: Self = Self { in_order: true, strip: false };

    fn open(self, path: &Path) -> Result<Folded> {
        let parse = if self.in_order { Folded::parse_in_order } else { Folded::parse };
        let folded = parse(&source::shown(path), source::bytes(path)?)?;
        Ok(match self {
            Reading { strip: false, .. } => folded,
            Reading { in_order: true, .. } => folded.stripped_in_order(),
            Reading { .. } => folded.stripped(),
        })
    }
}

/// Prints notes about stacks on standard error.
fn tell_notes(stacks: &Folded) {
    for note in stacks.notes() {
        eprintln!("note: {note}");
    }
}

/// The stacks of a graph. If a file that we did not record counts periods, its samples are counted
/// instead.
fn read(graph: &[Source], reading: Reading) -> Result<Folded> {
    let open = |source: &Source| reading.open(&source.path);
    let mut parts = graph.iter().map(open).collect::<Result<Vec<_>>>()?;
    parts.iter().for_each(tell_notes);
    if graph.iter().all(|source| source.kind == Kind::Cpu && source.quality.is_none())
        && let Some(note) = count_samples(&mut parts.iter_mut().collect::<Vec<_>>())
    {
        eprintln!("note: {note}");
    }
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        Some(last) => Folded::merge(parts.iter().chain([&last])),
        None => bail!("no profile"),
    }
}
