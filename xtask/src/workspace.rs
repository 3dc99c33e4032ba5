//! The workspace around the current directory: where it is and which labs are in it.
//!
//! A lab is a package under `labs/` with a binary; nothing else registers it. Verbs that need no
//! lab work anywhere: in a cargo workspace they write below the target directory, and elsewhere
//! into the user's cache, never among the user's files.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use lab_text::program;
use serde::Deserialize;

use crate::exit::usage;
use crate::git;
use crate::nearest;

/// What `cargo metadata` reports about the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    packages: Vec<Package>,
}

/// A package of the workspace; a lab's name is its package's, its folder's and its binary's.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace of the current directory.
    pub(crate) fn discover() -> anyhow::Result<Self> {
        Self::at(Path::new("."))
    }

    /// This workspace, if the package is in it.
    pub(crate) fn with(self, package: &str) -> Option<Self> {
        self.package(package).is_some().then_some(self)
    }

    /// The checkout of perf-lab that the current directory is in.
    ///
    /// # Errors
    /// A usage error if it is in none, since `verb` needs one; or cargo cannot read the workspace.
    pub(crate) fn with_labs(verb: &str) -> anyhow::Result<Self> {
        let found = match Self::discover() {
            Err(error) if has_manifest_above()? => return Err(error),
            found => found.ok().filter(|found| found.root.join("labs").is_dir()),
        };
        found.ok_or_else(|| {
            let name = program::name();
            usage(format!(
                "`{name} {verb}` works in a checkout of perf-lab, which has the labs, and this is \
                 none: `cd` into one; anywhere else there are `{name} compare`, `record`, `probe`, \
                 `flame`, `show` and `report`"
            ))
        })
    }

    /// Asks cargo about the workspace of a directory.
    pub(crate) fn at(dir: &Path) -> anyhow::Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .current_dir(dir)
            .output()
            .context("run cargo metadata")?;
        ensure!(
            output.status.success(),
            "cargo metadata finds no workspace here:\n{}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        serde_json::from_slice(&output.stdout).context("parse the answer of cargo metadata")
    }

    /// All labs, by name.
    pub(crate) fn labs(&self) -> Vec<&Package> {
        let home = self.root.join("labs");
        let mut labs: Vec<&Package> = self
            .packages
            .iter()
            .filter(|package| package.has_binary() && package.folder().starts_with(&home))
            .collect();
        labs.sort_by_key(|lab| &lab.name);
        labs
    }

    /// The lab called `name`; an error names the nearest one.
    pub(crate) fn lab(&self, name: &str) -> anyhow::Result<&Package> {
        let labs = self.labs();
        let known = labs.iter().map(|lab| lab.name.as_str());
        let missing = || usage(nearest::unknown("lab", name, known));
        labs.iter().find(|lab| lab.name == name).copied().ok_or_else(missing)
    }

    /// Any package of the workspace.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// Where runs are kept, by lab.
    pub(crate) fn runs(&self) -> PathBuf {
        self.target.join("perf-lab")
    }
}

/// Whether the current directory or one above it has a `Cargo.toml`.
fn has_manifest_above() -> anyhow::Result<bool> {
    let here = env::current_dir().context("the current directory is gone")?;
    Ok(here.ancestors().any(|dir| dir.join("Cargo.toml").is_file()))
}

/// Where a verb works that needs no lab.
#[derive(Debug)]
pub(crate) struct Place {
    /// The workspace's folder, else the current directory.
    pub(crate) root: PathBuf,
    /// Where runs and comparisons are kept.
    pub(crate) runs: PathBuf,
}

impl Place {
    /// The place of the current directory.
    ///
    /// # Errors
    /// There is no workspace, and the user has no home.
    pub(crate) fn here() -> anyhow::Result<Self> {
        Self::of(Workspace::discover().ok().as_ref())
    }

    /// As [`Place::here`], with the workspace of the current directory; `None` if there is none.
    pub(crate) fn of(workspace: Option<&Workspace>) -> anyhow::Result<Self> {
        if let Some(workspace) = workspace {
            return Ok(Self { runs: workspace.runs(), root: workspace.root.clone() });
        }
        let root = env::current_dir().context("the current directory is gone")?;
        Ok(Self { root, runs: cache()? })
    }
}

/// Our folder in the user's cache (XDG base directories).
fn cache() -> anyhow::Result<PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let home = || env::home_dir().map(|home| home.join(".cache"));
    let cache = named.or_else(home);
    cache.map(|cache| cache.join("perf-lab")).context("neither HOME nor XDG_CACHE_HOME is set")
}

/// `path` relative to the current directory, if it is below it.
pub(crate) fn shorten(path: &Path) -> &Path {
    let within = env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok());
    within.filter(|path| path.as_os_str() != "").unwrap_or(path)
}

impl Package {
    /// The folder of its `Cargo.toml`.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// Its default features, as its manifest lists them.
    pub(crate) fn default_features(&self) -> String {
        self.features.get("default").map_or_else(String::new, |names| names.join(" "))
    }

    /// The newest release build of its binary in `target`, if there is one: for this machine or for
    /// a named target.
    pub(crate) fn release_binary(&self, target: &Path) -> Option<PathBuf> {
        let name = format!("release/{}{}", self.name, env::consts::EXE_SUFFIX);
        let named = target.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
        let binaries = named.chain([target.to_owned()]).map(|home| home.join(&name));
        binaries
            .max_by_key(|file| file.metadata().and_then(|found| found.modified()).ok())
            .filter(|file| file.is_file())
    }

    fn has_binary(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "bin"))
    }
}

/// The cargo that runs us, else the one in `PATH`; without the variables by which a git hook names
/// the repository that is being committed to.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    git::forget_repository(&mut command);
    command
}
