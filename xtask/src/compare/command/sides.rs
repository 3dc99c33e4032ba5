//! Two revisions of any repository, checked out and built side by side: the user's own checkout is
//! not touched.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use lab_verdict::order::Side;

use super::line::Program;
use super::trial::{as_the_user, last};
use super::work::Revisions;
use crate::compare::args::Args;
use crate::compare::git::{self, Revision};
use crate::compare::sides;
use crate::exit::usage;
use crate::git::{check_repository, said};
use crate::process::{Ended, Interrupt, capture};
use crate::progress;
use crate::workspace::{Place, Workspace};

/// A build that takes longer hangs.
const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);
/// The most names that a message lists.
const MOST_NAMES: usize = 5;

/// Both sides, checked out and built, with the lock that excludes another comparison.
pub(in crate::compare) struct Checkouts {
    /// The worktree of each side: the same for both if a revision is compared with itself.
    trees: [PathBuf; 2],
    within: PathBuf,
    /// Git's status of the worktrees after the build.
    built: [String; 2],
    warnings: Vec<String>,
    _lock: File,
}

/// The revisions that the arguments name, of the repository of the current directory.
pub(in crate::compare) fn named(args: &Args, build: Option<String>) -> anyhow::Result<Revisions> {
    let root = toplevel()?;
    let (base, new) = sides::revisions(args, &root)?;
    let within = said(Path::new("."), &["rev-parse", "--show-prefix"])?;
    Ok(Revisions { revisions: [base, new], build, within: within.into() })
}

/// The repository of the current directory.
pub(in crate::compare) fn toplevel() -> anyhow::Result<PathBuf> {
    check_repository(Path::new("."))?;
    let root = said(Path::new("."), &["rev-parse", "--show-toplevel"]);
    root.map(PathBuf::from).map_err(|error| usage(format!("{error:#}")))
}

/// Checks out both revisions, and builds them with their build line; `program` is what they run.
///
/// # Errors
/// A revision does not exist, or a side does not build.
pub(in crate::compare) fn check_out(
    of: &Revisions,
    program: Option<&Program>,
    here: &Place,
    interrupt: &Interrupt,
) -> anyhow::Result<Checkouts> {
    let root = toplevel()?;
    program.map(|program| check_program(program, &root)).transpose()?;
    let home = home(here, &root);
    let lock = sides::lock(&home)?;
    // Git reports paths without symbolic links.
    let home = home.canonicalize().with_context(|| home.display().to_string())?;
    let [base, new] = &of.revisions;
    let mut warnings = Vec::new();
    let first = tree(&root, &home.join("a"), base, &mut warnings)?;
    let second = match base.commit == new.commit {
        true => first.clone(),
        false => tree(&root, &home.join("b"), new, &mut warnings)?,
    };
    let trees = [first, second];
    let sides = if trees[0] == trees[1] { 1 } else { 2 };
    for (tree, revision) in trees.iter().zip(&of.revisions).take(sides) {
        if let Some(line) = &of.build {
            build(line, &tree.join(&of.within), revision, interrupt)?;
        }
    }
    let dirs = trees.each_ref().map(|tree| tree.join(&of.within));
    if let Some(program) = program.filter(|it| sides == 2 && is_same_program(it, &dirs)) {
        let program = &program.words[0];
        warnings.push(format!("both sides have the same {program}, byte for byte"));
    }
    let built = [status(&trees[0])?, status(&trees[1])?];
    Ok(Checkouts { trees, within: of.within.clone(), built, warnings, _lock: lock })
}

/// Refuses a program in the user's own checkout, which belongs to neither side.
fn check_program(program: &Program, root: &Path) -> anyhow::Result<()> {
    let name = Path::new(&program.words[0]);
    let Ok(within) = name.strip_prefix(root) else { return Ok(()) };
    Err(usage(format!(
        "{} is in your own checkout, and would be the same on both sides: write ./{}",
        name.display(),
        within.display()
    )))
}

