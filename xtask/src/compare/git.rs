//! Git for comparisons: resolving names to commits, the working tree as a commit, worktrees.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use lab_text::program;
use serde::{Deserialize, Serialize};

use crate::exit::usage;
use crate::git::{said, with_index};
use crate::nearest;

/// The name of the working tree.
pub(super) const WORKING_TREE: &str = ".";

/// A file beside the worktrees: it marks the directory as made by comparisons.
const MARK: &str = "made-by-perf-lab";

/// The command that completes a shallow clone, also of a single branch or a pull request.
const DEEPEN: &str = "git fetch --unshallow origin '+refs/heads/*:refs/remotes/origin/*' \
                      (in GitHub Actions: `fetch-depth: 0` for actions/checkout)";

/// A side to build: its name as typed, its commit, and how it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Revision {
    pub(super) name: String,
    pub(super) commit: String,
    /// The commit id, with `+dirty` for a working tree that differs from it.
    pub(super) recorded: String,
}

/// The commit that `name` stands for; `.` is the working tree as it is now.
pub(super) fn resolve(root: &Path, name: &str) -> anyhow::Result<Revision> {
    if name == WORKING_TREE {
        return working_tree(root);
    }
    let spec = format!("{name}^{{commit}}");
    let found = said(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]);
    let Ok(commit) = found else { return Err(unknown(root, name)) };
    Ok(Revision { name: name.to_owned(), recorded: commit.clone(), commit })
}

/// Refuses a commit that this repository lacks.
pub(super) fn check_here(root: &Path, revision: &Revision) -> anyhow::Result<()> {
    let commit = format!("{}^{{commit}}", revision.commit);
    said(root, &["cat-file", "-e", &commit]).map(drop).map_err(|_| {
        usage(format!("{} ({}) is not in this repository", revision.name, revision.recorded))
    })
}

/// The commit at which both sides diverged.
pub(super) fn merge_base(root: &Path, base: &Revision, new: &Revision) -> anyhow::Result<Revision> {
    match said(root, &["merge-base", &base.commit, &new.commit]) {
        Ok(commit) => {
            let name = format!("merge base of {} and {}", base.name, new.name);
            Ok(Revision { name, recorded: commit.clone(), commit })
        }
        Err(_) if is_shallow(root) => bail!(
            "this clone is shallow and lacks the merge base of {} and {}: {DEEPEN}",
            base.name,
            new.name
        ),
        Err(_) => bail!("{} and {} have no common commit", base.name, new.name),
    }
}

/// Files below these paths that differ between two commits.
pub(super) fn changed_files(
    root: &Path,
    base: &str,
    new: &str,
    paths: &BTreeSet<PathBuf>,
) -> anyhow::Result<String> {
    let paths: Option<Vec<&str>> = paths.iter().map(|path| path.to_str()).collect();
    let paths = paths.context("the path of a package is not UTF-8")?;
    let diff = ["--literal-pathspecs", "diff", "--name-only", "--no-renames", base, new, "--"];
    said(root, &[&diff[..], &paths].concat())
}

/// Puts `commit` into the worktree at `dir`: the worktree of an earlier comparison if it is intact,
/// else a new one. Built files in it stay, so that only what changed is built again.
///
/// Git's list of worktrees is the user's: others may lie on a disk that is not mounted now, and
/// nothing here may make git forget them. Only the entry of `dir` itself is ever replaced.
///
/// # Errors
/// `dir` has contents that no comparison of this repository made; or git fails.
pub(super) fn check_out(root: &Path, dir: &Path, commit: &str) -> anyhow::Result<()> {
    make_home(dir.parent().context("a worktree lies in a directory")?)?;
    let reuse = || -> anyhow::Result<()> {
        ensure!(is_worktree_of(root, dir), "not a worktree of this repository");
        said(dir, &["checkout", "--quiet", "--force", "--detach", commit])?;
        said(dir, &["clean", "--quiet", "-d", "--force", "--exclude=/target"])?;
        Ok(())
    };
    if reuse().is_ok() {
        return Ok(());
    }
    // Left over from a killed run, or incomplete: it is made again.
    remove(root, dir)?;
    let path = dir.to_str().context("the path of a worktree is not UTF-8")?;
    // Forced twice, which replaces an entry that git still has for this path, even a locked one.
    let add = ["worktree", "add", "--quiet", "--force", "--force", "--detach", path, commit];
    said(root, &add).map(drop)
}

