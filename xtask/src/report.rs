//! `cargo xtask report [RUN|COMPARISON]…`: runs and comparisons as pages.
//!
//! `lab-report` makes the pages; here are the arguments and the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use lab_record::{Run, Schema, Summary, to_json};
use serde::Serialize;

use crate::exit::{Code, usage};
use crate::judge::claims_of;
use crate::output::{Format, print};
use crate::show;
use crate::summary::summarize;
use crate::workspace::{Place, shorten};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run or comparison directories, or labs for their newest run [default: the newest run]
    #[arg(value_name = "RUN|COMPARISON")]
    inputs: Vec<String>,
    /// Show the page in a browser
    #[arg(long)]
    open: bool,
    /// Make the page of all runs of this checkout instead
    #[arg(long, conflicts_with = "inputs")]
    index: bool,
    /// Print the pages' paths, the same as JSON, or the text for a pull request
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Pages {
    /// The paths of the pages; beside each page of a run or a comparison is its text.
    pages: Vec<String>,
}

/// Writes the pages and prints their paths.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let place = Place::here()?;
    if args.index && args.format == Format::Md {
        return Err(usage("the page of all runs has no text: --format human or json"));
    }
    let pages = pages(args, &place)?;
    let shown = |page: &PathBuf| shorten(page).display().to_string();
    print(&match args.format {
        Format::Human => pages.iter().map(|page| format!("{}\n", shown(page))).collect(),
        Format::Json => {
            let pages = pages.iter().map(shown).collect();
            format!("{}\n", to_json(&Pages { pages })?)
        }
        Format::Md => texts(&pages)?,
    })?;
    if args.open {
        pages.iter().try_for_each(|page| open(page))?;
    }
    Ok(Code::Fine)
}

/// The texts beside the pages.
fn texts(pages: &[PathBuf]) -> anyhow::Result<String> {
    let read = |page: &PathBuf| {
        let text = page.with_file_name(lab_report::TEXT);
        fs::read_to_string(&text).with_context(|| format!("read {}", text.display()))
    };
    let texts: Vec<String> = pages.iter().map(read).collect::<anyhow::Result<_>>()?;
    Ok(texts.join("\n"))
}

fn pages(args: &Args, place: &Place) -> anyhow::Result<Vec<PathBuf>> {
    if args.index {
        if !place.runs.is_dir() {
            return Err(show::no_run_yet());
        }
        return Ok(vec![lab_report::write_index(&place.runs)?]);
    }
    if args.inputs.is_empty() {
        return Ok(vec![page_of(&show::find(place, None)?)?]);
    }
    let find = |asked: &String| show::find(place, Some(asked));
    args.inputs.iter().map(|asked| page_of(&find(asked)?)).collect()
}

fn page_of(dir: &Path) -> anyhow::Result<PathBuf> {
    if dir.join("comparison.json").is_file() {
        return lab_report::write_comparison(dir);
    }
    lab_report::write_run(dir, unfinished(dir))
}

/// The summary of a run whose runner did not write one. `None` if it cannot be made, as from a
/// damaged file: the page is made anyway, and names the problem.
fn unfinished(dir: &Path) -> Option<Summary> {
    if dir.join("summary.json").is_file() {
        return None;
    }
    let run = Run::load(dir).ok()?;
    summarize(&run, claims_of(dir).ok()?.unwrap_or_default(), shorten(dir)).ok()
}

fn open(page: &Path) -> anyhow::Result<()> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("run {program}: open the page by hand"))?;
    Ok(())
}

impl Schema for Pages {
    const NAME: &'static str = "perf-lab.pages";
}
