//! The two sides, built: worktrees with paths of equal length, binaries, descriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use lab_record::{Description, End, Environment};
use lab_verdict::comparable;
use lab_verdict::order::Side;

use super::args::Args;
use super::facts;
use super::git::{self, Revision, WORKING_TREE};
use super::unchanged::{Checkout, unchanged};
use crate::build::{build, describe};
use crate::environment;
use crate::exit::usage;
use crate::git::check_repository;
use crate::nearest;
use crate::process::Interrupt;
use crate::workspace::Workspace;

/// Both sides of a comparison, with the lock that excludes another comparison.
pub(super) struct Sides {
    pub(super) base: Built,
    pub(super) new: Built,
    /// Two comparisons at the same time would share worktrees and disturb each other's figures.
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
    /// Features that it is built with.
    pub(super) features: String,
}

impl Lab {
    /// The ends of requests that belong to the experiment of a variant.
    pub(super) fn expects(&self, variant: &str) -> &[End] {
        expects(&self.description, variant)
    }
}

/// As [`Lab::expects`], by a lab's description.
pub(super) fn expects<'a>(lab: &'a Description, variant: &str) -> &'a [End] {
    let variant = lab.variants.iter().find(|known| known.name == variant);
    variant.map_or(&[], |variant| &variant.expects)
}

impl Sides {
    pub(super) fn side(&self, side: Side) -> &Built {
        match side {
            Side::Base => &self.base,
            Side::New => &self.new,
        }
    }
}

impl Built {
    /// The environment of a lab of this side: where it runs, and how it was built.
    pub(super) fn environment(&self, lab: &str) -> Environment {
        Environment { features: self.labs[lab].features.clone(), ..self.environment.clone() }
    }
}

/// What the arguments name.
pub(super) enum Prepared {
    /// Checked out and built, with warnings.
    Built(Box<Sides>, Vec<String>),
    /// Every lab is built from the same files on both sides, so nothing was built.
    Unchanged { base: Revision, new: Revision, warnings: Vec<String> },
}

