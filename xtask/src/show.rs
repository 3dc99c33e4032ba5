//! `cargo xtask show [RUN]`: the tables of a stored run.

use std::path::{Path, PathBuf};

use lab_record::{Run, Summary, read_json};
use lab_text::program;

use crate::ending;
use crate::exit::{Code, usage};
use crate::judge::claims_of;
use crate::nearest;
use crate::output::Format;
use crate::run_dir::{latest, latest_of, latest_runs};
use crate::summary::summarize;
use crate::workspace::{Place, shorten};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A run directory, or a lab for its newest run [default: the newest run of any lab]
    run: Option<String>,
    /// Everything: every check with its tolerance, percentiles, probes and files
    #[arg(long)]
    all: bool,
    /// How to print the summary
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Shows a run.
pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let place = Place::here()?;
    let dir = find(&place, args.run.as_deref())?;
    let summary = read(&dir)?;
    ending::print_as(args.format, args.all, &summary, &dir)?;
    Ok(Code::Fine)
}

/// The summary of a run: its own, or one made now if its runner did not write it.
fn read(dir: &Path) -> anyhow::Result<Summary> {
    let file = dir.join("summary.json");
    if file.is_file() {
        // The path in the summary is where the run was made, and may no longer be right.
        let run = shorten(dir).display().to_string();
        return Ok(Summary { run, ..read_json(&file)? });
    }
    let run = Run::load(dir)?;
    eprintln!("note: this run was not finished; what it has follows");
    summarize(&run, claims_of(dir)?.unwrap_or_default(), shorten(dir))
}

/// The directory that `asked` names: a path from here or from the workspace, or a lab's newest run.
pub(crate) fn find(place: &Place, asked: Option<&str>) -> anyhow::Result<PathBuf> {
    let Some(asked) = asked else {
        return latest(&place.runs).ok_or_else(no_run_yet);
    };
    if let Some(dir) = latest_of(&place.runs, asked) {
        return Ok(dir);
    }
    let here = std::path::absolute(asked)?;
    if let Some(dir) = [here, place.root.join(asked)].into_iter().find(|dir| dir.exists()) {
        return Ok(dir);
    }
    let runs = latest_runs(&place.runs);
    let labs = runs.iter().filter_map(|dir| dir.parent()?.file_name()?.to_str());
    Err(usage(nearest::unknown("run", asked, labs)))
}

/// An error: there is nothing to show yet, and what to run first.
pub(crate) fn no_run_yet() -> anyhow::Error {
    usage(format!("no run yet: start with `{} list`", program::name()))
}
