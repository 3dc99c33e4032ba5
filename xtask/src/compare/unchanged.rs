//! Which labs are built from the same files on both sides, so that there is nothing to compare.
//!
//! Cargo builds a lab from its package and every package of the checkout that it depends on, the
//! workspace's manifest and lock file, the toolchain file and cargo's configuration. Packages are
//! compared as whole folders, including the README: rather too much is measured than too little.
//! For the same reason a lab is measured if one of its source files includes, or its build script
//! names, a file outside its package.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::git;
use crate::workspace::{Workspace, cargo};

/// What every package of a workspace is built with.
const SHARED: [&str; 5] =
    ["Cargo.toml", "Cargo.lock", ".cargo", "rust-toolchain", "rust-toolchain.toml"];

/// One side's checkout and its commit.
#[derive(Clone, Copy)]
pub(super) struct Checkout<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) commit: &'a str,
}

/// Those of `labs` that are built from the same files on both sides.
pub(super) fn unchanged(
    base: Checkout,
    new: Checkout,
    labs: &[String],
) -> anyhow::Result<BTreeSet<String>> {
    let (of_base, of_new) = (Metadata::of(base.workspace)?, Metadata::of(new.workspace)?);
    let mut unchanged = BTreeSet::new();
    for lab in labs {
        let (Some(before), Some(after)) = (of_base.sources(lab)?, of_new.sources(lab)?) else {
            continue;
        };
        let shared = SHARED.iter().map(PathBuf::from);
        let paths: BTreeSet<PathBuf> = before.into_iter().chain(after).chain(shared).collect();
        let root = &base.workspace.root;
        if git::changed_files(root, base.commit, new.commit, &paths)?.is_empty() {
            unchanged.insert(lab.clone());
        }
    }
    Ok(unchanged)
}

/// What `cargo metadata` reports about packages and their dependencies.
#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    /// Where it comes from; `None` for a package of this checkout.
    source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `dev`, `build`, or `None` for a normal one.
    kind: Option<String>,
}

impl Metadata {
    fn of(workspace: &Workspace) -> anyhow::Result<Self> {
        let output = cargo()
            .args(["metadata", "--format-version=1"])
            .current_dir(&workspace.root)
            .output()
            .context("run cargo metadata")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata: {}", said.trim_end());
        serde_json::from_slice(&output.stdout).context("parse the answer of cargo metadata")
    }

    /// The folders, relative to the checkout, of all packages that `lab` is built from; `None` if
    /// it is built from other files too.
    fn sources(&self, lab: &str) -> anyhow::Result<Option<Vec<PathBuf>>> {
        let mut folders = Vec::new();
        for package in self.built_for(lab).iter().filter(|package| package.source.is_none()) {
            let folder = package.manifest_path.parent().unwrap_or(Path::new("/"));
            match folder.strip_prefix(&self.workspace_root) {
                Ok(within) if !reaches_outside(folder)? => folders.push(within.to_owned()),
                _ => return Ok(None),
            }
        }
        Ok(Some(folders).filter(|folders| !folders.is_empty()))
    }

    /// The lab's package and every package that it is built from, from any source.
    fn built_for(&self, lab: &str) -> Vec<&Package> {
        let is_lab = |package: &&Package| package.name == lab && package.source.is_none();
        let mut ahead: Vec<&str> =
            self.packages.iter().filter(is_lab).map(|package| package.id.as_str()).collect();
        let mut found = BTreeSet::new();
        while let Some(id) = ahead.pop() {
            if found.insert(id) {
                let node = self.resolve.nodes.iter().filter(|node| node.id == id);
                let built = node.flat_map(|node| &node.deps).filter(|dep| dep.is_built());
                ahead.extend(built.map(|dep| dep.pkg.as_str()));
            }
        }
        self.packages.iter().filter(|package| found.contains(package.id.as_str())).collect()
    }
}

impl Dependency {
    fn is_built(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
    }
}

/// Whether a source file in a package's folder includes a file from outside it, or one whose path
/// cannot be determined here.
fn reaches_outside(folder: &Path) -> anyhow::Result<bool> {
    let mut ahead = vec![folder.to_owned()];
    while let Some(dir) = ahead.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))? {
            let path = entry?.path();
            let kind = path.symlink_metadata()?.file_type();
            if kind.is_symlink() {
                return Ok(true);
            } else if kind.is_dir() && !path.ends_with("target") {
                ahead.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("read {}", path.display()))?;
                let is_script = path == folder.join("build.rs");
                if includes_outside(&text, is_script, &dir, folder) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// As [`reaches_outside`], for the text of one file. Any string in a build script may be the path
/// of a file that it reads.
fn includes_outside(text: &str, is_script: bool, dir: &Path, folder: &Path) -> bool {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        let includes = ["include!(", "include_str!(", "include_bytes!(", "#[path"];
        let including = includes.iter().any(|word| line.contains(word));
        let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let outside = |quoted: &&str| !stays_in(&dir.join(quoted), folder);
        including && (quoted.is_empty() || line.contains("concat!"))
            || (including || is_script) && quoted.iter().any(outside)
    })
}

/// Whether a path is in a folder, with any `..` resolved.
fn stays_in(path: &Path, folder: &Path) -> bool {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_included_from_outside_of_the_package_is_seen() {
        let outside = |line: &str, is_script| {
            includes_outside(line, is_script, Path::new("/w/labs/a/src"), Path::new("/w/labs/a"))
        };
        for line in [
            "const TEXT: &str = include_str!(\"../../b/text\");",
            "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));",
            "    include_bytes!(",
            "#[path = \"../../shared.rs\"]",
            "const ETC: &[u8] = include_bytes!(\"/etc/hosts\");",
        ] {
            assert!(outside(line, false), "{line}");
        }
        for line in [
            "const TEXT: &str = include_str!(\"../text\");",
            "// include_str!(\"../../b/text\")",
            "let name = \"../../b/text\";",
        ] {
            assert!(!outside(line, false), "{line}");
        }
        assert!(outside("fs::read(\"../../../b/text\");", true));
    }
}
