//! Runs as pages: `report.html` for people who would rather look than read, `report.md` for a pull
//! request.
//!
//! A page is one file that fetches nothing and runs nothing but its own script: it opens from disk
//! and as a CI artifact. Markup is escaped by construction, data travels as inert JSON, and a
//! Content-Security-Policy allows exactly one script and one stylesheet, by digest. Figures are
//! those of `summary.json`, taken over and never computed again; only charts are drawn from the
//! histograms and folded stacks themselves.
//!
//! - `load`: what a run directory has, and what it lacks;
//! - `run_page`, `comparison_page`, `index_page`, `gallery`: the pages, on the shell of `page`;
//! - `story`: the chart that a run's page begins with, the finding below it, and what to try;
//! - `data`: what the script of a page is given, within a budget of bytes;
//! - `percentiles`, `heat`, `trails`, `over_time`, `stacks`, `samples`: histograms, values over time and
//!   stacks made small;
//! - `bars`: metrics side by side, drawn without the script; `chart_figures`: charts as tables;
//! - `markdown`: the same run for a pull request; `quantity`: numbers as people read them.

mod bars;
mod chart_figures;
mod claims;
mod comparison;
mod comparison_page;
mod data;
mod diff;
mod facts;
mod flame;
mod flames;
mod gallery;
mod heat;
mod index;
mod index_page;
mod load;
mod markdown;
mod over_time;
mod page;
mod percentiles;
mod places;
mod probes;
mod requests;
mod run_page;
mod samples;
mod shift;
mod spoken;
mod stacks;
mod story;
mod strip;
mod trails;
mod trial_heat;

pub use claims::tally;
pub use requests::{answered, answered_in_short};

use std::path::{Path, PathBuf};

use lab_record::Summary;

/// The page, in a run's directory.
pub const PAGE: &str = "report.html";
/// The text for a pull request, beside it.
pub const TEXT: &str = "report.md";

/// Writes the page and the text of a run into its directory; returns the path of the page.
/// `summary` stands in where the run has none of its own.
///
/// # Errors
/// The directory holds nothing of a run, or cannot be written.
pub fn write_run(dir: &Path, summary: Option<Summary>) -> anyhow::Result<PathBuf> {
    let run = load::load(dir, summary)?;
    write(dir, &run_page::render(&run), &markdown::run(&run))
}

/// Writes the page and the text of a comparison into its directory; returns the path of the page.
///
/// # Errors
/// There is no `comparison.json` of a known schema, or the directory cannot be written.
pub fn write_comparison(dir: &Path) -> anyhow::Result<PathBuf> {
    let comparison = comparison::load(dir)?;
    write(dir, &comparison_page::render(&comparison), &comparison.markdown())
}

/// Writes `index.html`, a page of all runs below `runs` (`<lab>/<run>`), newest first; returns its
/// path.
///
/// # Errors
/// The directory cannot be read or written. A run that cannot be read is listed as such.
pub fn write_index(runs: &Path) -> anyhow::Result<PathBuf> {
    let path = runs.join("index.html");
    let page = index_page::render(&index::collect(runs)?);
    lab_files::write(&path, page)?;
    Ok(path)
}

/// Writes a folder with the pages of these runs, one of each lab, and `index.html` before them; returns
/// the path of the index.
///
/// # Errors
/// A run lacks its summary or page, or `out` cannot be written.
pub fn write_gallery(out: &Path, runs: &[&Path]) -> anyhow::Result<PathBuf> {
    gallery::write(out, runs)?;
    Ok(out.join("index.html"))
}

/// A run as Markdown, from its summary alone.
pub fn summary_markdown(summary: &Summary) -> String {
    markdown::summary(summary)
}

fn write(dir: &Path, html: &str, text: &str) -> anyhow::Result<PathBuf> {
    for (name, content) in [(PAGE, html), (TEXT, text)] {
        lab_files::write(&dir.join(name), content)?;
    }
    Ok(dir.join(PAGE))
}