/// Makes the directory of the worktrees, with the file that marks it.
pub(super) fn make_home(home: &Path) -> anyhow::Result<()> {
    if home.exists() {
        return Ok(());
    }
    fs::create_dir_all(home).with_context(|| format!("make {}", home.display()))?;
    let text = format!("Worktrees of `{} compare`: it may remove them.\n", program::name());
    lab_files::write(&home.join(MARK), text)
}

/// Whether `dir` itself is a linked worktree of the repository of `root`, not its main one.
fn is_worktree_of(root: &Path, dir: &Path) -> bool {
    let path = |of: &Path, what: &str| {
        let path = said(of, &["rev-parse", what]).ok()?;
        of.join(path).canonicalize().ok()
    };
    let common = path(dir, "--git-common-dir");
    is_directory(dir)
        && common.is_some()
        && common == path(root, "--git-common-dir")
        && common != path(dir, "--git-dir")
        && path(dir, "--show-toplevel") == dir.canonicalize().ok()
}

/// Removes what an earlier comparison left at `dir`, and nothing else.
fn remove(root: &Path, dir: &Path) -> anyhow::Result<()> {
    if fs::symlink_metadata(dir).is_err() {
        return Ok(());
    }
    let ours = match fs::symlink_metadata(dir.join(".git")) {
        _ if !is_directory(dir) => false,
        // A directory that git was about to fill, or that was emptied.
        Err(_) => dir.with_file_name(MARK).is_file(),
        Ok(_) => is_linked_to(root, dir).unwrap_or(false),
    };
    ensure!(
        ours,
        "{}: no comparison of this repository made it: move it away, or remove it by hand",
        dir.display()
    );
    fs::remove_dir_all(dir).with_context(|| format!("remove {}", dir.display()))
}

/// Whether the file `.git` in `dir` names an entry in the repository of `root`, even a missing one.
fn is_linked_to(root: &Path, dir: &Path) -> anyhow::Result<bool> {
    let text = fs::read_to_string(dir.join(".git"))?;
    let entry = dir.join(text.strip_prefix("gitdir:").context("no link")?.trim());
    let entries = root.join(said(root, &["rev-parse", "--git-common-dir"])?).join("worktrees");
    let home = entry.parent().context("an entry has a directory")?;
    Ok(home == entries || home.canonicalize()? == entries.canonicalize()?)
}

fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// The working tree as a commit, made without touching the user's index and history.
fn working_tree(root: &Path) -> anyhow::Result<Revision> {
    let head = said(root, &["rev-parse", "--verify", "HEAD"])
        .context("the repository has no commit yet, so there is nothing to compare with")?;
    let name = WORKING_TREE.to_owned();
    if said(root, &["status", "--porcelain"])?.is_empty() {
        return Ok(Revision { name, recorded: head.clone(), commit: head });
    }
    let index = tempfile_beside(root)?;
    let tree = with_index(root, &index, &["read-tree", "HEAD"])
        .and_then(|_| with_index(root, &index, &["add", "--all"]))
        .and_then(|_| with_index(root, &index, &["write-tree"]));
    // The index was temporary: it is removed even after an error.
    let _ = fs::remove_file(&index);
    let author = ["-c", "user.name=perf-lab", "-c", "user.email=perf-lab@localhost"];
    let message = ["commit-tree", &tree?, "-p", &head, "-m", "working tree"].map(str::to_owned);
    let args: Vec<&str> = author.into_iter().chain(message.iter().map(String::as_str)).collect();
    let commit = said(root, &args)?;
    Ok(Revision { name, recorded: format!("{head}+dirty"), commit })
}

fn tempfile_beside(root: &Path) -> anyhow::Result<PathBuf> {
    let git_dir = said(root, &["rev-parse", "--absolute-git-dir"])?;
    Ok(Path::new(&git_dir).join(format!("perf-lab-index-{}", std::process::id())))
}