/// The home of the worktrees: in cargo's target directory if git ignores it, else in the user's
/// cache.
fn home(here: &Place, root: &Path) -> PathBuf {
    let ignored = |workspace: &Workspace| {
        let target = workspace.target.to_string_lossy();
        workspace.target.starts_with(root)
            && said(root, &["check-ignore", "--quiet", &target]).is_ok()
    };
    if let Some(workspace) = Workspace::discover().ok().filter(ignored) {
        return sides::home(&workspace);
    }
    let mut hash = DefaultHasher::new();
    root.hash(&mut hash);
    here.runs.join(format!("sides-{:016x}", hash.finish()))
}

/// A worktree of a revision, with its submodules.
fn tree(
    root: &Path,
    dir: &Path,
    revision: &Revision,
    warnings: &mut Vec<String>,
) -> anyhow::Result<PathBuf> {
    let name = &revision.name;
    eprintln!("{}: {name} ({})", dir.display(), revision.recorded);
    git::check_here(root, revision)?;
    git::check_out(root, dir, &revision.commit)
        .with_context(|| format!("check out {name} into {}", dir.display()))?;
    if dir.join(".gitmodules").is_file() {
        said(dir, &["submodule", "--quiet", "update", "--init", "--recursive"])
            .with_context(|| format!("check out the submodules of {name}"))?;
    }
    let has_lfs = fs::read_to_string(dir.join(".gitattributes")).is_ok_and(|it| it.contains("lfs"));
    // A file that git-lfs has not fetched begins with this line.
    let pointers = ["grep", "-l", "^version https://git-lfs.github.com/spec/"];
    if let Some(files) = has_lfs.then(|| said(dir, &pointers)).and_then(Result::ok) {
        let names = listed(files.lines());
        warnings.push(format!("{name} has pointers in place of Git LFS files: {names}"));
    }
    Ok(dir.to_owned())
}

fn build(line: &str, dir: &Path, revision: &Revision, interrupt: &Interrupt) -> anyhow::Result<()> {
    let spinner = progress::spinner(&format!("building {}", revision.name));
    let mut command = Program::shell(line).command(Some(dir));
    as_the_user(&mut command, Some(dir));
    let done = capture(command, BUILD_DEADLINE, interrupt);
    spinner.finish_and_clear();
    let done = done.with_context(|| format!("build {} in {}", revision.name, dir.display()))?;
    match done.ended {
        Ended::Interrupted(_) => bail!("interrupted while building {}", revision.name),
        ended if !ended.well() => {
            let said = if done.stderr.trim().is_empty() { &done.stdout } else { &done.stderr };
            bail!("{} does not build: `{line}` {ended}{}", revision.name, last(said))
        }
        _ => Ok(()),
    }
}

fn is_same_program(program: &Program, dirs: &[PathBuf; 2]) -> bool {
    let name = &program.words[0];
    let read = |dir: &PathBuf| fs::read(dir.join(name)).ok();
    name.contains('/') && read(&dirs[0]).is_some_and(|bytes| read(&dirs[1]) == Some(bytes))
}

fn status(tree: &Path) -> anyhow::Result<String> {
    said(tree, &["status", "--porcelain"])
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names[..names.len().min(MOST_NAMES)].join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Checkouts {
    /// The worktree of a side.
    pub(in crate::compare) fn tree(&self, side: Side) -> &Path {
        &self.trees[side as usize]
    }

    /// Where a side's command runs.
    pub(in crate::compare) fn dir(&self, side: Side) -> PathBuf {
        self.trees[side as usize].join(&self.within)
    }

    /// Warnings about the checkouts before anything has run.
    pub(in crate::compare) fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// A warning, after the command has run, that it has written into a worktree.
    pub(in crate::compare) fn written(&self) -> Option<String> {
        let mut files: Vec<String> = Vec::new();
        for (tree, built) in self.trees.iter().zip(&self.built) {
            let now = status(tree).unwrap_or_default();
            let new = now.lines().filter(|line| !built.lines().any(|before| before == *line));
            let names = new.filter_map(|line| line.get(3..)).map(str::to_owned);
            files.extend(names.filter(|name| !files.contains(name)).collect::<Vec<_>>());
        }
        (!files.is_empty()).then(|| {
            let files = listed(files.iter().map(String::as_str));
            format!(
                "the command writes into its worktree ({files}), and each trial meets what the one \
                 before has left there; --prepare can remove it"
            )
        })
    }
}
