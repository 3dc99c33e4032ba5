//! The directory of a run, and which run is the latest.
//!
//! A live run gets a directory of its own, `<lab>/<utc-time>-<short-id>`. A simulated run is a pure
//! function of the program and the plan, so its directory is named after both,
//! `<lab>/simulated-<hash>`, and running it again replaces it with the same contents.
//! `<lab>/latest` links to the newest of either. While a run is written, its directory is locked; a
//! directory with a plan, without a summary and without a lock belongs to a runner that died.

use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use lab_record::{Mode, Plan, read_json};
use lab_text::program;

use crate::exit::usage;
use crate::workspace::{Workspace, shorten};

/// A directory that this process writes a run into.
#[derive(Debug)]
pub(crate) struct RunDir {
    pub(crate) path: PathBuf,
    /// Held while the run is written.
    _lock: File,
}

impl RunDir {
    /// Makes the directory of a run: `out` if the user named one.
    pub(crate) fn create(
        workspace: &Workspace,
        out: Option<&Path>,
        plan: &Plan,
        binary: &Path,
    ) -> anyhow::Result<Self> {
        if let Some(out) = out {
            return Self::create_named(out);
        }
        let home = workspace.runs().join(&plan.description.name);
        let name = match plan.mode {
            Mode::Live => live_name(SystemTime::now()),
            Mode::Simulated => simulated_name(plan, binary)?,
        };
        let path = home.join(&name);
        if plan.mode == Mode::Simulated {
            clear(&path)?;
        }
        let made = Self::make(path)?;
        link_latest(&home, &name)?;
        Ok(made)
    }

    fn create_named(out: &Path) -> anyhow::Result<Self> {
        check_free(out)?;
        Self::make(std::path::absolute(out).with_context(|| out.display().to_string())?)
    }

    fn make(path: PathBuf) -> anyhow::Result<Self> {
        let doing = || format!("make run directory {}", path.display());
        let lock =
            fs::create_dir_all(&path).and_then(|()| File::open(&path)).with_context(doing)?;
        ensure!(lock.try_lock().is_ok(), "{}: another runner writes here", path.display());
        // Not `create_dir_all`: two runs must never mix.
        fs::create_dir(path.join("trials")).with_context(doing)?;
        Ok(Self { path, _lock: lock })
    }
}

/// Refuses a directory that holds anything: runs must not mix.
pub(crate) fn check_free(out: &Path) -> anyhow::Result<()> {
    if is_occupied(out) {
        return Err(usage(format!(
            "--out {}: the directory is not empty; name one that is new or empty",
            out.display()
        )));
    }
    Ok(())
}

/// Whether a directory has any contents.
pub(crate) fn is_occupied(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// The newest run of a lab, if there is one.
pub(crate) fn latest_of(runs: &Path, lab: &str) -> Option<PathBuf> {
    let home = runs.join(lab);
    let name = fs::read_link(home.join("latest")).ok()?;
    let dir = home.join(name);
    dir.join("plan.json").is_file().then_some(dir)
}

/// The newest run of each lab that has one.
pub(crate) fn latest_runs(runs: &Path) -> Vec<PathBuf> {
    let Ok(labs) = fs::read_dir(runs) else { return Vec::new() };
    let names = labs.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut runs: Vec<PathBuf> = names.filter_map(|lab| latest_of(runs, &lab)).collect();
    runs.sort();
    runs
}

/// The newest run of any lab.
pub(crate) fn latest(runs: &Path) -> Option<PathBuf> {
    let created = |dir: &PathBuf| read_json::<Plan>(&dir.join("plan.json")).ok().map(|p| p.created);
    latest_runs(runs).into_iter().max_by_key(created)
}

/// Prints a note, once, about a lab's latest run if its runner died.
pub(crate) fn report_unfinished(workspace: &Workspace, lab: &str) {
    let Some(dir) = latest_of(&workspace.runs(), lab).filter(|dir| abandoned(dir)) else { return };
    // One note is enough; if this cannot be written, the note is repeated.
    let told = dir.join("told-unfinished");
    if told.exists() {
        return;
    }
    let _ = lab_files::write(&told, "");
    let dir = shorten(&dir).display();
    eprintln!("note: run {dir} was not finished: see `{} show {dir}`", program::name());
}

fn abandoned(dir: &Path) -> bool {
    let unlocked = || File::open(dir).is_ok_and(|file| file.try_lock().is_ok());
    !dir.join("summary.json").is_file() && unlocked()
}

/// `20261122T170347Z-3fa1`: sorts by time; the id distinguishes two runs of the same second.
pub(crate) fn live_name(now: SystemTime) -> String {
    let time: String = humantime::format_rfc3339_seconds(now)
        .to_string()
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .collect();
    let mut id = DefaultHasher::new();
    (process::id(), now.duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos())).hash(&mut id);
    format!("{time}-{:04x}", id.finish() as u16)
}

/// A name for a simulated run, from all that decides its figures: its trials and the program.
fn simulated_name(plan: &Plan, binary: &Path) -> anyhow::Result<String> {
    let program = fs::read(binary).with_context(|| format!("read {}", binary.display()))?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&program);
    hasher.write(&serde_json::to_vec(&(&plan.description, plan.seed, &plan.trials))?);
    Ok(format!("simulated-{:016x}", hasher.finish()))
}

/// Removes an earlier run of the same simulated plan, unless it is being written.
fn clear(path: &Path) -> anyhow::Result<()> {
    let Ok(dir) = File::open(path) else { return Ok(()) };
    if let Err(TryLockError::WouldBlock) = dir.try_lock() {
        anyhow::bail!("{}: another runner writes here", path.display());
    }
    fs::remove_dir_all(path).with_context(|| format!("remove {}", path.display()))
}

/// Points `latest` at a run, by renaming a new link over the old one.
fn link_latest(home: &Path, name: &str) -> anyhow::Result<()> {
    let link = home.join("latest");
    let new = home.join(format!(".latest-{}", process::id()));
    symlink(name, &new)
        .and_then(|()| fs::rename(&new, &link))
        .with_context(|| format!("link {}", link.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_of_live_runs_sort_by_time_and_differ() {
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        let name = live_name(at(1_790_000_000));
        assert!(name.starts_with("20260921T141320Z-"), "{name}");
        assert_eq!(name.len(), "20260921T141320Z-".len() + 4);
        assert!(live_name(at(1_790_000_001)) > name);
    }

    #[test]
    fn latest_moves_to_the_newest() {
        let home = tempfile::tempdir().unwrap();
        link_latest(home.path(), "one").unwrap();
        link_latest(home.path(), "two").unwrap();
        assert_eq!(fs::read_link(home.path().join("latest")).unwrap(), Path::new("two"));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_is_written_by_one_runner_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = RunDir::make(home.path().join("run")).unwrap();
        let error = RunDir::make(first.path.clone()).unwrap_err();
        assert!(error.to_string().contains("another runner"), "{error:#}");
        assert!(clear(&first.path).is_err() && first.path.exists());
        assert!(!abandoned(&first.path));
        let path = first.path.clone();
        drop(first);
        assert!(abandoned(&path));
        assert!(RunDir::make(path.clone()).is_err(), "two runs must not mix");
        clear(&path).unwrap();
        assert!(!path.exists());
    }
}