/// Checks out and builds what the arguments name.
pub(super) fn prepare(
    args: &Args,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Prepared> {
    let (base, new) = revisions(args, &workspace.root)?;
    let sources = Sources::check_out(workspace, base, new)?;
    let (mut labs, mut warnings) = labs(args, &sources)?;
    if args.skip_unchanged {
        let same = sources.unchanged(&labs)?;
        labs.retain(|lab| !same.contains(lab));
        if labs.is_empty() {
            let (base, new) = (sources.base.0, sources.new.0);
            return Ok(Prepared::Unchanged { base, new, warnings });
        }
        if !same.is_empty() {
            let same = Vec::from_iter(same).join(", ");
            warnings.push(format!("built from the same files, so not measured: {same}"));
        }
    }
    Ok(Prepared::Built(Box::new(sources.build(&labs, interrupt)?), warnings))
}

/// Checks out and builds these labs at these commits, whatever their names refer to now.
pub(super) fn again(
    [base, new]: [&Revision; 2],
    labs: &[String],
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> anyhow::Result<Sides> {
    for revision in [base, new] {
        git::check_here(&workspace.root, revision)?;
    }
    Sources::check_out(workspace, base.clone(), new.clone())?.build(labs, interrupt)
}

/// Both sides, checked out; a revision that is compared with itself has one checkout.
struct Sources {
    base: (Revision, Workspace),
    new: (Revision, Option<Workspace>),
    lock: File,
}

impl Sources {
    fn check_out(workspace: &Workspace, base: Revision, new: Revision) -> anyhow::Result<Self> {
        let home = home(workspace);
        let lock = lock(&home)?;
        // Git and cargo report paths without symbolic links.
        let home = home.canonicalize().with_context(|| home.display().to_string())?;
        let [a, b] = ["a", "b"].map(|side| home.join(side));
        let of_base = source(&workspace.root, &a, &base)?;
        let differ = new.commit != base.commit;
        let of_new = differ.then(|| source(&workspace.root, &b, &new)).transpose()?;
        Ok(Self { base: (base, of_base), new: (new, of_new), lock })
    }

    /// Those of `labs` that both sides build from the same files.
    fn unchanged(&self, labs: &[String]) -> anyhow::Result<BTreeSet<String>> {
        let Some(of_new) = &self.new.1 else { return Ok(labs.iter().cloned().collect()) };
        let base = Checkout { workspace: &self.base.1, commit: &self.base.0.commit };
        let new = Checkout { workspace: of_new, commit: &self.new.0.commit };
        unchanged(base, new, labs)
    }

    fn build(self, labs: &[String], interrupt: &Interrupt) -> anyhow::Result<Sides> {
        let base = built(self.base.0, &self.base.1, labs, interrupt)?;
        let new = match (self.new.0, self.new.1) {
            // The sides take turns on one machine, so one reading of its load is for both.
            (revision, Some(source)) => {
                let mut new = built(revision, &source, labs, interrupt)?;
                new.environment.before = base.environment.before.clone();
                new
            }
            (revision, None) => Built { revision, ..base.clone() },
        };
        Ok(Sides { base, new, _lock: self.lock })
    }
}

/// The commits that are compared.
pub(super) fn revisions(args: &Args, root: &Path) -> anyhow::Result<(Revision, Revision)> {
    let named: Vec<&str> = args.sides.iter().map(String::as_str).collect();
    let itself = args.aa || args.inject.is_some() || !args.variants.is_empty();
    let (base, new) = match named[..] {
        [] => (WORKING_TREE, WORKING_TREE),
        [one] if itself => (one, one),
        [base] => (base, WORKING_TREE),
        [base, new] if args.variants.is_empty() => (base, new),
        _ => return Err(usage("--variants compares within one revision: name one at most")),
    };
    check_repository(root)?;
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

pub(super) fn lock(home: &Path) -> anyhow::Result<File> {
    git::make_home(home)?;
    let lock = File::open(home).with_context(|| format!("open {}", home.display()))?;
    ensure!(lock.try_lock().is_ok(), "{}: another comparison is running", home.display());
    Ok(lock)
}

fn source(root: &Path, dir: &Path, revision: &Revision) -> anyhow::Result<Workspace> {
    eprintln!("{}: {} ({})", dir.display(), revision.name, revision.recorded);
    git::check_out(root, dir, &revision.commit)
        .with_context(|| format!("check out {} into {}", revision.name, dir.display()))?;
    let mut workspace =
        Workspace::at(dir).with_context(|| format!("revision {}", revision.name))?;
    // Each side builds in its own directory, whatever CARGO_TARGET_DIR and `build.target-dir` say.
    workspace.target = dir.join("target");
    Ok(workspace)
}

/// The directory of this checkout's worktrees. A target directory elsewhere may be shared by
/// several checkouts.
pub(super) fn home(workspace: &Workspace) -> PathBuf {
    if workspace.target.starts_with(&workspace.root) {
        return workspace.target.join("perf-lab-sides");
    }
    let mut root = DefaultHasher::new();
    workspace.root.hash(&mut root);
    workspace.target.join(format!("perf-lab-sides-{:016x}", root.finish()))
}

/// The labs to compare (those asked for, else all that both sides have), and warnings about the
/// rest.
fn labs(args: &Args, sources: &Sources) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let names = |workspace: &Workspace| -> Vec<String> {
        workspace.labs().iter().map(|lab| lab.name.clone()).collect()
    };
    let sides = (&sources.base.0, &sources.new.0);
    let of_base = names(&sources.base.1);
    let of_new = sources.new.1.as_ref().map_or_else(|| of_base.clone(), names);
    for lab in &args.lab {
        for (names, side) in [(&of_base, sides.0), (&of_new, sides.1)] {
            if !names.contains(lab) {
                let said = nearest::unknown("lab", lab, names.iter().map(String::as_str));
                return Err(usage(format!("in {}: {said}", side.name)));
            }
        }
    }
    if !args.lab.is_empty() {
        return Ok((args.lab.clone(), Vec::new()));
    }
    let both: Vec<String> = of_base.iter().filter(|lab| of_new.contains(lab)).cloned().collect();
    if both.is_empty() {
        return Err(usage(format!(
            "no lab in common: {} has [{}], {} has [{}]",
            sides.0.name,
            of_base.join(", "),
            sides.1.name,
            of_new.join(", ")
        )));
    }
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    let left_out = comparable::left_out("labs", &set(of_base), &set(of_new), &args.allow_diff)?;
    Ok((both, left_out))
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
        let package = workspace.lab(name)?;
        let binary = build(workspace, package, interrupt).with_context(side)?;
        let description = describe(&binary, interrupt).with_context(side)?;
        let features = package.default_features();
        labs.insert(name.clone(), Lab { binary, description, features });
    }
    let mut environment = environment::collect(&workspace.root, true);
    (environment.profile, environment.rustflags) = facts::build_settings(&workspace.root);
    environment.git_revision = Some(revision.recorded.clone());
    if let Some(kit) = workspace.package("lab-kit") {
        environment.harness = kit.version.clone();
    }
    Ok(Built { revision, labs, environment })
}