fn unknown(root: &Path, name: &str) -> anyhow::Error {
    if is_shallow(root) {
        return usage(format!("no revision `{name}` in this shallow clone: {DEEPEN}"));
    }
    let refs =
        ["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"];
    let refs = said(root, &refs).unwrap_or_default();
    usage(nearest::unknown("revision", name, refs.lines().chain(["HEAD", WORKING_TREE])))
}

fn is_shallow(root: &Path) -> bool {
    said(root, &["rev-parse", "--is-shallow-repository"]).is_ok_and(|said| said == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        said(dir.path(), &["init", "--quiet", "--initial-branch=main"]).unwrap();
        fs::write(dir.path().join(".gitignore"), "/target\n").unwrap();
        commit(dir.path(), "one");
        dir
    }

    fn commit(root: &Path, text: &str) -> String {
        fs::write(root.join("file"), text).unwrap();
        said(root, &["add", "--all"]).unwrap();
        let author = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        let args: Vec<&str> = author.into_iter().chain(["commit", "--quiet", "-m", text]).collect();
        said(root, &args).unwrap();
        said(root, &["rev-parse", "HEAD"]).unwrap()
    }

    #[test]
    fn names_become_commits_and_an_unknown_one_names_the_nearest() {
        let dir = repository();
        let head = said(dir.path(), &["rev-parse", "HEAD"]).unwrap();
        assert_eq!(resolve(dir.path(), "main").unwrap().commit, head);
        assert_eq!(resolve(dir.path(), ".").unwrap().recorded, head, "clean");
        let error = resolve(dir.path(), "mian").unwrap_err();
        assert_eq!(error.to_string(), "no revision `mian`: did you mean `main`?");
        assert!(resolve(dir.path(), "--help").is_err(), "no option gets through");
    }

    #[test]
    fn the_working_tree_is_taken_with_new_files_and_left_as_it_is() {
        let dir = repository();
        fs::write(dir.path().join("file"), "changed").unwrap();
        fs::write(dir.path().join("new"), "untracked").unwrap();
        let status = said(dir.path(), &["status", "--porcelain"]).unwrap();
        let taken = resolve(dir.path(), ".").unwrap();
        assert!(taken.recorded.ends_with("+dirty"));
        let show =
            |path: &str| said(dir.path(), &["show", &format!("{}:{path}", taken.commit)]).unwrap();
        assert_eq!((show("file").as_str(), show("new").as_str()), ("changed", "untracked"));
        assert_eq!(said(dir.path(), &["status", "--porcelain"]).unwrap(), status);
        let left = fs::read_dir(dir.path().join(".git")).unwrap().flatten();
        assert!(left.into_iter().all(|e| !e.file_name().to_string_lossy().contains("perf-lab")));
    }

    #[test]
    fn a_worktree_is_reused_with_what_was_built_in_it() {
        let dir = repository();
        let first = resolve(dir.path(), "HEAD").unwrap().commit;
        let side = dir.path().join("target/a");
        check_out(dir.path(), &side, &first).unwrap();
        fs::create_dir(side.join("target")).unwrap();
        fs::write(side.join("target/built"), "").unwrap();
        fs::write(side.join("stray"), "").unwrap();
        let second = commit(dir.path(), "two");
        check_out(dir.path(), &side, &second).unwrap();
        assert_eq!(fs::read_to_string(side.join("file")).unwrap(), "two");
        assert!(side.join("target/built").exists() && !side.join("stray").exists());
    }

    #[test]
    fn a_left_over_worktree_is_made_anew() {
        let dir = repository();
        let commit = resolve(dir.path(), "HEAD").unwrap().commit;
        let side = dir.path().join("target/a");
        // The folder was removed, and git still lists it.
        check_out(dir.path(), &side, &commit).unwrap();
        fs::remove_dir_all(&side).unwrap();
        check_out(dir.path(), &side, &commit).unwrap();
        // A killed run left a folder that is no worktree, or one whose index is locked.
        fs::remove_file(side.join(".git")).unwrap();
        check_out(dir.path(), &side, &commit).unwrap();
        fs::write(dir.path().join(".git/worktrees/a/index.lock"), "").unwrap();
        check_out(dir.path(), &side, &commit).unwrap();
        assert_eq!(fs::read_to_string(side.join("file")).unwrap(), "one");
    }

    #[test]
    fn a_worktree_on_an_unmounted_disk_stays_registered() {
        let dir = repository();
        let commit = resolve(dir.path(), "HEAD").unwrap().commit;
        let disk = tempfile::tempdir().unwrap();
        let theirs = disk.path().join("theirs");
        said(dir.path(), &["worktree", "add", "--quiet", theirs.to_str().unwrap()]).unwrap();
        fs::rename(&theirs, disk.path().join("unmounted")).unwrap();
        let side = dir.path().join("target/sides/a");
        check_out(dir.path(), &side, &commit).unwrap();
        fs::remove_dir_all(&side).unwrap();
        check_out(dir.path(), &side, &commit).unwrap();
        let known = said(dir.path(), &["worktree", "list", "--porcelain"]).unwrap();
        assert!(known.contains("/theirs\n"), "{known}");
        fs::rename(disk.path().join("unmounted"), &theirs).unwrap();
        assert_eq!(said(&theirs, &["status", "--porcelain"]).unwrap(), "");
    }

    #[test]
    fn a_directory_not_made_by_a_comparison_is_left_alone() {
        let dir = repository();
        let commit = resolve(dir.path(), "HEAD").unwrap().commit;
        let home = dir.path().join("target/sides");
        fs::create_dir_all(&home).unwrap();
        let other = repository();
        let theirs = other.path().join("file");
        fs::write(&theirs, "their work").unwrap();
        type Make<'a> = &'a dyn Fn(&Path);
        let make: [(&str, Make<'_>); 4] = [
            ("a folder", &|side| {
                fs::create_dir(side).unwrap();
                fs::write(side.join("file"), "their work").unwrap();
            }),
            ("a repository", &|side| {
                let url = other.path().to_str().unwrap();
                said(other.path(), &["clone", "--quiet", url, side.to_str().unwrap()]).unwrap();
                fs::write(side.join("file"), "their work").unwrap();
            }),
            ("a worktree of another repository", &|side| {
                let add = ["worktree", "add", "--quiet", side.to_str().unwrap()];
                said(other.path(), &add).unwrap();
                fs::write(side.join("file"), "their work").unwrap();
            }),
            ("a link", &|side| std::os::unix::fs::symlink(other.path(), side).unwrap()),
        ];
        for (n, (what, make)) in make.iter().enumerate() {
            let side = home.join(n.to_string());
            make(&side);
            let error = check_out(dir.path(), &side, &commit).unwrap_err().to_string();
            assert!(error.contains("no comparison of this repository made it"), "{what}: {error}");
            assert_eq!(fs::read_to_string(side.join("file")).unwrap(), "their work", "{what}");
        }
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "their work");
    }

    #[test]
    fn a_shallow_clone_says_the_line_that_deepens_it() {
        let dir = repository();
        let old = resolve(dir.path(), "HEAD").unwrap().commit;
        commit(dir.path(), "two");
        let clone = tempfile::tempdir().unwrap();
        let url = format!("file://{}", dir.path().display());
        let into = clone.path().to_str().unwrap();
        said(dir.path(), &["clone", "--quiet", "--depth=1", &url, into]).unwrap();
        let error = resolve(clone.path(), &old).unwrap_err().to_string();
        assert!(error.contains("git fetch --unshallow"), "{error}");
    }

    #[test]
    fn a_merge_base_is_found_or_its_lack_explained() {
        let dir = repository();
        let fork = resolve(dir.path(), "HEAD").unwrap();
        said(dir.path(), &["checkout", "--quiet", "-b", "work"]).unwrap();
        commit(dir.path(), "work");
        said(dir.path(), &["checkout", "--quiet", "main"]).unwrap();
        commit(dir.path(), "main moved on");
        let (main, work) =
            (resolve(dir.path(), "main").unwrap(), resolve(dir.path(), "work").unwrap());
        assert_eq!(merge_base(dir.path(), &main, &work).unwrap().commit, fork.commit);
        said(dir.path(), &["checkout", "--quiet", "--orphan", "other"]).unwrap();
        commit(dir.path(), "unrelated");
        let other = resolve(dir.path(), "other").unwrap();
        assert!(
            merge_base(dir.path(), &main, &other)
                .unwrap_err()
                .to_string()
                .contains("no common commit")
        );
    }
}
