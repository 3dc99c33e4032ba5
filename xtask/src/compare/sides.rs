//! The two sides, built: worktrees with paths of equal length, binaries, descriptions.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use lab_record::{Description, Environment};

use super::args::Args;
use super::facts;
use super::git::{self, Revision, WORKING_TREE};
use crate::build::{build, describe};
use crate::environment;
use crate::exit::usage;
use crate::nearest;
use crate::process::Interrupt;
use crate::workspace::Workspace;

/// Both sides of a comparison, and the lock that keeps another comparison away.
pub(super) struct Sides {
    pub(super) base: Built,
    pub(super) new: Built,
    /// Two comparisons at a time would share worktrees, and disturb each other's figures.
    _lock: File,
}

/// One side, built.
#[derive(Debug, Clone)]
pub(super) struct Built {
    pub(super) revision: Revision,
    pub(super) labs: BTreeMap<String, Lab>,
    pub(super) environment: Environment,
}

/// A lab of one side.
#[derive(Debug, Clone)]
pub(super) struct Lab {
    pub(super) binary: PathBuf,
    pub(super) description: Description,
}

/// Checks out and builds what the arguments name. One revision against itself is built once.
pub(super) fn prepare(
    args: &Args,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Sides> {
    let (base, new) = revisions(args, &workspace.root)?;
    let home = workspace.target.join("perf-lab-sides");
    let lock = lock(&home)?;
    let [a, b] = ["a", "b"].map(|side| home.join(side));
    let source_of_base = source(&workspace.root, &a, &base)?;
    let source_of_new =
        if new.commit == base.commit { None } else { Some(source(&workspace.root, &b, &new)?) };
    let labs = labs(args, &source_of_base, source_of_new.as_ref(), (&base, &new))?;
    let base = built(base, &source_of_base, &labs, interrupt)?;
    let new = match source_of_new {
        // The sides take turns on one machine: one reading of its load is both sides'.
        Some(source) => {
            let mut new = built(new, &source, &labs, interrupt)?;
            new.environment.before = base.environment.before.clone();
            new
        }
        None => Built { revision: new, ..base.clone() },
    };
    Ok(Sides { base, new, _lock: lock })
}

/// The commits that are compared.
fn revisions(args: &Args, root: &Path) -> anyhow::Result<(Revision, Revision)> {
    let named: Vec<&str> = args.sides.iter().map(String::as_str).collect();
    let itself = args.aa || args.inject.is_some() || !args.variants.is_empty();
    let (base, new) = match named[..] {
        [] => (WORKING_TREE, WORKING_TREE),
        [one] if itself => (one, one),
        [base] => (base, WORKING_TREE),
        [base, new] if args.variants.is_empty() => (base, new),
        _ => return Err(usage("--variants compares within one revision: name one at most")),
    };
    let base = git::resolve(root, base)?;
    let new = git::resolve(root, new)?;
    let base = if args.merge_base { git::merge_base(root, &base, &new)? } else { base };
    if base.commit == new.commit && !itself {
        return Err(usage(format!(
            "{} and {} are the same commit: --aa compares a revision with itself",
            base.name, new.name
        )));
    }
    Ok((base, new))
}

fn lock(home: &Path) -> anyhow::Result<File> {
    fs::create_dir_all(home).with_context(|| format!("make {}", home.display()))?;
    let lock = File::open(home).with_context(|| format!("open {}", home.display()))?;
    ensure!(lock.try_lock().is_ok(), "{}: another comparison is running", home.display());
    Ok(lock)
}

fn source(root: &Path, dir: &Path, revision: &Revision) -> anyhow::Result<Workspace> {
    eprintln!("{}: {} ({})", dir.display(), revision.name, revision.recorded);
    git::check_out(root, dir, &revision.commit)
        .with_context(|| format!("check out {} into {}", revision.name, dir.display()))?;
    let workspace = Workspace::at(dir).with_context(|| format!("revision {}", revision.name))?;
    ensure!(
        workspace.target.starts_with(dir),
        "both sides would build into {}: unset CARGO_TARGET_DIR and `build.target-dir`",
        workspace.target.display()
    );
    Ok(workspace)
}

/// The labs to compare: those asked for, else all that both sides have.
fn labs(
    args: &Args,
    base: &Workspace,
    new: Option<&Workspace>,
    sides: (&Revision, &Revision),
) -> anyhow::Result<Vec<String>> {
    let names = |workspace: &Workspace| -> Vec<String> {
        workspace.labs().iter().map(|lab| lab.name.clone()).collect()
    };
    let of_base = names(base);
    let of_new = new.map_or_else(|| of_base.clone(), names);
    for lab in &args.lab {
        for (names, side) in [(&of_base, sides.0), (&of_new, sides.1)] {
            if !names.contains(lab) {
                let said = nearest::unknown("lab", lab, names.iter().map(String::as_str));
                return Err(usage(format!("in {}: {said}", side.name)));
            }
        }
    }
    let both: Vec<String> = of_base.into_iter().filter(|lab| of_new.contains(lab)).collect();
    let chosen = if args.lab.is_empty() { both } else { args.lab.clone() };
    ensure!(!chosen.is_empty(), "{} and {} have no lab in common", sides.0.name, sides.1.name);
    Ok(chosen)
}

fn built(
    revision: Revision,
    workspace: &Workspace,
    names: &[String],
    interrupt: &Interrupt,
) -> anyhow::Result<Built> {
    let mut labs = BTreeMap::new();
    for name in names {
        let side = || format!("revision {}", revision.name);
        let binary = build(workspace, workspace.lab(name)?, interrupt).with_context(side)?;
        let description = describe(&binary, interrupt).with_context(side)?;
        labs.insert(name.clone(), Lab { binary, description });
    }
    let mut environment = environment::collect(&workspace.root, true);
    (environment.profile, environment.rustflags) = facts::build_settings(&workspace.root);
    environment.git_revision = Some(revision.recorded.clone());
    if let Some(kit) = workspace.package("lab-kit") {
        environment.harness = kit.version.clone();
    }
    Ok(Built { revision, labs, environment })
}
