//! The claims about off-CPU flame graphs, checked on drawn graphs.

use lab_flame::draw::{Kind, Options, draw};
use lab_flame::folded::Folded;
use lab_kit::{Figure, Gap, Judged, statements};

/// A user stack, the delimiter and a kernel stack; microseconds.
const BLOCKED: &str = "\
worker;main;read_file;-;vfs_read;io_schedule 38100
worker;main;wait_for_work;-;futex_wait;schedule 61900
";
/// A thread's second, on and off the CPU.
const HOT_COLD: &str = "\
worker;main;parse;[on a CPU] 260000
worker;main;parse;[run queue] 40000
worker;main;read_file;[blocked] 650000
worker;[on a CPU] 50000
";
const WALL_US: u64 = 1_000_000;

/// A box of a graph: its name, its count, and its colour.
struct Drawn {
    name: String,
    count: u64,
    unit: String,
    fill: [u8; 3],
}

/// All that a thread did is in the graph, and its root is the wall clock's time.
pub(crate) fn off_13(hot: &str) -> Judged {
    let drawn = |line: &&str| hot == "drawn" || !line.contains("[on a CPU]");
    let folded: String = HOT_COLD.lines().filter(drawn).map(|line| format!("{line}\n")).collect();
    let root = boxes(&folded, Kind::OffCpu)?.into_iter().find(|drawn| drawn.name == "all");
    let width = root.map_or(0, |root| root.count) as f64 / WALL_US as f64;
    Figure::exact(width, "ratio").near(1.0, 0.0)?.because("the root over the wall clock")
}

/// Blue, in microseconds, with a box between what the program and what the kernel called.
pub(crate) fn off_15(palette: &str) -> Judged {
    let kind = if palette == "off-cpu" { Kind::OffCpu } else { Kind::Cpu };
    let drawn = boxes(BLOCKED, kind)?;
    let blue = |fill: [u8; 3]| fill[2] > fill[0] && fill[2] >= 190;
    let grey = |fill: [u8; 3]| fill[0] == fill[1] && fill[1] == fill[2];
    let (delimiters, frames): (Vec<_>, Vec<_>) =
        drawn.iter().filter(|drawn| drawn.name != "all").partition(|drawn| drawn.name == "-");
    statements(&[
        ("every frame is blue", frames.iter().all(|drawn| blue(drawn.fill))),
        ("each stack has its delimiter", delimiters.len() == 2),
        ("which is grey", delimiters.iter().all(|drawn| grey(drawn.fill))),
        ("counts are microseconds", drawn.iter().all(|drawn| drawn.unit == "us")),
        ("the root is their sum", drawn.iter().any(|d| d.name == "all" && d.count == 100_000)),
    ])
}

fn boxes(folded: &str, kind: Kind) -> Result<Vec<Drawn>, Gap> {
    let mut svg = Vec::new();
    let options = Options { kind, ..Options::default() };
    let folded = Folded::parse("the profile", folded);
    folded
        .and_then(|folded| draw(&folded, &options, &mut svg))
        .map_err(|error| Gap::Invalid(format!("{error:#}")))?;
    let svg = String::from_utf8_lossy(&svg);
    Ok(svg.split("<g><title>").skip(1).filter_map(one).collect())
}

/// `read_file (38,100 us, 38.10%)</title><rect … fill="rgb(1,2,3)" …`
fn one(text: &str) -> Option<Drawn> {
    let (title, rest) = text.split_once("</title>")?;
    let (name, facts) = title.rsplit_once(" (")?;
    let (count, facts) = facts.split_once(' ')?;
    let (_, fill) = rest.split_once("fill=\"rgb(")?;
    let (fill, _) = fill.split_once(')')?;
    let fill: Vec<u8> = fill.split(',').map_while(|part| part.trim().parse().ok()).collect();
    Some(Drawn {
        name: name.into(),
        count: count.replace(',', "").parse().ok()?,
        unit: facts.split_once(',')?.0.into(),
        fill: fill.try_into().ok()?,
    })
}
