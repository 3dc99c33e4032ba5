//! A comparison directory, read for its page: the verdict, shift curves, frames that moved.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use lab_verdict::comparison::{Comparison, Kind};
use lab_verdict::render;

use crate::diff;
use crate::flame::Flame;
use crate::shift::{self, Shift};

/// What a comparison directory holds.
pub(crate) struct Loaded {
    pub(crate) comparison: Comparison,
    /// One for each scenario, in their order; an error says why there is no curve.
    pub(crate) shifts: Vec<anyhow::Result<Shift>>,
    /// Differential flame graphs, with the folders that hold them.
    pub(crate) flames: Vec<(String, Flame)>,
    /// What could not be read, in whole sentences.
    pub(crate) missing: Vec<String>,
    /// Files beside the page, relative to it.
    pub(crate) files: Vec<String>,
}

/// Reads a comparison directory.
///
/// # Errors
/// `comparison.json` is missing or follows another schema. The page names what else is missing.
pub(crate) fn load(dir: &Path) -> anyhow::Result<Loaded> {
    let path = dir.join("comparison.json");
    let text = lab_files::read_text(&path)?;
    let comparison =
        Comparison::from_json(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let shifts = comparison.scenarios.iter().map(|scenario| shift::read(dir, scenario)).collect();
    let mut missing = Vec::new();
    let mut flames = Vec::new();
    for folder in folders(&dir.join("flame")) {
        let name = format!("flame/{}", folder.file_name().unwrap_or_default().to_string_lossy());
        match diff::read(&folder.join("diff.json"), diff::BOXES) {
            Ok(flame) => flames.push((name, flame)),
            Err(error) => missing.push(format!("{name}: {error:#}")),
        }
    }
    // Simulated trials are compared from their runs.
    let trials = (comparison.kind != Kind::Exact).then_some("trials.jsonl");
    let expected = ["comparison.json", "comparison.md", "junit.xml"].into_iter().chain(trials);
    let (there, gone): (Vec<_>, Vec<_>) = expected.partition(|name| dir.join(name).is_file());
    missing.extend(gone.iter().map(|name| format!("{name} is not there")));
    let files = there.into_iter().map(str::to_owned).collect();
    Ok(Loaded { comparison, shifts, flames, missing, files })
}

impl Loaded {
    /// The table for a pull request, and what the page has more.
    pub(crate) fn markdown(&self) -> String {
        let mut text = render::markdown(&self.comparison);
        for words in &self.missing {
            let _ = writeln!(text, "\n- missing: {}", lab_text::markdown::escape(words));
        }
        text
    }
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
